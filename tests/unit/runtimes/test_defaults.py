"""Ledger and dead letters from the settings, for consumers that name none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.consumer import Consumer
from kstream.core.errors import ConfigurationError
from kstream.runtimes.defaults import dead_letters_of, ledger_of, with_defaults
from kstream.settings import Settings
from kstream.stores.memory import MemoryDeadLetters, MemoryLedger
from tests.support.processing import Inline, Script, processor_of

if TYPE_CHECKING:
    from pathlib import Path


def consumer(**policies: Any) -> Consumer:
    return Consumer(Inline(Script()), name="mine", **policies)


def test_without_settings_a_consumer_stays_as_it_is() -> None:
    given = consumer()
    assert with_defaults(given, Settings()) is given


def test_what_a_consumer_names_itself_stays(tmp_path: Path) -> None:
    ledger, letters = MemoryLedger(), MemoryDeadLetters()
    given = consumer(ledger=ledger, dead_letters=letters)
    completed = with_defaults(given, Settings(ledger=f"sqlite:{tmp_path}/l", dead_letters=f"dir:{tmp_path}"))
    assert (completed.ledger, completed.dead_letters) == (ledger, letters)


def test_what_it_leaves_open_comes_from_the_settings(tmp_path: Path) -> None:
    from kstream.stores.directory import DirectoryDeadLetters
    from kstream.stores.sqlite import SQLiteLedger

    given = consumer(ordering="none", max_workers=3)
    settings = Settings(ledger=f"sqlite:{tmp_path}/l.db", dead_letters=f"dir:{tmp_path}/letters")
    completed = with_defaults(given, settings)
    assert isinstance(completed.ledger, SQLiteLedger)
    assert isinstance(completed.dead_letters, DirectoryDeadLetters)
    assert (completed.name, completed.ordering, completed.max_workers) == ("mine", "none", 3)
    assert isinstance(with_defaults(given, Settings(ledger=settings.ledger)).ledger, SQLiteLedger)


@pytest.mark.parametrize("policies", [{"mode": "full"}, {"save_every": 3}])
def test_a_ledger_from_the_settings_is_written_as_the_consumer_says(tmp_path: Path, policies: Any) -> None:
    given = consumer(**policies)
    completed = with_defaults(given, Settings(ledger=f"sqlite:{tmp_path}/l.db"))
    assert (completed.mode, completed.save_every) == (given.mode, given.save_every)
    processor_of(completed).close()


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("sqs:https://sqs.us-east-1.amazonaws.com/0/q", "SQSDeadLetters"),
        ("s3:bucket/some/prefix", "S3DeadLetters"),
        ("s3:bucket", "S3DeadLetters"),
        ("kinesis:parked", "KinesisDeadLetters"),
    ],
)
def test_sinks_in_aws_are_named_by_kind(setting: str, name: str) -> None:
    assert type(dead_letters_of(setting)).__name__ == name


def test_a_ledger_in_aws_is_named_by_its_table() -> None:
    assert type(ledger_of("dynamodb:ledger")).__name__ == "DynamoDBLedger"


@pytest.mark.parametrize("setting", ["", "sqlite", "sqlite:", "dynamodb:", "redis:x", "/a/path", "dir:x"])
def test_a_ledger_setting_that_is_none_is_refused(setting: str) -> None:
    with pytest.raises(ConfigurationError, match=r"KSTREAM_LEDGER='.*': give sqlite:PATH or dynamodb:TABLE"):
        ledger_of(setting)


@pytest.mark.parametrize("setting", ["", "dir", "dir:", "sqs:", "s3:", "kinesis:", "sns:x", "sqlite:x"])
def test_a_dead_letter_setting_that_is_none_is_refused(setting: str) -> None:
    with pytest.raises(ConfigurationError, match=r"KSTREAM_DEAD_LETTERS='.*': give dir:PATH"):
        dead_letters_of(setting)


def test_the_settings_are_read_from_the_environment_and_empty_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.from_environment() == Settings()
    for name in ("AWS_LAMBDA_FUNCTION_NAME", "KSTREAM_LEDGER", "KSTREAM_DEAD_LETTERS"):
        monkeypatch.setenv(name, "")
    assert Settings.from_environment() == Settings()
    for name in ("AWS_LAMBDA_FUNCTION_NAME", "KSTREAM_LEDGER", "KSTREAM_DEAD_LETTERS"):
        monkeypatch.setenv(name, "x")
    assert Settings.from_environment() == Settings(in_lambda=True, ledger="x", dead_letters="x", service="x")
