"""From the configuration to the endpoints: none missing for what the code calls, none in excess, and no other way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from deploy.config import InvalidConfiguration, parse
from deploy.cost import costs
from deploy.endpoints import NoRoutes
from deploy.policy_size import PolicyTooLarge
from deploy.synthesis import stacks
from tests.support.pipelines import pipelines

if TYPE_CHECKING:
    from deploy.stacks import Stack

NETWORK = {"cidr": "10.0.0.0/20"}


def shop(network: dict[str, Any] | None = None, **consumer: Any) -> dict[str, Any]:
    """A pipeline with one consumer that calls nothing, but for what is given."""
    bare = {"stream": "orders", "handler": "app.lambda_handler", "ledger": "none", "dead_letters": "none"}
    return {
        "name": "shop",
        "streams": {"orders": {}, "letters": {}},
        "buckets": {"archive": {}},
        "tables": {"totals": {"partition_key": "customer"}},
        "consumers": {"totals": {**bare, **consumer}},
        "network": NETWORK if network is None else network,
    }


def network_of(table: dict[str, Any]) -> Stack:
    (found,) = (stack for stack in stacks(parse(table)) if stack.role == "network")
    return found


def of_kind(stack: Stack, kind: str) -> dict[str, dict[str, Any]]:
    return {
        key: one["Properties"] for key, one in stack.template["Resources"].items() if one["Type"] == f"AWS::EC2::{kind}"
    }


def endpoints(stack: Stack) -> dict[str, dict[str, Any]]:
    """By the service's name."""
    found = of_kind(stack, "VPCEndpoint").values()
    return {one["ServiceName"]["Fn::Sub"].split(".", 3)[3]: one for one in found}


SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"


@pytest.mark.parametrize(
    ("consumer", "services"),
    [
        ({}, set()),
        ({"tracing": True, "mapping": {"on_failure": "queue"}}, set()),
        ({"ledger": "dynamodb"}, {"dynamodb"}),
        ({"dead_letters": "queue"}, {"sqs"}),
        ({"dead_letters": "bucket:archive"}, {"s3"}),
        ({"dead_letters": "stream:letters"}, {"kinesis-streams"}),
        ({"uses": [{"table": "totals", "actions": ["dynamodb:UpdateItem"]}]}, {"dynamodb"}),
        ({"uses": [{"bucket": "archive", "actions": ["s3:PutObject"]}]}, {"s3"}),
        ({"uses": [{"arns": [SECRET], "actions": ["secretsmanager:GetSecretValue"]}]}, {"secretsmanager"}),
        ({"uses": [{"arns": ["arn:aws:iam::123456789012:role/other"], "actions": ["sts:AssumeRole"]}]}, {"sts"}),
        ({"uses": [{"arns": ["arn:aws:kms:eu-west-1:123456789012:key/k"], "actions": ["kms:Decrypt"]}]}, {"kms"}),
        ({"ledger": "dynamodb", "dead_letters": "queue"}, {"dynamodb", "sqs"}),
        ({"ledger": "dynamodb", "dead_letters": "queue", "vpc": False}, set()),
    ],
)
def test_there_are_the_endpoints_that_the_code_needs_and_no_other(consumer: dict[str, Any], services: set[str]) -> None:
    """The poller, log lines, X-Ray's daemon and the on-failure queue are not reached through the VPC."""
    assert endpoints(network_of(shop(**consumer))).keys() == services


def test_an_endpoint_of_x_ray_is_made_when_the_file_asks_and_a_function_traces() -> None:
    """With the two actions of its role, and a way there for the function that traces."""
    network = {**NETWORK, "xray_endpoint": True}
    with pytest.raises(InvalidConfiguration, match=r"network.xray_endpoint: changes nothing: no consumer"):
        network_of(shop(network, tracing=False))
    stack = network_of(shop(network, tracing=True))

    (statement,) = endpoints(stack)["xray"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    (way,) = of_kind(stack, "SecurityGroup")["TotalsSecurityGroup"]["SecurityGroupEgress"]
    assert way["DestinationSecurityGroupId"] == {"Fn::GetAtt": ["SecurityGroupOfEndpoints", "GroupId"]}


def test_an_endpoint_that_the_vpc_has_already_is_not_made_again() -> None:
    existing = {
        "vpc_id": "vpc-0123456789abcdef0",
        "subnet_ids": ["subnet-0123456789abcdef0"],
        "route_table_ids": ["rtb-0123456789abcdef0"],
        "existing_endpoints": ["sqs"],
    }
    made = endpoints(network_of(shop(existing, dead_letters="queue", ledger="dynamodb")))

    assert made.keys() == {"dynamodb"}
    assert made["dynamodb"]["VpcId"] == "vpc-0123456789abcdef0"
    assert made["dynamodb"]["RouteTableIds"] == ["rtb-0123456789abcdef0"]


def test_a_gateway_endpoint_without_route_tables_would_lead_nowhere() -> None:
    existing = {"vpc_id": "vpc-0123456789abcdef0", "subnet_ids": ["subnet-0123456789abcdef0"]}
    with pytest.raises(NoRoutes, match=r"network.route_table_ids is missing: dynamodb .*totals: its ledger"):
        network_of(shop(existing, ledger="dynamodb"))
    assert endpoints(network_of(shop(existing, dead_letters="queue"))).keys() == {"sqs"}


@pytest.mark.parametrize(
    ("service", "endpoint"),
    [("firehose", "kinesis-firehose"), ("cloudwatch", "monitoring"), ("ecr", "ecr.api"), ("events", "events")],
)
def test_an_endpoint_has_its_own_name_which_is_not_always_iams(service: str, endpoint: str) -> None:
    use = {"actions": [f"{service}:DoSomething"], "arns": [f"arn:aws:{service}:eu-west-1:123456789012:x"]}
    assert endpoints(network_of(shop(uses=[use]))).keys() == {endpoint}


def test_signing_on_to_a_database_needs_no_endpoint() -> None:
    use = {"actions": ["rds-db:connect"], "arns": ["arn:aws:rds-db:eu-west-1:123456789012:dbuser:a/b"]}
    assert endpoints(network_of(shop(uses=[use]))).keys() == set()


def test_a_consumer_reaches_its_endpoints_and_what_it_names_and_nothing_else() -> None:
    reach = {"security_group": "sg-0123456789abcdef0", "port": 5432, "why": "the database"}
    stack = network_of(shop(ledger="dynamodb", dead_letters="queue", reaches=[reach]))
    groups = of_kind(stack, "SecurityGroup")

    out = [
        (
            rule["FromPort"],
            rule["ToPort"],
            rule.get("DestinationSecurityGroupId") or rule.get("DestinationPrefixListId"),
        )
        for rule in groups["TotalsSecurityGroup"]["SecurityGroupEgress"]
    ]
    assert out == [
        (443, 443, {"Fn::GetAtt": ["SecurityGroupOfEndpoints", "GroupId"]}),
        (443, 443, {"Ref": "DynamodbPrefixList"}),
        (5432, 5432, "sg-0123456789abcdef0"),
    ]
    into = {
        (str(rule["GroupId"]), rule["FromPort"], str(rule["SourceSecurityGroupId"]))
        for rule in of_kind(stack, "SecurityGroupIngress").values()
    }
    own = str({"Fn::GetAtt": ["TotalsSecurityGroup", "GroupId"]})
    assert into == {
        (str({"Fn::GetAtt": ["SecurityGroupOfEndpoints", "GroupId"]}), 443, own),
        ("sg-0123456789abcdef0", 5432, own),
    }


def test_endpoint_policies_let_the_consumers_actions_through_and_no_other() -> None:
    stack = network_of(shop(ledger="dynamodb", uses=[{"table": "totals", "actions": ["dynamodb:UpdateItem"]}]))
    (ledger, table) = endpoints(stack)["dynamodb"]["PolicyDocument"]["Statement"]

    assert ledger["Action"] == [
        "dynamodb:BatchGetItem",
        "dynamodb:BatchWriteItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
    ]
    assert [arn["Fn::Sub"].rpartition(":")[2] for arn in ledger["Resource"]] == ["table/shop-totals-ledger"]
    assert table["Action"] == ["dynamodb:UpdateItem"]
    assert [arn["Fn::Sub"].rpartition(":")[2] for arn in table["Resource"]] == ["table/shop-totals"]


def many(number: int, **consumer: Any) -> dict[str, Any]:
    """A pipeline of so many consumers."""
    table = shop(**consumer)
    return table | {"consumers": {f"c{one}": table["consumers"]["totals"] for one in range(number)}}


def test_what_all_consumers_do_is_one_statement_of_an_endpoints_policy() -> None:
    """Else those of forty consumers would not fit into what a VPC takes."""
    stack = network_of(many(40, ledger="dynamodb"))
    (statement,) = endpoints(stack)["dynamodb"]["PolicyDocument"]["Statement"]
    assert len(statement["Resource"]) == 40


def test_an_endpoint_whose_policy_a_vpc_would_not_take_is_refused_by_name() -> None:
    use = {"arns": [f"{SECRET}{one:0200}" for one in range(30)], "actions": ["secretsmanager:GetSecretValue"]}
    used = many(4, uses=[use])
    network_of(used)  # one and the same secret counts once
    for name, consumer in used["consumers"].items():
        consumer = {**consumer, "uses": [{**use, "arns": [f"{arn}-{name}" for arn in use["arns"]]}]}
        used["consumers"][name] = consumer
    with pytest.raises(PolicyTooLarge, match=r"VPC endpoint secretsmanager has 3\d,\d+ characters, .* takes 20,480"):
        network_of(used)


@given(pipelines())
def test_there_is_no_way_to_the_internet_and_nothing_may_go_everywhere(table: dict[str, Any]) -> None:
    for stack in stacks(parse(table)):
        kinds = {one["Type"] for one in stack.template["Resources"].values()}
        assert kinds.isdisjoint({"AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route"})
        assert "0.0.0.0/0" not in stack.body
        assert "::/0" not in stack.body
        for group in of_kind(stack, "SecurityGroup").values():
            # A group without a rule would let everything out.
            assert group["SecurityGroupEgress"]
            assert "SecurityGroupIngress" not in group


@given(pipelines())
def test_every_endpoint_is_used_and_can_be_reached(table: dict[str, Any]) -> None:
    pipeline = parse(table)
    network = [stack for stack in stacks(pipeline) if stack.role == "network"]
    for stack in network:
        interfaces = [one for one in endpoints(stack).values() if one["VpcEndpointType"] == "Interface"]
        groups = {str(group) for one in interfaces for group in one["SecurityGroupIds"]}
        admitted = {str(rule["GroupId"]) for rule in of_kind(stack, "SecurityGroupIngress").values()}
        assert groups <= admitted
        assert all(one["PrivateDnsEnabled"] for one in interfaces)
        for one in endpoints(stack).values():
            assert all("*" not in action for rule in one["PolicyDocument"]["Statement"] for action in rule["Action"])


@given(pipelines())
def test_each_endpoint_is_told_with_its_reason_and_its_cost(table: dict[str, Any]) -> None:
    pipeline = parse(table)
    made = {name for stack in stacks(pipeline) if stack.role == "network" for name in endpoints(stack)}
    told = {cost.what.split()[2]: cost for cost in costs(pipeline) if cost.what.startswith("VPC endpoint")}

    assert told.keys() == made
    for service, cost in told.items():
        assert cost.why
        zones = pipeline.network.zone_count if pipeline.network else 0
        expected = 0 if service in ("dynamodb", "s3") else 7.30 * zones
        assert cost.monthly == pytest.approx(expected)


def test_subnets_lie_in_different_zones_and_do_not_overlap() -> None:
    subnets = of_kind(network_of(shop({"cidr": "10.0.0.0/20", "zones": 3})), "Subnet")

    assert [one["CidrBlock"] for one in subnets.values()] == ["10.0.0.0/22", "10.0.4.0/22", "10.0.8.0/22"]
    assert [one["AvailabilityZone"]["Fn::Select"][0] for one in subnets.values()] == [0, 1, 2]


def test_a_private_api_admits_its_callers_alone() -> None:
    table = shop() | {
        "ingest": {"streams": {"orders": {"who": "iam"}}, "private": True, "callers": ["sg-0123456789abcdef0"]}
    }
    stack = network_of(table)

    (rule,) = of_kind(stack, "SecurityGroupIngress").values()
    assert rule["SourceSecurityGroupId"] == "sg-0123456789abcdef0"
    assert endpoints(stack)["execute-api"]["SecurityGroupIds"] == [rule["GroupId"]]


def test_a_private_api_takes_an_endpoint_that_the_vpc_has() -> None:
    """Two of one service with private DNS cannot be in a VPC; and who may call is for that one's group to say."""
    existing = {
        "vpc_id": "vpc-0123456789abcdef0",
        "subnet_ids": ["subnet-0123456789abcdef0"],
        "existing_endpoints": ["execute-api"],
    }
    door = {"streams": {"orders": {"who": "iam"}}, "private": True}
    with pytest.raises(InvalidConfiguration, match=r"ingest.vpc_endpoint_id: is missing"):
        parse(shop(existing) | {"ingest": {**door, "callers": ["sg-0123456789abcdef0"]}})

    made = stacks(parse(shop(existing) | {"ingest": {**door, "vpc_endpoint_id": "vpce-0123456789abcdef0"}}))
    (api,) = (stack for stack in made if stack.role == "ingest")
    properties = api.template["Resources"]["Api"]["Properties"]
    assert properties["EndpointConfiguration"]["VpcEndpointIds"] == ["vpce-0123456789abcdef0"]
    assert (
        properties["Policy"]["Statement"][1]["Condition"]["StringNotEquals"]["aws:SourceVpce"]
        == "vpce-0123456789abcdef0"
    )
    assert not any(endpoints(stack) for stack in made if stack.role == "network")


def test_an_endpoint_of_apis_serves_the_private_one_and_what_the_code_calls() -> None:
    use = {"actions": ["execute-api:Invoke"], "arns": ["arn:aws:execute-api:eu-west-1:123456789012:abc/*"]}
    ingest = {"streams": {"orders": {"who": "iam"}}, "private": True, "callers": ["sg-0123456789abcdef0"]}
    stack = network_of(shop(uses=[use]) | {"ingest": ingest})

    made = endpoints(stack)["execute-api"]
    assert [one["Fn::GetAtt"][0] for one in made["SecurityGroupIds"]] == [
        "SecurityGroupOfEndpoints",
        "SecurityGroupOfApi",
    ]
    assert [rule["Resource"] for rule in made["PolicyDocument"]["Statement"]] == [["*"], use["arns"]]


@pytest.mark.parametrize("name", ["endpoints", "api"])
def test_a_consumer_of_any_name_has_a_group_of_its_own(name: str) -> None:
    table = shop(dead_letters="queue") | {
        "ingest": {"streams": {"orders": {"who": "iam"}}, "private": True, "callers": ["sg-0123456789abcdef0"]}
    }
    table["consumers"] = {name: table["consumers"]["totals"]}
    groups = of_kind(network_of(table), "SecurityGroup")

    assert sorted(group["GroupDescription"] for group in groups.values()) == [
        "shop: VPC endpoints",
        f"shop: the consumer {name}",
        "shop: the ingest API",
    ]
