"""The ingest API's stack: the OpenAPI document of ``kstream.ingest``, deployed, with all that stands around it."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from deploy import naming
from deploy.network import API_ENDPOINT
from deploy.stacks import OutputOf, Stack
from deploy.template import Outputs, Resources, arn, att, compact, logical, ref, resource, sub, template
from kstream.ingest.api import ApiKeys, Cognito, Iam, IngestApi, IngestStream, Jwt, LambdaFunction
from kstream.ingest.contract import ErrorCode
from kstream.ingest.openapi import deployed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.config import Door, Ingest, Pipeline
    from deploy.stacks import Parameter
    from deploy.template import Json, Text
    from kstream.ingest.api import Lock

API, ROLE, STAGE, LOGS = "Api", "Role", "Stage", "AccessLogs"
_ENDPOINT = "ApiEndpoint"
_THROTTLED = "throttled"

_LOGGED = (
    "requestId", "extendedRequestId", "identity.sourceIp", "requestTime", "httpMethod", "resourcePath", "status",
    "responseLength", "responseLatency", "integrationLatency", "integrationStatus", "error.responseType",
)  # fmt: skip


def stack(pipeline: Pipeline, before: tuple[str, ...]) -> Stack | None:
    """None without an ``[ingest]``. ``before``: full names of the stacks that it needs."""
    ingest = pipeline.ingest
    if ingest is None:
        return None
    body = deployed(api_of(pipeline, ingest))
    # A deployment is a copy of the API as it was. Only a new one ships a change, so its name follows from the content.
    frozen = [body, _policy(ingest) if ingest.private else None, *_place(pipeline, ingest)]
    deployment = f"Deployment{sha256(compact(frozen).encode()).hexdigest()[:16]}"
    parameters: dict[str, Parameter] = {}
    if ingest.private and ingest.vpc_endpoint_id is None:
        parameters[_ENDPOINT] = OutputOf(naming.stack_name(pipeline, "network"), f"{API_ENDPOINT}Id")
    resources = Resources(
        {
            ROLE: resource("AWS::IAM::Role", _role(pipeline, ingest)),
            LOGS: resource(
                "AWS::Logs::LogGroup",
                {"LogGroupName": f"/kstream/{pipeline.prefix}/ingest", "RetentionInDays": ingest.log_retention_days},
                keep=False,
            ),
            API: _api(pipeline, ingest, body),
            deployment: resource("AWS::ApiGateway::Deployment", {"RestApiId": ref(API)}),
            STAGE: _stage(ingest, deployment),
        },
        _log_role() if ingest.manage_log_role else {},
        _keys(pipeline, ingest),
        _authorizers(pipeline, ingest),
        _web_acl(pipeline, ingest) if ingest.web_acl else {},
    )
    url = f"https://${{{API}}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/{ingest.stage}"
    outputs = Outputs({"Url": sub(url), "ApiId": ref(API)})
    for name in ingest.producers if ingest.has_keys else ():
        outputs[logical(name, "KeyId")] = ref(logical(name, "Key"))
    return Stack(
        name=naming.stack_name(pipeline, "ingest"),
        role="ingest",
        template=template(
            f"{pipeline.prefix}: the ingest API",
            resources,
            parameters=dict.fromkeys(parameters, "The VPC endpoint by which the private API is called"),
            outputs=outputs,
        ),
        parameters=parameters,
        dependencies=before,
        capabilities=("CAPABILITY_IAM",),
        tags=pipeline.tags,
    )


def api_name(pipeline: Pipeline) -> str:
    """What API Gateway and its metrics call the API."""
    return f"{pipeline.prefix}-ingest"


def api_of(pipeline: Pipeline, ingest: Ingest) -> IngestApi:
    """The API as ``kstream.ingest`` describes it."""
    streams = [
        IngestStream(
            name=pipeline.stream_name(key),
            locks=_locks(door),
            role=att(ROLE, "Arn"),
            cors_origins=door.cors_origins,
            key_required=door.key_required,
            envelope=door.envelope,
        )
        for key, door in ingest.streams.items()
    ]
    return IngestApi(streams=tuple(streams), title=api_name(pipeline))


def _locks(door: Door) -> tuple[Lock, ...]:
    locks: list[Lock] = []
    if door.who == "iam":
        locks.append(Iam())
    elif door.who == "jwt":
        locks.append(Jwt(str(door.issuer), door.audiences, door.algorithms, door.scopes))
    elif door.who == "cognito":
        locks.append(Cognito(door.user_pools, door.scopes))
    elif door.who == "lambda":
        function = str(door.function_arn).split(":", 2)[2]
        path = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions"
        uri = sub(f"{path}/arn:${{AWS::Partition}}:{function}/invocations")
        locks.append(LambdaFunction(invocation_uri=uri, kind=door.function_sees, cache_seconds=door.cache_seconds))
    if door.api_key:
        locks.append(ApiKeys())
    return tuple(locks)


def _api(pipeline: Pipeline, ingest: Ingest, body: Json) -> dict[str, Any]:
    endpoint: dict[str, Any] = {"Types": ["REGIONAL"]}
    if ingest.private:
        endpoint = {"Types": ["PRIVATE"], "VpcEndpointIds": [_endpoint(ingest)]}
    return resource(
        "AWS::ApiGateway::RestApi",
        {
            "Name": api_name(pipeline),
            "Description": f"Puts records into {', '.join(map(pipeline.stream_name, ingest.streams))}",
            "EndpointConfiguration": endpoint,
            "FailOnWarnings": True,
            "Policy": _policy(ingest) if ingest.private else None,
            "Body": body,
        },
    )


def _place(pipeline: Pipeline, ingest: Ingest) -> list[str]:
    """What our own endpoint stands and falls with: with another VPC it is another one, and the policy has its id."""
    network = pipeline.network
    if network is None or not ingest.private or ingest.vpc_endpoint_id is not None:
        return []
    return [network.vpc_id or network.cidr]


def _endpoint(ingest: Ingest) -> Text:
    return ingest.vpc_endpoint_id or ref(_ENDPOINT)


def _policy(ingest: Ingest) -> Json:
    """A private API is called through its own endpoint or not at all."""
    everything = ["execute-api:/*"]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": everything},
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "execute-api:Invoke",
                "Resource": everything,
                "Condition": {"StringNotEquals": {"aws:SourceVpce": _endpoint(ingest)}},
            },
        ],
    }


def _stage(ingest: Ingest, deployment: str) -> dict[str, Any]:
    line = {name: f"$context.{name}" for name in _LOGGED}
    every = {
        "HttpMethod": "*",
        "ResourcePath": "/*",
        "MetricsEnabled": True,
        "ThrottlingRateLimit": ingest.requests_per_second,
        "ThrottlingBurstLimit": ingest.burst,
        # Execution logs would hold the records.
        "LoggingLevel": "OFF",
        "DataTraceEnabled": False,
    }
    return resource(
        "AWS::ApiGateway::Stage",
        {
            "RestApiId": ref(API),
            "DeploymentId": ref(deployment),
            "StageName": ingest.stage,
            "AccessLogSetting": {"DestinationArn": att(LOGS, "Arn"), "Format": compact(line)},
            "MethodSettings": [every],
            "TracingEnabled": ingest.tracing,
        },
        depends_on=("Account",) if ingest.manage_log_role else (),
    )


def _trust() -> Json:
    """Without a condition on ``aws:SourceAccount``: API Gateway does not name it when it takes an integration's role, and
    would be refused (found on AWS in aws-solutions-library-samples/accelerated-intelligent-document-processing-on-aws, pull
    request 479). Nobody can hand the role to an API of another account: ``iam:PassRole`` stays within one."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "apigateway.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }


def _role(pipeline: Pipeline, ingest: Ingest) -> Json:
    """API Gateway puts by this role: into the configured streams, and nothing else."""
    statements: list[dict[str, Any]] = [
        {
            "Sid": "Put",
            "Effect": "Allow",
            "Action": ["kinesis:PutRecord", "kinesis:PutRecords"],
            "Resource": [naming.stream_arn(pipeline, key) for key in ingest.streams],
        }
    ]
    keys = {pipeline.streams[key].customer_key: None for key in ingest.streams}
    keys.pop(None, None)
    if keys:
        via = {"StringEquals": {"kms:ViaService": sub("kinesis.${AWS::Region}.amazonaws.com")}}
        statements.append(
            {
                "Sid": "Keys",
                "Effect": "Allow",
                "Action": ["kms:GenerateDataKey"],
                "Resource": list(keys),
                "Condition": via,
            }
        )
    document = {"Version": "2012-10-17", "Statement": statements}
    return {
        "AssumeRolePolicyDocument": _trust(),
        "Policies": [{"PolicyName": "put", "PolicyDocument": document}],
    }


def _log_role() -> Mapping[str, dict[str, Any]]:
    """The account's one role for API Gateway's logs. Others may use it by now, so it stays when this stack goes."""
    managed = "arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
    role = {"AssumeRolePolicyDocument": _trust(), "ManagedPolicyArns": [sub(managed)]}
    return {
        "LogRole": resource("AWS::IAM::Role", role, keep=True),
        # In an account that never had an API, one must be there before (CloudFormation's page on this type).
        "Account": resource(
            "AWS::ApiGateway::Account", {"CloudWatchRoleArn": att("LogRole", "Arn")}, keep=True, depends_on=(API,)
        ),
    }


def _keys(pipeline: Pipeline, ingest: Ingest) -> Resources:
    """A key for each producer, under one plan. API Gateway makes their values; nobody has to send them around."""
    if not ingest.has_keys:
        return Resources()
    plan = {
        "UsagePlanName": api_name(pipeline),
        "ApiStages": [{"ApiId": ref(API), "Stage": ref(STAGE)}],
        "Throttle": {"RateLimit": ingest.requests_per_second, "BurstLimit": ingest.burst},
        "Quota": {"Limit": ingest.keys_per_day, "Period": "DAY"},
    }
    resources = Resources({"UsagePlan": resource("AWS::ApiGateway::UsagePlan", plan)})
    for name in ingest.producers:
        key = logical(name, "Key")
        resources[key] = resource(
            "AWS::ApiGateway::ApiKey", {"Name": f"{api_name(pipeline)}-{name}", "Enabled": True}, depends_on=(STAGE,)
        )
        resources[f"{key}Plan"] = resource(
            "AWS::ApiGateway::UsagePlanKey",
            {"KeyId": ref(key), "KeyType": "API_KEY", "UsagePlanId": ref("UsagePlan")},
        )
    return resources


def _authorizers(pipeline: Pipeline, ingest: Ingest) -> Mapping[str, dict[str, Any]]:
    """API Gateway may call the Lambda authorizers. One of another account or region has to say so itself."""
    every = sorted({door.function_arn for door in ingest.streams.values() if door.function_arn})
    functions = [function for function in every if not _elsewhere(pipeline, function)]
    return {
        f"Authorizer{number}Permission": resource(
            "AWS::Lambda::Permission",
            {
                "Action": "lambda:InvokeFunction",
                "FunctionName": function,
                "Principal": "apigateway.amazonaws.com",
                "SourceArn": arn("execute-api", f"${{{API}}}/authorizers/*"),
            },
        )
        for number, function in enumerate(functions, 1)
    }


def _elsewhere(pipeline: Pipeline, function: str) -> bool:
    region, account = function.split(":")[3:5]
    return pipeline.region not in (None, region) or pipeline.account not in (None, account)


def _web_acl(pipeline: Pipeline, ingest: Ingest) -> Mapping[str, dict[str, Any]]:
    metric = {"CloudWatchMetricsEnabled": True, "SampledRequestsEnabled": False}
    rule = {
        "Name": "requests-per-address",
        "Priority": 0,
        # Its own 403 would tell a producer that it may not put at all, and IngestClient would not try again.
        "Action": {"Block": {"CustomResponse": _over_the_rate()}},
        "Statement": {"RateBasedStatement": {"AggregateKeyType": "IP", "Limit": ingest.requests_per_address}},
        "VisibilityConfig": {**metric, "MetricName": "requests-per-address"},
    }
    acl = {
        "Name": api_name(pipeline),
        "Scope": "REGIONAL",
        "DefaultAction": {"Allow": {}},
        "Rules": [rule],
        "CustomResponseBodies": {_THROTTLED: {"ContentType": "APPLICATION_JSON", "Content": _throttled()}},
        "VisibilityConfig": {**metric, "MetricName": api_name(pipeline)},
    }
    stage = f"arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}::/restapis/${{{API}}}/stages/${{{STAGE}}}"
    return {
        "WebAcl": resource("AWS::WAFv2::WebACL", acl),
        "WebAclOfStage": resource(
            "AWS::WAFv2::WebACLAssociation", {"ResourceArn": sub(stage), "WebACLArn": att("WebAcl", "Arn")}
        ),
    }


def _over_the_rate() -> Json:
    # The rate is that of the last minutes, looked at every few seconds.
    headers = [{"Name": "Retry-After", "Value": "30"}]
    return {"ResponseCode": ErrorCode.THROTTLED.status, "CustomResponseBodyKey": _THROTTLED, "ResponseHeaders": headers}


def _throttled() -> str:
    """The API's one shape of an error. The web ACL knows no request id."""
    message = "too many requests from this address; put the same again later"
    return compact({"error": {"code": ErrorCode.THROTTLED.value, "message": message, "requestId": ""}})
