"""Compiled templates write what airspeed writes, whatever comes; and what is not built is refused when it is loaded."""

from __future__ import annotations

import json
import re
from binascii import a2b_base64, b2a_base64
from typing import TYPE_CHECKING, Any

import airspeed
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.core.envelope import open_envelope, seal
from kstream.ingest.api import IngestStream, Unlocked
from kstream.ingest.contract import KEPT_CHARACTERS, KEPT_HEADERS, MOST_ENVELOPE_BYTES
from kstream.ingest.engine.velocity import Template, TemplateError
from kstream.ingest.engine.velocity.objects import Input, base64_encode, escape_javascript
from kstream.ingest.openapi import templates
from tests.support.attacks import partition_keys, trace_headers

if TYPE_CHECKING:
    from collections.abc import Callable

STREAM = IngestStream(name="orders", locks=(Unlocked(),))
WITH_ORIGINS = IngestStream(
    name="clicks", locks=(Unlocked(),), cors_origins=("https://a.example", "https://b.example"), key_required=True
)
IN_ENVELOPES = IngestStream(name="traced", locks=(Unlocked(),), envelope=True)
REQUESTS = {
    name: (Template(text, name=name), airspeed.Template(text))
    for name, text in {
        f"{make.__name__} of {stream.name}": make(stream)
        for stream in (STREAM, WITH_ORIGINS, IN_ENVELOPES)
        for make in (templates.put_text, templates.put_binary, templates.put_batch)
    }.items()
}
RESPONSES = {
    name: (Template(text, name=name), airspeed.Template(text))
    for name, text in {
        f"{name} of {stream.name}": text
        for stream in (STREAM, WITH_ORIGINS)
        for name, text in {
            "answer_record": templates.answer_record(stream),
            "answer_batch": templates.answer_batch(stream),
            "refused": templates.refused(stream, batch=False),
            "refused batch": templates.refused(stream, batch=True),
            "failed": templates.failed(stream),
        }.items()
    }.items()
}
TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(partition_keys(500))
HEADERS = st.dictionaries(
    st.sampled_from(["x-partition-key", "content-type", "origin"]).flatmap(
        lambda name: st.sampled_from([name, name.title(), name.capitalize(), name.upper()])
    ),
    TEXT | st.sampled_from(["application/octet-stream", "https://a.example", "https://b.example"]),
)
TRACE_NAMES = st.sampled_from(["traceparent", "tracestate", "x-amzn-trace-id"]).flatmap(
    lambda name: st.sampled_from([name, name.title(), name.capitalize(), name.upper(), name.title().swapcase()])
)
TRACE_HEADERS = st.dictionaries(
    TRACE_NAMES | TEXT,
    TEXT
    | st.sampled_from(trace_headers(300))
    | st.sampled_from(["a" * 128, "a" * 129, "b" * 256, "b" * 257, "c" * 512, "c" * 513]),
)
RECORD = st.fixed_dictionaries({}, optional={"data": TEXT, "dataBase64": TEXT, "partitionKey": TEXT})
ANSWER = st.fixed_dictionaries(
    {},
    optional={
        "ErrorCode": st.sampled_from(["ProvisionedThroughputExceededException", "InternalFailure", ""]) | TEXT,
        "ErrorMessage": TEXT,
        "SequenceNumber": TEXT,
        "ShardId": TEXT,
    },
)


class Util:
    escapeJavaScript = staticmethod(escape_javascript)  # noqa: N815 - Amazon's name
    base64Encode = staticmethod(base64_encode)  # noqa: N815 - Amazon's name


def variables(body: str, headers: dict[str, str]) -> dict[str, Any]:
    return {
        "input": Input(body, {"path": {}, "querystring": {}, "header": headers}),
        "context": {"requestId": "r-1", "responseOverride": {"status": None, "header": {}}},
        "util": Util(),
    }


def both(name: str, pair: tuple[Template, airspeed.Template], body: str, headers: dict[str, str]) -> tuple[str, Any]:
    """What is written and overridden, once both agree on it."""
    ours, theirs = variables(body, headers), variables(body, headers)
    compiled, reference = pair
    written = compiled.render(ours)
    assert written == reference.merge(theirs), name
    assert ours["context"] == theirs["context"]
    return written, ours["context"]["responseOverride"]


@pytest.mark.parametrize("name", REQUESTS)
@given(body=TEXT, headers=HEADERS, records=st.lists(RECORD, max_size=5))
def test_request_templates_write_what_airspeed_writes(
    name: str, body: str, headers: dict[str, str], records: list[dict[str, str]]
) -> None:
    """And it is JSON, for the one stream, with one record for each."""
    given_body = json.dumps({"records": records}, ensure_ascii=False) if "batch" in name else body
    written, _ = both(name, REQUESTS[name], given_body, headers)
    request = json.loads(written)
    assert request["StreamName"] == name.rpartition(" ")[2]
    if "batch" in name:
        assert set(request) == {"StreamName", "Records"}
        assert len(request["Records"]) == (1 if not records or "\ufffd" in given_body else len(records))
        assert all(set(record) == {"Data", "PartitionKey"} for record in request["Records"])
    else:
        assert set(request) == {"StreamName", "Data", "PartitionKey"}


@given(headers=TRACE_HEADERS, records=st.lists(st.binary(max_size=20), min_size=1, max_size=5), key=TEXT)
def test_the_envelope_is_the_one_that_a_consumer_reads(headers: dict[str, str], records: list[bytes], key: str) -> None:
    """Byte for byte ``envelope.seal``'s, but for blanks that fill it up; whatever the headers are, by either engine."""
    kept: dict[str, str] = {}
    for name, most in KEPT_HEADERS.items():
        for spelled in (name.title(), name.capitalize(), name.upper(), name):
            if re.fullmatch(f"{KEPT_CHARACTERS}{{1,{most}}}", headers.get(spelled, "")):
                kept[name] = headers[spelled]
    single = {"content-type": "application/octet-stream", "x-partition-key": key or "k"}
    bodies = {
        "put_binary of traced": (base64_of(records[0]) or "{}", headers | single, records[:1]),
        "put_batch of traced": (
            json.dumps({"records": [{"dataBase64": base64_of(data)} for data in records]}), headers, records,
        ),
    }  # fmt: skip
    for name, (body, given_headers, payloads) in bodies.items():
        written, _ = both(name, REQUESTS[name], body, given_headers)
        request = json.loads(written)
        for put, payload in zip(request.get("Records", [request]), payloads, strict=True):
            sealed = a2b_base64(put["Data"], strict_mode=True)
            assert open_envelope(sealed) == (kept, payload)
            assert sealed.replace(b" ", b"") == seal(payload, kept).replace(b" ", b"")
            assert len(sealed) - len(payload) <= MOST_ENVELOPE_BYTES


@pytest.mark.parametrize("spelled", [str.lower, str.title, str.capitalize, str.upper])
def test_headers_are_found_as_clients_spell_them(spelled: Callable[[str], str]) -> None:
    """API Gateway has names as they were sent, and Python's urllib sends X-partition-key and Content-type: a key that is
    not found would scatter its records without a word."""
    headers = {spelled("x-partition-key"): "c-7", spelled("content-type"): "application/octet-stream"}
    for name, body in (("put_binary of orders", "eA=="), ("put_text of orders", "x"), ("put_text of clicks", "x")):
        request = json.loads(both(name, REQUESTS[name], body, headers)[0])
        assert (request["Data"], request["PartitionKey"]) == ("eA==", "c-7")


def test_the_longest_envelope_is_what_is_said_of_it() -> None:
    headers = {name: "~" * most for name, most in KEPT_HEADERS.items()}
    written, _ = both("put_text of traced", REQUESTS["put_text of traced"], "x", headers)
    sealed = a2b_base64(json.loads(written)["Data"], strict_mode=True)
    assert open_envelope(sealed) == (headers, b"x")
    assert MOST_ENVELOPE_BYTES * 0.9 < len(sealed) <= MOST_ENVELOPE_BYTES


def base64_of(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()


@pytest.mark.parametrize("name", RESPONSES)
@given(
    answers=st.lists(ANSWER, max_size=5),
    failed=st.integers(0, 5),
    kind=TEXT | st.sampled_from(["ValidationException", "LimitExceededException", "x#ResourceNotFoundException"]),
    message=st.none() | TEXT | st.just("Record data size 7 exceeds the stream's max record size of 5 bytes"),
    headers=HEADERS,
)
def test_response_templates_write_what_airspeed_writes(
    name: str, answers: list[dict[str, str]], failed: int, kind: str, message: str | None, headers: dict[str, str]
) -> None:
    body = {"FailedRecordCount": failed, "Records": answers, "__type": kind, "SequenceNumber": kind, "ShardId": kind}
    if message is not None:
        body["message"] = message
    both(name, RESPONSES[name], json.dumps(body, ensure_ascii=False), headers)


def test_records_that_are_too_large_together_are_413_and_not_said_to_be_wrong_each() -> None:
    """What PutRecords answered with 5 MB to a request, in issues of its clients; it takes 10 MiB now."""
    body = {"__type": "InvalidArgumentException", "message": "Records size exceeds 5 MB limit"}
    written, override = both("refused batch of orders", RESPONSES["refused batch of orders"], json.dumps(body), {})
    assert override["status"] == 413
    assert json.loads(written)["error"]["code"] == "TooLarge"
    assert "smaller batches" in json.loads(written)["error"]["message"]


def test_a_request_of_500_records_and_one_of_501() -> None:
    name = "put_batch of orders"
    for count, expected in ((500, 500), (501, 1), (1500, 1)):
        body = json.dumps({"records": [{"data": "x"}] * count})
        request = json.loads(both(name, REQUESTS[name], body, {})[0])
        assert len(request["Records"]) == expected
    assert request["Records"] == [{"Data": "", "PartitionKey": ""}]  # which Kinesis refuses


def test_a_group_may_stand_in_a_replacement() -> None:
    """``$1``, as Java has it."""
    template = Template("$input.body.replaceAll('a([0-9])b', '<$1>')")
    assert template.render(variables("a7b a8b", {})).strip() == "<7> <8>"


@pytest.mark.parametrize(
    "text",
    [
        "#parse('x')",
        "#include('x')",
        "#macro(m)x#end",
        "#define($x)y#end",
        "#evaluate('$x')",
        "#stop",
        "#return('x')",
        "$util.urlEncode('x')",
        "$util.parseJson('{}')",
        "$util",
        "$input.body.replaceAll('a','$12')",
        "$input.body.replaceAll($x,'b')",
        "$input.body.substring(1)",
        "$input.body.getClass()",
        "$x[0]",
        "${x|'y'}",
        "#set($x[0] = 1)",
        "#set($x = {})",
        "#set($x = [1..2])",
        "#if($x * 2 == 4)y#end",
        "#if($x",
        "#foreach($x in $y)",
    ],
)
def test_what_is_not_built_is_refused_when_it_is_loaded(text: str) -> None:
    with pytest.raises(TemplateError):
        Template(text)


@pytest.mark.parametrize(
    "text", ["$input.params()", "$context.requestId.name", "#foreach($x in $context)y#end", "#if($input.body > 1)y#end"]
)
def test_what_cannot_be_done_fails_while_it_runs(text: str) -> None:
    with pytest.raises(TemplateError):
        Template(text).render(variables("x", {}))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a $nobody b ${nobody.of.that.name} c", "a  b  c"),
        ("$input.path('$.nothing').more.than.that", ""),
        ("#if($nobody)yes#{else}no#end", "no"),
        ("#if(!$nobody)yes#{else}no#end", "yes"),
        ("#if($input.path('$.empty'))yes#{else}no#end", "yes"),  # in Velocity 1.7 an empty string is true
        ("#if(false || $input.path('$.no'))yes#elseif(true && 1 < 2)or#{else}no#end", "or"),
        ("#set($x = 1)#set($x = $nobody)$x", "1"),
        ("#set($x = 'a')#foreach($y in [1, 2])#set($x = $y + 1)#end$x$!y", "3"),
        ("#foreach($x in ['a', 'b'])$foreach.index$foreach.count$x#if($foreach.hasNext),#end#end", "01a,12b"),
        ("#set($x = \"$input.path('$.one') and ${context.requestId}\")$x", "1 and r-1"),
        (
            "$input.json('$.list') $input.json('$.no') $input.json('$')",
            '[1,true] "" {"one":1,"empty":"","list":[1,true]}',
        ),
        ("$input.params('q')$input.params('h')$input.params('none')", "query" + "header"),
        ("#set($context.responseOverride.header.Retry-After = '1')$context.responseOverride.header.Retry-After", "1"),
        ("## a comment\n#* another *#x", "x"),
    ],
)
def test_velocity_as_it_is_built(text: str, written: str) -> None:
    given_variables = variables('{"one":1,"empty":"","list":[1,true]}', {})
    given_variables["input"] = Input(
        '{"one":1,"empty":"","list":[1,true]}', {"path": {}, "querystring": {"q": "query"}, "header": {"h": "header"}}
    )
    assert Template(text).render(given_variables) == written


def test_a_loop_ends_after_1000_turns() -> None:
    """As API Gateway's does; so nothing that loops may go by how long a request is."""
    body = json.dumps({"list": ["x"] * 1001})
    assert Template("#foreach($x in $input.path('$.list'))$x#end").render(variables(body, {})) == "x" * 1000


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("it's", r"it\'s"),
        ('a"b\\c/d', r"a\"b\\c\/d"),
        ("\n\t\r\b\f\x00\x1f", r"\n\t\r\b\f\u0000\u001F"),
        ("é\u2028😀", r"\u00E9\u2028\uD83D\uDE00"),
        ("\\u00e9", r"\\u00e9"),
        ("\x7f<>&", "\x7f<>&"),
    ],
)
def test_escape_javascript_is_amazons(text: str, escaped: str) -> None:
    assert escape_javascript(text) == escaped


@given(TEXT)
def test_what_is_escaped_and_rid_of_its_apostrophes_is_json(text: str) -> None:
    written = Template('"$util.escapeJavaScript($input.body).replaceAll("\\\\\'","\'")"').render(variables(text, {}))
    assert json.loads(written) == (text or "{}")
