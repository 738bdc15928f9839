"""Configurations for tests: random valid ones, and some that are almost so."""

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

# Names of which two, put together with what deploy adds, could become one.
_STREAMS = ["orders", "orders-stream", "a", "a-b"]
_BUCKETS = ["archive", "archive-top"]
_TABLES = ["totals", "totals-ledger", "table"]
_CONSUMERS = ["totals", "totals-too", "endpoints", "api", "ingest", "stream-orders", "at-risk", "security-group"]
_PRODUCERS = ["default", "shop", "till-7", "a-b", "key", "api", "usage"]


def _maybe(draw: Callable[[Any], Any], table: Given, **choices: st.SearchStrategy[Any]) -> Given:
    """The table with some of these settings."""
    for name, values in choices.items():
        if draw(st.booleans()):
            table[name] = draw(values)
    return table


@st.composite
def pipelines(draw: Callable[[Any], Any]) -> Given:
    """Any valid configuration, of up to three streams and three consumers."""
    names = draw(_names(_CONSUMERS, longest=24))
    streams = {name: draw(_stream()) for name in draw(_names(_STREAMS, least=1))}
    buckets = draw(_names(_BUCKETS, least=1, longest=12))
    tables = [
        table for table in draw(_names(_TABLES, least=1)) if table not in {f"{name}-ledger" for name in names}
    ] or ["last"]
    given: Given = {
        "name": draw(st.sampled_from(["shop", "a", "l0ng-name-of-20-ch-r"])),
        "streams": streams,
        "buckets": {name: draw(_bucket(name)) for name in buckets},
        "tables": {name: draw(_table()) for name in tables},
    }
    network = draw(st.none() | _network())
    if network is not None:
        given["network"] = network
    consumer = _consumer(list(streams), buckets[0], tables[0], in_network=network is not None)
    given["consumers"] = {name: draw(consumer) for name in names}
    if network is not None and not any(_traces(one) for one in given["consumers"].values()):
        network.pop("xray_endpoint", None)
    if draw(st.booleans()):
        given["ingest"] = draw(_ingest(list(streams), in_network=network is not None))
    if draw(st.booleans()):
        given["monitoring"] = draw(_monitoring())
    return _maybe(draw, given, tags=st.just({"team": "flights", "cost center": "7"}))


def _traces(consumer: Given) -> bool:
    return bool(consumer.get("tracing", True) and consumer.get("vpc", True))


def _names(awkward: list[str], *, least: int = 0, longest: int = 30) -> st.SearchStrategy[list[str]]:
    """Up to three keys that logical ids tell apart."""
    part = st.text("abcyz019", min_size=1, max_size=4)
    free = st.lists(part, min_size=1, max_size=3).map(lambda parts: "k" + "-".join(parts))
    free = free.filter(lambda name: len(name) <= longest)
    one = st.sampled_from(awkward) | free | st.just("l" * longest)
    pairs = st.sampled_from([awkward[:2], awkward[2:4] or awkward[:1]])
    return pairs | st.lists(one, min_size=least, max_size=3, unique_by=_plain)


def _plain(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("-"))


@st.composite
def almost(draw: Callable[[Any], Any]) -> Given:
    """A configuration that differs from a valid one in a single thing, which may be refused; if it is not, it must hold."""
    given = draw(pipelines())
    draw(st.sampled_from(_CHANGES))(draw, given)
    return given


def _clashing_tables(draw: Callable[[Any], Any], given: Given) -> None:
    for name in ("totals", "totals-ledger", "totals-too-ledger"):
        physical = {"physical_name": draw(st.sampled_from(["shop-totals", "Totals", "ab"]))}
        given["tables"][name] = {"partition_key": "x", **draw(st.sampled_from([{}, physical]))}


def _clashing_buckets(draw: Callable[[Any], Any], given: Given) -> None:
    called = st.sampled_from(["mine", "a..b", "a.-b", "1.2.3.4", "xn--a", "shop-archive-123456789012-eu-west-1"])
    given["buckets"] |= {"one": {"physical_name": draw(called)}, "other": {"physical_name": draw(called)}}


def _long_names(draw: Callable[[Any], Any], given: Given) -> None:
    kind = draw(st.sampled_from(["streams", "buckets", "tables"]))
    given[kind]["n" * draw(st.integers(30, 300))] = {"partition_key": "x"} if kind == "tables" else {}


def _readers(draw: Callable[[Any], Any], given: Given) -> None:
    for name, stream in given["streams"].items():
        readers = st.sampled_from(["a.b", "a-b", "a_b", "A-b", "AB", "r" * 128, f"{given['name']}-totals", name])
        stream["fan_out"] = draw(st.lists(readers, max_size=4))


def _variables(draw: Callable[[Any], Any], given: Given) -> None:
    for consumer in given["consumers"].values():
        name = st.text("AaX_1", min_size=1, max_size=3) | st.sampled_from(["AWS_REGION", "LAMBDA_TASK_ROOT", "TABLE"])
        value = st.sampled_from(["", "é", "x" * 1000, "x" * 4000, "x" * 4097])
        consumer["environment"] = draw(st.dictionaries(name, value, max_size=2))
        if consumer.get("uses"):
            consumer["uses"][0] = {**consumer["uses"][0], "variable": draw(name)}


def _repeated(draw: Callable[[Any], Any], given: Given) -> None:
    lists = [given.get("network", {}), given.get("ingest", {}), *given["consumers"].values()]
    for table in lists:
        for name in ("subnet_ids", "route_table_ids", "callers", "producers", "reaches", "uses"):
            if table.get(name) and draw(st.booleans()):
                table[name] = table[name] * 2


def _producers(draw: Callable[[Any], Any], given: Given) -> None:
    if "ingest" in given:
        names = st.text("ab-1", min_size=1, max_size=4)
        given["ingest"] |= {"producers": draw(st.lists(names, max_size=3))}
        next(iter(given["ingest"]["streams"].values()))["api_key"] = True


def _tags(draw: Callable[[Any], Any], given: Given) -> None:
    text = st.sampled_from(["", "team", "aws:x", "kstream:pipeline", "t" * 128, "t" * 129, "t" * 256, "t" * 300, "<x>"])
    given["tags"] = {draw(text): draw(text)}


def _filters(draw: Callable[[Any], Any], given: Given) -> None:
    leaf = st.sampled_from([[], ["a"], "a", [1], [None], [{"prefix": "x"}], [{"prefx": "x"}], [["a"]], {"b": ["c"]}])
    for consumer in given["consumers"].values():
        consumer["mapping"]["filters"] = [{draw(st.sampled_from(["data", "body", "dynamodb", "$or"])): draw(leaf)}]


_CHANGES = [
    _clashing_tables, _clashing_buckets, _long_names, _readers, _variables, _repeated, _producers, _tags, _filters,
]  # fmt: skip


@st.composite
def _stream(draw: Callable[[Any], Any]) -> Given:
    table: Given = _maybe(
        draw,
        {},
        retention_hours=st.integers(24, 8760),
        record_size_kib=st.integers(1024, 10240),
        kms_key=st.sampled_from(["aws", _KEY]),
        aggregated=st.booleans(),
        fan_out=st.sampled_from([[], ["reader"], ["a.b", "a-b"], ["b-stream"], ["r" * 128]]),
    )
    return table | draw(st.sampled_from([{}, {"mode": "provisioned", "shards": 3}, {"mode": "on-demand"}]))


@st.composite
def _bucket(draw: Callable[[Any], Any], name: str) -> Given:
    return _maybe(
        draw, {}, expire_days=st.integers(1, 3650), versioned=st.booleans(), physical_name=st.just(f"my.{name}")
    )


@st.composite
def _table(draw: Callable[[Any], Any]) -> Given:
    sorts = {"sort_key": "day", "sort_key_type": draw(st.sampled_from("SNB"))}
    return draw(st.sampled_from([{}, sorts])) | _maybe(
        draw, {"partition_key": "customer"}, partition_key_type=st.sampled_from("SNB"),
        expires_attribute=st.just("until"),
    )  # fmt: skip


@st.composite
def _network(draw: Callable[[Any], Any]) -> Given:
    if draw(st.booleans()):
        return {
            "vpc_id": "vpc-0123456789abcdef0",
            "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
            "existing_endpoints": [],
            "xray_endpoint": draw(st.booleans()),
            **draw(
                st.sampled_from(
                    [
                        {"route_table_ids": ["rtb-0123456789abcdef0"]},
                        {"route_table_ids": ["rtb-0123456789abcdef0"], "existing_endpoints": ["sqs"]},
                        {"existing_endpoints": ["dynamodb", "s3", "kinesis-streams"]},
                    ]
                )
            ),
        }
    return _maybe(
        draw, {}, cidr=st.sampled_from(["10.0.0.0/16", "192.168.0.0/24"]), zones=st.integers(1, 6),
        flow_log_days=st.sampled_from(LOG_DAYS),
    )  # fmt: skip


@st.composite
def _consumer(draw: Callable[[Any], Any], streams: list[str], bucket: str, table: str, *, in_network: bool) -> Given:
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
    letters = ["queue", "none", f"bucket:{bucket}", f"bucket:{bucket}/dead/", *(f"stream:{name}" for name in others)]
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
        uses=st.lists(st.sampled_from(_uses(streams, bucket, table)), max_size=3, unique_by=str),
    )
    if kind.startswith("stream"):
        _maybe(draw, consumer, fan_out=st.booleans())
    if in_network:
        reach = {"security_group": "sg-0123456789abcdef0", "port": 5432, "why": "the database of orders"}
        _maybe(draw, consumer, reaches=st.sampled_from([[], [reach]]))
        if "reaches" not in consumer:
            _maybe(draw, consumer, vpc=st.booleans())
    return consumer


def _uses(streams: list[str], bucket: str, table: str) -> list[Given]:
    return [
        {
            "bucket": bucket,
            "actions": ["s3:PutObject", "s3:AbortMultipartUpload"],
            "prefix": "x/",
            "variable": "BUCKET",
        },
        {"bucket": bucket, "actions": ["s3:GetObject", "s3:ListBucket"]},
        {"table": table, "actions": ["dynamodb:UpdateItem"], "variable": "TABLE"},
        {"stream": streams[0], "actions": ["kinesis:PutRecords"], "variable": "STREAM"},
        {"stream": streams[0], "actions": ["kinesis:PutRecord", "kinesis:GetRecords", "kinesis:ListShards"]},
        {
            "arns": [f"arn:aws:secretsmanager:eu-west-1:{_ACCOUNT}:secret:database-AbCdEf"],
            "actions": ["secretsmanager:GetSecretValue"],
        },
    ]


@st.composite
def _mapping(draw: Callable[[Any], Any], kind: str) -> Given:
    top = {"queue": "body", "table": "dynamodb"}.get(kind, "data")
    filters = st.sampled_from([[], [{top: {"kind": ["order"]}}], [{top: {"n": [{"prefix": "c-"}, 7]}}, {top: ["x"]}]])
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
    if any(door.get("api_key") for door in table["streams"].values()):
        _maybe(draw, table, producers=_names(_PRODUCERS, least=1), keys_per_day=st.integers(1, 1000))
    _maybe(
        draw,
        table,
        stage=st.sampled_from(["v1", "prod-2"]),
        requests_per_second=st.integers(1, 10_000),
        burst=st.integers(1, 5000),
        tracing=st.booleans(),
        web_acl=st.just(True),
        manage_log_role=st.booleans(),
    )
    if draw(st.booleans()):
        own = {"private": True, "vpc_endpoint_id": "vpce-0123456789abcdef0"}
        table |= {"private": True, "callers": ["sg-0123456789abcdef0"]} if in_network and draw(st.booleans()) else own
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
                {
                    "who": "lambda",
                    "function_arn": f"arn:aws:lambda:eu-west-1:{_ACCOUNT}:function:door",
                    "function_sees": "request",
                    "cache_seconds": 0,
                },
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
    if draw(st.booleans()):
        return {"enabled": False}
    return _maybe(
        draw, {}, enabled=st.just(True), warn=topics, page=topics, periods=st.integers(3, 60), datapoints=st.integers(1, 3),
    )  # fmt: skip
