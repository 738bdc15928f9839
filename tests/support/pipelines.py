"""Configurations for tests: random valid ones, and one that uses everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from deploy.config.names import LOG_DAYS

if TYPE_CHECKING:
    from collections.abc import Callable

Given = dict[str, Any]
"""What TOML would give."""

_ACCOUNT = "123456789012"
_KEY = f"arn:aws:kms:eu-west-1:{_ACCOUNT}:key/0a1b2c3d-0000-1111-2222-333344445555"
_STREAMS, _BUCKETS, _TABLES = ["orders", "returns-2"], ["archive"], ["totals"]


def _maybe(draw: Callable[[Any], Any], table: Given, **choices: st.SearchStrategy[Any]) -> Given:
    """The table with some of these settings."""
    for name, values in choices.items():
        if draw(st.booleans()):
            table[name] = draw(values)
    return table


@st.composite
def pipelines(draw: Callable[[Any], Any]) -> Given:
    """Any valid configuration, of up to two streams and three consumers."""
    streams = {name: draw(_stream()) for name in draw(st.lists(st.sampled_from(_STREAMS), min_size=1, unique=True))}
    given: Given = {
        "name": draw(st.sampled_from(["shop", "a", "long-name-of-20-char"])),
        "streams": streams,
        "buckets": {"archive": draw(_bucket())},
        "tables": {"totals": draw(_table())},
    }
    network = draw(st.none() | _network())
    if network is not None:
        given["network"] = network
    names = draw(st.lists(st.sampled_from(["totals", "archive", "audit-3"]), max_size=3, unique=True))
    given["consumers"] = {name: draw(_consumer(list(streams), in_network=network is not None)) for name in names}
    if draw(st.booleans()):
        given["ingest"] = draw(_ingest(list(streams), in_network=network is not None))
    if draw(st.booleans()):
        given["monitoring"] = draw(_monitoring())
    return _maybe(draw, given, tags=st.just({"team": "flights", "cost center": "7"}))


@st.composite
def _stream(draw: Callable[[Any], Any]) -> Given:
    table: Given = _maybe(
        draw,
        {},
        retention_hours=st.integers(24, 8760),
        record_size_kib=st.integers(1024, 10240),
        kms_key=st.sampled_from(["aws", _KEY]),
        aggregated=st.booleans(),
        fan_out=st.sampled_from([[], ["reader"], ["reader", "other.reader"]]),
    )
    return table | draw(st.sampled_from([{}, {"mode": "provisioned", "shards": 3}, {"mode": "on-demand"}]))


@st.composite
def _bucket(draw: Callable[[Any], Any]) -> Given:
    return _maybe(
        draw, {}, expire_days=st.integers(1, 3650), versioned=st.booleans(), physical_name=st.just("my.own-bucket")
    )


@st.composite
def _table(draw: Callable[[Any], Any]) -> Given:
    return _maybe(
        draw, {"partition_key": "customer"}, sort_key=st.just("day"), partition_key_type=st.sampled_from("SNB"),
        expires_attribute=st.just("until"),
    )  # fmt: skip


@st.composite
def _network(draw: Callable[[Any], Any]) -> Given:
    if draw(st.booleans()):
        return {
            "vpc_id": "vpc-0123456789abcdef0",
            "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
            "route_table_ids": ["rtb-0123456789abcdef0"],
            "existing_endpoints": draw(st.sampled_from([[], ["sqs"], ["dynamodb", "kinesis-streams"]])),
            "xray_endpoint": draw(st.booleans()),
        }
    return _maybe(
        draw, {}, cidr=st.sampled_from(["10.0.0.0/16", "192.168.0.0/24"]), zones=st.integers(1, 6),
        flow_log_days=st.sampled_from(LOG_DAYS),
    )  # fmt: skip


@st.composite
def _consumer(draw: Callable[[Any], Any], streams: list[str], *, in_network: bool) -> Given:
    kind = draw(st.sampled_from(["stream", "stream", "stream_arn", "table", "queue"]))
    source: Given = {
        "stream": {"stream": draw(st.sampled_from(streams))},
        "stream_arn": {"stream_arn": f"arn:aws:kinesis:eu-west-1:{_ACCOUNT}:stream/elsewhere"},
        "table": {
            "table_stream_arn": f"arn:aws:dynamodb:eu-west-1:{_ACCOUNT}:table/Orders/stream/2026-01-31T12:00:00.000"
        },
        "queue": {"queue_arn": f"arn:aws:sqs:eu-west-1:{_ACCOUNT}:orders"},
    }[kind]
    others = [name for name in streams if name != source.get("stream")]
    letters = ["queue", "none", "bucket:archive", "bucket:archive/dead/", *(f"stream:{name}" for name in others)]
    consumer: Given = _maybe(
        draw,
        {"handler": "app.consumer.lambda_handler", **source, "mapping": draw(_mapping(kind))},
        description=st.sampled_from(["", "Adds up."]),
        runtime=st.sampled_from(["python3.12", "python3.13", "python3.14"]),
        architecture=st.sampled_from(["arm64", "x86_64"]),
        memory_mb=st.integers(128, 10_240),
        timeout_seconds=st.integers(1, 900),
        reserved_concurrency=st.integers(1, 100),
        environment=st.sampled_from([{}, {"LEVEL": "debug", "Empty": ""}]),
        log_retention_days=st.sampled_from(LOG_DAYS),
        tracing=st.booleans(),
        dependencies=st.sampled_from(["zip", "layer"]),
        metrics=st.booleans(),
        ledger=st.sampled_from(["dynamodb", "none"]),
        dead_letters=st.sampled_from(letters),
        uses=st.lists(st.sampled_from(_uses(streams)), max_size=3, unique_by=str),
    )
    if kind.startswith("stream"):
        _maybe(draw, consumer, fan_out=st.booleans())
    if in_network:
        reach = {"security_group": "sg-0123456789abcdef0", "port": 5432, "why": "the database of orders"}
        _maybe(draw, consumer, reaches=st.sampled_from([[], [reach]]))
        if "reaches" not in consumer:
            _maybe(draw, consumer, vpc=st.booleans())
    return consumer


def _uses(streams: list[str]) -> list[Given]:
    return [
        {"bucket": "archive", "actions": ["s3:PutObject"], "prefix": "x/", "variable": "BUCKET"},
        {"bucket": "archive", "actions": ["s3:GetObject", "s3:ListBucket"]},
        {"table": "totals", "actions": ["dynamodb:UpdateItem"], "variable": "TABLE"},
        {"stream": streams[0], "actions": ["kinesis:PutRecords"], "variable": "STREAM"},
        {
            "arns": [f"arn:aws:secretsmanager:eu-west-1:{_ACCOUNT}:secret:database-AbCdEf"],
            "actions": ["secretsmanager:GetSecretValue"],
        },
    ]


@st.composite
def _mapping(draw: Callable[[Any], Any], kind: str) -> Given:
    filters = st.sampled_from([[], [{"body": {"kind": ["order"]}}]])
    if kind == "queue":
        window = draw(st.integers(0, 300))
        size = st.integers(1, 10_000 if window else 10)
        return _maybe(
            draw, {"batching_window": window}, batch_size=size, maximum_concurrency=st.integers(2, 1000), filters=filters,
            enabled=st.booleans(),
        )  # fmt: skip
    starts: list[Any] = ["TRIM_HORIZON", "LATEST"]
    mapping = _maybe(
        draw,
        {},
        batch_size=st.integers(1, 10_000),
        batching_window=st.integers(0, 300),
        starting_position=st.sampled_from(starts) | (st.nothing() if kind == "table" else _moments()),
        maximum_retry_attempts=st.integers(-1, 10_000),
        maximum_record_age=st.just(-1) | st.integers(60, 604_800),
        bisect_on_error=st.booleans(),
        on_failure=st.sampled_from(
            [
                "queue",
                "none",
                f"arn:aws:sqs:eu-west-1:{_ACCOUNT}:failed",
                f"arn:aws:sns:eu-west-1:{_ACCOUNT}:failed",
                "arn:aws:s3:::failed-records",
            ]
        ),
        filters=filters,
        event_count_metrics=st.booleans(),
        enabled=st.booleans(),
    )
    return mapping | draw(st.sampled_from([{}, {"parallelization_factor": 10}, {"tumbling_window": 900}]))


def _moments() -> st.SearchStrategy[Any]:
    from datetime import UTC, datetime

    return st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001 - zone follows


@st.composite
def _ingest(draw: Callable[[Any], Any], streams: list[str], *, in_network: bool) -> Given:
    table: Given = {"streams": {name: draw(_door()) for name in streams}}
    _maybe(
        draw,
        table,
        stage=st.sampled_from(["v1", "prod-2"]),
        requests_per_second=st.integers(1, 10_000),
        burst=st.integers(1, 5000),
        tracing=st.booleans(),
        web_acl=st.booleans(),
        manage_log_role=st.booleans(),
        producers=st.sampled_from([["default"], ["shop", "till-7"]]),
    )
    if in_network and draw(st.booleans()):
        table |= {"private": True, "callers": ["sg-0123456789abcdef0"]}
    return table


@st.composite
def _door(draw: Callable[[Any], Any]) -> Given:
    door: Given = draw(
        st.sampled_from(
            [
                {"who": "iam"},
                {"who": "jwt", "issuer": "https://login.example/", "audiences": ["put"]},
                {"who": "jwt", "issuer": "https://login.example/", "audiences": ["put"], "scopes": ["put:orders", "x"]},
                {"who": "cognito", "user_pools": [f"arn:aws:cognito-idp:eu-west-1:{_ACCOUNT}:userpool/eu-west-1_AbC"]},
                {"who": "lambda", "function_arn": f"arn:aws:lambda:eu-west-1:{_ACCOUNT}:function:door"},
                {"api_key": True},
                {"who": "iam", "api_key": True},
            ]
        )
    )
    return _maybe(
        draw,
        dict(door),
        cors_origins=st.sampled_from([[], ["https://shop.example"], ["*"]]),
        key_required=st.booleans(),
        envelope=st.booleans(),
    )


@st.composite
def _monitoring(draw: Callable[[Any], Any]) -> Given:
    topics = st.sampled_from([[], [f"arn:aws:sns:eu-west-1:{_ACCOUNT}:alarms"]])
    return _maybe(
        draw, {}, enabled=st.booleans(), warn=topics, page=topics, periods=st.integers(3, 60), datapoints=st.integers(1, 3),
    )  # fmt: skip
