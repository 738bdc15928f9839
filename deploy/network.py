"""The network's stack: a VPC without a way to the internet, security groups, endpoints. Or all but the VPC, in yours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deploy.endpoints import GATEWAYS, by_consumer, needs, policy
from deploy.naming import stack_name
from deploy.stacks import PrefixListOf, Stack
from deploy.template import Outputs, Resources, att, logical, ref, resource, sub, template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.config import Consumer, Network, Pipeline
    from deploy.endpoints import Need
    from deploy.stacks import Parameter
    from deploy.template import Json, Text

SUBNETS = "Subnets"
"""The output with the subnets, separated by commas."""
VPC = "VpcId"
# A consumer's own group ends in "SecurityGroup", whatever the consumer is called.
ENDPOINT_GROUP = "SecurityGroupOfEndpoints"
API_ENDPOINT = "ExecuteApiEndpoint"
API_GROUP = "SecurityGroupOfApi"

# A security group without any rule for what goes out lets everything out.
_NOTHING_OUT = {"IpProtocol": "-1", "CidrIp": "127.0.0.1/32", "Description": "Nothing goes out"}


def stack(pipeline: Pipeline) -> Stack | None:
    """None without a ``[network]``."""
    network = pipeline.network
    if network is None:
        return None
    asked = needs(pipeline)
    own = _vpc(pipeline, network) if network.vpc_id is None else Resources()
    parameters: dict[str, Parameter] = {
        _prefix_list(service): PrefixListOf(service)
        for service in sorted(GATEWAYS & set().union(*by_consumer(pipeline).values()))
    }
    resources = Resources(
        own,
        _security_groups(pipeline, network, asked),
        _api_group(pipeline, network),
        _endpoints(network, asked),
    )
    subnets = [ref(_subnet(zone)) for zone in range(network.zones)] if own else list(network.subnet_ids)
    outputs = Outputs({VPC: _vpc_id(network), SUBNETS: {"Fn::Join": [",", subnets]}})
    outputs |= {
        f"{security_group_id(name)}Id": att(security_group_id(name), "GroupId") for name in by_consumer(pipeline)
    }
    if API_ENDPOINT in resources:
        outputs[f"{API_ENDPOINT}Id"] = ref(API_ENDPOINT)
    if not resources:
        return None
    return Stack(
        name=stack_name(pipeline, "network"),
        role="network",
        template=template(
            f"{pipeline.prefix}: the network of the consumers",
            resources,
            parameters=dict.fromkeys(parameters, "The prefix list of this service in the region"),
            outputs=outputs,
        ),
        parameters=parameters,
        capabilities=("CAPABILITY_IAM",) if own else (),
        tags=pipeline.tags,
    )


def security_group_id(consumer: str) -> str:
    """The logical id of a consumer's security group; its output is called so too, with ``Id``."""
    return logical(consumer, "SecurityGroup")


def _subnet(zone: int) -> str:
    return f"Subnet{zone + 1}"


def _prefix_list(service: str) -> str:
    return logical(service, "PrefixList")


def _vpc_id(network: Network) -> Text:
    return network.vpc_id or ref("Vpc")


def _vpc(pipeline: Pipeline, network: Network) -> Resources:
    called = [{"Key": "Name", "Value": pipeline.prefix}]
    resources = Resources(_flow_log(pipeline, network))
    resources["Vpc"] = resource(
        "AWS::EC2::VPC",
        {"CidrBlock": network.cidr, "EnableDnsSupport": True, "EnableDnsHostnames": True, "Tags": called},
    )
    resources["Routes"] = resource("AWS::EC2::RouteTable", {"VpcId": ref("Vpc"), "Tags": called})
    for zone, cidr in enumerate(network.subnet_cidrs):
        resources[_subnet(zone)] = resource(
            "AWS::EC2::Subnet",
            {
                "VpcId": ref("Vpc"),
                "CidrBlock": cidr,
                "AvailabilityZone": {"Fn::Select": [zone, {"Fn::GetAZs": ""}]},
                "MapPublicIpOnLaunch": False,
                "Tags": called,
            },
        )
        resources[f"{_subnet(zone)}Routes"] = resource(
            "AWS::EC2::SubnetRouteTableAssociation",
            {"SubnetId": ref(_subnet(zone)), "RouteTableId": ref("Routes")},
        )
    return resources


def _flow_log(pipeline: Pipeline, network: Network) -> Mapping[str, dict[str, Any]]:
    name = f"/kstream/{pipeline.prefix}/flow-log"
    group = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:" + name
    statements = [
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            "Resource": [sub(f"{group}:*")],
        }
    ]
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "vpc-flow-logs.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}},
    }
    return {
        "FlowLogGroup": resource(
            "AWS::Logs::LogGroup", {"LogGroupName": name, "RetentionInDays": network.flow_log_days}, keep=False
        ),
        "FlowLogRole": resource(
            "AWS::IAM::Role",
            {
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
                "Policies": [
                    {"PolicyName": "flow-log", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}
                ],
            },
        ),
        "FlowLog": resource(
            "AWS::EC2::FlowLog",
            {
                "ResourceId": ref("Vpc"),
                "ResourceType": "VPC",
                "TrafficType": "ALL",
                "LogGroupName": ref("FlowLogGroup"),
                "DeliverLogsPermissionArn": att("FlowLogRole", "Arn"),
            },
        ),
    }


def _security_groups(pipeline: Pipeline, network: Network, asked: list[Need]) -> Resources:
    interfaces = {need.service for need in asked if need.grants and not need.gateway}
    resources = Resources()
    if interfaces:
        resources[ENDPOINT_GROUP] = _group(network, f"{pipeline.prefix}: VPC endpoints", [_NOTHING_OUT])
    for name, used in by_consumer(pipeline).items():
        own = security_group_id(name)
        consumer = pipeline.consumers[name]
        resources[own] = _group(
            network, f"{pipeline.prefix}: the consumer {name}", _goes_out(consumer, used, interfaces)
        )
        if used & interfaces:
            resources[f"{own}ToEndpoints"] = resource(
                "AWS::EC2::SecurityGroupIngress",
                {**_https(f"The consumer {name}"), "GroupId": att(ENDPOINT_GROUP, "GroupId"), **_from(own)},
            )
        for number, reach in enumerate(consumer.reaches, 1):
            port = {"IpProtocol": "tcp", "FromPort": reach.port, "ToPort": reach.port, "Description": reach.why}
            resources[f"{own}Reach{number}"] = resource(
                "AWS::EC2::SecurityGroupIngress", {**port, "GroupId": reach.security_group, **_from(own)}
            )
    return resources


def _api_group(pipeline: Pipeline, network: Network) -> Resources:
    """Who may reach the endpoint of a private API."""
    ingest = pipeline.ingest
    if ingest is None or not ingest.private or ingest.vpc_endpoint_id is not None:
        return Resources()
    resources = Resources({API_GROUP: _group(network, f"{pipeline.prefix}: the ingest API", [_NOTHING_OUT])})
    for number, caller in enumerate(ingest.callers, 1):
        resources[f"{API_GROUP}From{number}"] = resource(
            "AWS::EC2::SecurityGroupIngress",
            {**_https("A producer"), "GroupId": att(API_GROUP, "GroupId"), "SourceSecurityGroupId": caller},
        )
    return resources


def _goes_out(consumer: Consumer, used: frozenset[str], interfaces: set[str]) -> list[Json]:
    rules: list[Json] = []
    if used & interfaces:
        rules.append({**_https("VPC endpoints"), "DestinationSecurityGroupId": att(ENDPOINT_GROUP, "GroupId")})
    rules += [
        {**_https(f"{service} through its endpoint"), "DestinationPrefixListId": ref(_prefix_list(service))}
        for service in sorted(used & GATEWAYS)
    ]
    rules += [
        {
            "IpProtocol": "tcp",
            "FromPort": reach.port,
            "ToPort": reach.port,
            "DestinationSecurityGroupId": reach.security_group,
            "Description": reach.why,
        }
        for reach in consumer.reaches
    ]
    return rules or [_NOTHING_OUT]


def _group(network: Network, description: str, egress: list[Json]) -> dict[str, Any]:
    return resource(
        "AWS::EC2::SecurityGroup",
        {"GroupDescription": description, "VpcId": _vpc_id(network), "SecurityGroupEgress": egress},
    )


def _https(description: str) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "Description": description}


def _from(group: str) -> dict[str, Any]:
    return {"SourceSecurityGroupId": att(group, "GroupId")}


def _endpoints(network: Network, asked: list[Need]) -> Resources:
    own = network.vpc_id is None
    subnets = [ref(_subnet(zone)) for zone in range(network.zones)] if own else list(network.subnet_ids)
    routes = [ref("Routes")] if own else list(network.route_table_ids)
    resources = Resources()
    for need in asked:
        properties: dict[str, Any] = {
            "VpcId": _vpc_id(network),
            "ServiceName": sub(f"com.amazonaws.${{AWS::Region}}.{need.service}"),
            "PolicyDocument": policy(need),
        }
        if need.gateway:
            properties |= {"VpcEndpointType": "Gateway", "RouteTableIds": routes}
        else:
            properties |= {
                "VpcEndpointType": "Interface",
                "PrivateDnsEnabled": True,
                "SubnetIds": subnets,
                "SecurityGroupIds": [
                    *([att(ENDPOINT_GROUP, "GroupId")] if need.grants else []),
                    *([att(API_GROUP, "GroupId")] if need.api else []),
                ],
            }
        resources[logical(need.service, "Endpoint")] = resource("AWS::EC2::VPCEndpoint", properties)
    return resources
