"""Trace headers: what is sound is understood, what is not is nothing, and both forms say the same."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kstream.telemetry.trace_context import TraceContext

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT_ID = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"
AMZN = f"Root=1-{TRACE_ID[:8]}-{TRACE_ID[8:]};Parent={PARENT_ID};Sampled=1"
SAID = TraceContext(TRACE_ID, PARENT_ID, sampled=True)

HEX = "0123456789abcdef"
TRACE_IDS = st.text(HEX, min_size=32, max_size=32).filter(lambda text: text.strip("0"))
PARENT_IDS = st.text(HEX, min_size=16, max_size=16).filter(lambda text: text.strip("0"))
CONTEXTS = st.builds(TraceContext, TRACE_IDS, parent_id=st.none() | PARENT_IDS, sampled=st.none() | st.booleans())


@given(CONTEXTS)
def test_what_is_written_for_xray_is_read_again(context: TraceContext) -> None:
    assert TraceContext.from_amzn(context.amzn_trace_id) == context


@given(TRACE_IDS, PARENT_IDS, st.booleans())
def test_what_is_written_as_traceparent_is_read_again_and_converts_to_xray_and_back(
    trace_id: str, parent_id: str, sampled: bool
) -> None:
    context = TraceContext(trace_id, parent_id, sampled)
    assert context.traceparent is not None
    assert TraceContext.from_traceparent(context.traceparent) == context
    through_xray = TraceContext.from_amzn(context.amzn_trace_id)
    assert through_xray is not None
    assert through_xray.traceparent == context.traceparent
    assert TraceContext.from_headers(context.headers()) == context


@given(CONTEXTS, st.randoms())
def test_the_case_of_a_headers_name_means_nothing(context: TraceContext, random: object) -> None:
    headers = {
        "".join(getattr(random, "choice")([letter.upper(), letter.lower()]) for letter in name): value  # noqa: B009
        for name, value in context.headers().items()
    }
    assert TraceContext.from_headers(headers) == TraceContext.from_headers(context.headers())


@given(CONTEXTS, st.data())
def test_xrays_fields_may_come_in_any_order_among_unknown_ones(context: TraceContext, data: st.DataObject) -> None:
    fields = [*context.amzn_trace_id.split(";"), "Self=1-67891234-12456789abcdef012345678", "Lineage=25:a87bd80c:1"]
    assert TraceContext.from_amzn(";".join(data.draw(st.permutations(fields)))) == context


@pytest.mark.parametrize(
    "value",
    [
        "",
        "00",
        TRACEPARENT.upper(),
        TRACEPARENT + "-",
        TRACEPARENT + "-more",
        TRACEPARENT[:-1],
        f"ff-{TRACE_ID}-{PARENT_ID}-01",
        f"0g-{TRACE_ID}-{PARENT_ID}-01",
        f"00-{'0' * 32}-{PARENT_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID[1:]}-{PARENT_ID}-01",
        f"00-{TRACE_ID}-{PARENT_ID}-0x",
        f"01-{TRACE_ID}-{PARENT_ID}-01more",
        f"{TRACEPARENT},{TRACEPARENT}",
        f"{TRACEPARENT}\n",
        "01-" + TRACEPARENT[3:] + "-" + "x" * 10_000,
    ],
)
def test_what_is_no_traceparent(value: str) -> None:
    assert TraceContext.from_traceparent(value) is None


def test_of_a_later_version_what_the_first_one_has_is_understood() -> None:
    assert TraceContext.from_traceparent(f"cc-{TRACE_ID}-{PARENT_ID}-01") == SAID
    assert TraceContext.from_traceparent(f"cc-{TRACE_ID}-{PARENT_ID}-01-what the future will bring") == SAID


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("02", False), ("03", True), ("ff", True)])
def test_one_bit_of_the_flags_says_sampled(flags: str, sampled: bool) -> None:
    context = TraceContext.from_traceparent(f"00-{TRACE_ID}-{PARENT_ID}-{flags}")
    assert context is not None
    assert context.sampled is sampled


@pytest.mark.parametrize(
    "value",
    [
        "",
        ";;;",
        "Sampled=1",
        f"Parent={PARENT_ID};Sampled=1",
        f"Root={TRACE_ID}",
        f"Root=2-{TRACE_ID[:8]}-{TRACE_ID[8:]}",
        f"Root=1-{TRACE_ID[:8]}-{TRACE_ID[8:]}0",
        f"Root=1-00000000-{'0' * 24}",
        AMZN.replace("Sampled=1", "Sampled=yes"),
        AMZN.replace(PARENT_ID, PARENT_ID[1:]),
        AMZN.replace(PARENT_ID, "0" * 16),
        AMZN + ";Parent=53995c3f42cd8ad8",
        AMZN + ";" + "x" * 10_000,
    ],
)
def test_what_is_no_trace_of_xrays(value: str) -> None:
    assert TraceContext.from_amzn(value) is None


def test_xray_may_know_the_trace_alone_and_leave_open_whether_it_is_sampled() -> None:
    root = f"Root=1-{TRACE_ID[:8]}-{TRACE_ID[8:]}"
    assert TraceContext.from_amzn(root) == TraceContext(TRACE_ID)
    assert TraceContext.from_amzn(root + ";Sampled=?") == TraceContext(TRACE_ID)
    assert TraceContext.from_amzn(root + ";Sampled=0") == TraceContext(TRACE_ID, sampled=False)
    assert TraceContext.from_amzn(root.upper().replace("ROOT", "Root")) == TraceContext(TRACE_ID)
    assert TraceContext(TRACE_ID).headers() == {"X-Amzn-Trace-Id": root}


def test_traceparent_comes_first_unless_it_is_garbage() -> None:
    other = f"Root=1-{TRACE_ID[:8]}-{TRACE_ID[8:]};Parent=53995c3f42cd8ad8"
    assert TraceContext.from_headers({"X-Amzn-Trace-Id": other, "traceparent": TRACEPARENT}) == SAID
    assert TraceContext.from_headers({"X-Amzn-Trace-Id": AMZN, "traceparent": "garbage"}) == SAID
    assert TraceContext.from_headers({"content-type": "text/plain"}) is None
    assert TraceContext.from_headers({}) is None


@given(st.text(), st.text())
@example("00-" + "0" * 60, "Root==;;=")
@example("٣" * 55, "Root=1-٣٣٣٣٣٣٣٣-" + "٣" * 24)
def test_garbage_is_nothing_and_no_error(one: str, other: str) -> None:
    assert TraceContext.from_headers({"traceparent": one, "x-amzn-trace-id": other}) is None


@pytest.mark.parametrize(
    ("trace_id", "parent_id"),
    [("0" * 32, PARENT_ID), (TRACE_ID.upper(), PARENT_ID), (TRACE_ID, "0" * 16), (TRACE_ID, "")],
)
def test_a_context_is_not_made_of_ids_that_are_none(trace_id: str, parent_id: str) -> None:
    with pytest.raises(ValueError, match="hex digits"):
        TraceContext(trace_id, parent_id)
