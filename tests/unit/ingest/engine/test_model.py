"""Models: the compiled validator and jsonschema agree, and what is wrong is told by its place."""

from __future__ import annotations

import json
from typing import Any

import fastjsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.ingest.contract import PARTITION_KEY
from kstream.ingest.engine.model import Model, NotOfTheModel, deciding
from kstream.ingest.openapi import models
from tests.support.attacks import partition_keys

SCHEMAS = [
    models.batch(key_required=required, published=published)
    for required in (False, True)
    for published in (False, True)
]
TEXT = (
    st.text()
    | st.sampled_from(partition_keys(500))
    | st.sampled_from(["eA==", "e=", "=", "eA==\n", "k" * 257, "\ud800"])
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
RECORD = st.fixed_dictionaries({}, optional=dict.fromkeys(("data", "dataBase64", "partitionKey", "x"), TEXT | JSON))
DOCUMENT = (
    st.fixed_dictionaries({"records": st.lists(RECORD, max_size=4)}) | JSON | st.fixed_dictionaries({"records": JSON})
)


@pytest.mark.parametrize("schema", SCHEMAS)
@given(document=DOCUMENT)
def test_the_compiled_validator_accepts_what_jsonschema_accepts_and_nothing_else(
    schema: dict[str, Any], document: Any
) -> None:
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", **schema}
    try:
        fastjsonschema.compile(schema, use_default=False, detailed_exceptions=False)(document)
        accepted = True
    except fastjsonschema.JsonSchemaValueException:
        accepted = False
    assert accepted == deciding(schema).is_valid(document)


@pytest.mark.parametrize("key", ["0\n", "\n", "a\nb", "k\r\n"])
def test_no_line_feed_ends_a_partition_key(key: str) -> None:
    """Python's ``$`` would let one pass."""
    model = Model(models.batch(key_required=False, published=False))
    with pytest.raises(NotOfTheModel, match=r"records\[0\]\.partitionKey does not keep pattern"):
        model.document(json.dumps({"records": [{"data": "", "partitionKey": key}]}))


@given(
    st.lists(st.fixed_dictionaries({"data": st.text(), "partitionKey": st.from_regex(PARTITION_KEY, fullmatch=True)}))
)
def test_a_document_is_the_json_that_it_was(records: list[Any]) -> None:
    text = json.dumps({"records": records})
    assert Model(SCHEMAS[0]).document(text) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is not JSON"),
        ("[" * 100_000, "it is nested too deeply"),
        ("\ufeff{}", "it is not JSON"),
        ('{"records":[{"data":"x"}],"a":NaN}', "NaN is no JSON number"),
        ("9" * 5000, "it is not JSON"),
        ("null", "it does not keep type"),
        ('{"records":[],"StreamName":"x"}', "it does not keep additionalProperties"),
        ('{"records":[{"data":"\\ud800"}]}', "half a surrogate pair"),
        (
            '{"records":[{"data":"x"},{"data":"x","partition_key":"k"}]}',
            "records[1] does not keep additionalProperties",
        ),
        ('{"records":[{"data":"x"},{}]}', "records[1]"),
        ('{"records":[{"data":"x","partitionKey":""}]}', "records[0].partitionKey does not keep minLength 1"),
    ],
)
def test_what_is_wrong_is_told_by_its_place(text: str, says: str) -> None:
    with pytest.raises(NotOfTheModel) as caught:
        Model(SCHEMAS[0]).document(text)
    assert says in str(caught.value)


@given(st.text(min_size=1))
def test_nothing_of_the_body_is_quoted(secret: str) -> None:
    """The message goes to whoever sent it, and to their logs."""
    document = {"records": [{"data": "x", "partitionKey": 'SECRET"' + secret}]}
    with pytest.raises(NotOfTheModel) as caught:
        Model(SCHEMAS[0]).document(json.dumps(document))
    assert "SECRET" not in str(caught.value)


def test_of_many_mistakes_the_first_is_told_and_no_other_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mebibyte holds half a million of them, and each one's error would be made in turn."""
    from jsonschema import ValidationError

    made: list[object] = []
    initialize = ValidationError.__init__

    def counting(self: Any, *arguments: Any, **named: Any) -> None:
        made.append(self)
        initialize(self, *arguments, **named)

    monkeypatch.setattr(ValidationError, "__init__", counting)
    with pytest.raises(NotOfTheModel, match=r"^records\[1\] does not keep type"):
        Model(SCHEMAS[0]).document('{"records":[{"data":""},' + ",".join(["1"] * 500_000) + "]}")
    assert len(made) < 10


def test_the_last_of_many_records_may_be_the_one_that_is_wrong() -> None:
    with pytest.raises(NotOfTheModel, match=r"^records\[999\]\.data does not keep type"):
        Model(SCHEMAS[0]).document('{"records":[' + '{"data":""},' * 999 + '{"data":1}]}')


def test_what_no_template_can_loop_over_is_not_judged_but_counted() -> None:
    """The template refuses so many; to judge 800,000 of them before took seconds."""
    document = Model(SCHEMAS[0]).document('{"records":[' + '{"data":""},' * 1_000 + '{"data":1}]}')
    assert len(document["records"]) == 1_001
    assert document["records"][-1] == {"data": 1}


def test_no_pattern_is_tried_on_what_is_too_long_anyway() -> None:
    """It would take a hundred bytes for each character."""
    with pytest.raises(NotOfTheModel, match="does not keep maxLength 3"):
        Model({"type": "string", "pattern": "^a$", "maxLength": 3}).document('"bbbb"')


@pytest.mark.parametrize("opening", ['{"records":', '{"records":[{"data":', '{"records":[{"x\\u0061":'])
@pytest.mark.parametrize("depth", [*range(400, 1000, 50), *range(970, 1000), 5_000])
def test_a_body_nested_however_deeply_is_refused_as_one(opening: str, depth: int) -> None:
    """jsonschema's errors show the value, and Python cannot show it if it is nested deeply."""
    closing = "}" if opening.endswith('records":') else "}]}"
    with pytest.raises(NotOfTheModel, match=r"does not keep|nested too deeply"):
        Model(SCHEMAS[0]).document(opening + "[" * depth + "]" * depth + closing)
