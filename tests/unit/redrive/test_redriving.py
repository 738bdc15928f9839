"""The run over a source: every item once, whatever was left by the run before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.errors import DeadLetterError
from kstream.redrive.destination import Refused, Sent, Unit, Unknown, Work
from kstream.redrive.directory_source import DirectorySource
from kstream.redrive.file_source import FileSource
from kstream.redrive.journal import WHOLE, Journal
from kstream.redrive.redriving import Redriving, Verdict, Wishes
from kstream.redrive.selection import Selection
from kstream.stores.directory import DirectoryDeadLetters
from kstream.testing.clock import VirtualClock
from tests.unit.redrive.builders import PARKED_AT, golden, letter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kstream.core.dead_letter import DeadLetter
    from kstream.redrive.destination import Result
    from kstream.redrive.on_failure import OnFailureMessage
    from kstream.redrive.redriving import Report
    from kstream.redrive.source import Source

ALL = Selection()


class Noting:
    """A destination that answers what it is told to, by partition key, and notes what it was sent."""

    name = "stream s"
    doubtful = True

    def __init__(self, **results: Result) -> None:
        self.results = results
        self.sent: list[str] = []
        self.gone = 0

    def objection(self, letter: DeadLetter) -> str | None:
        return None

    def letter(self, letter: DeadLetter) -> Work:
        return Work([self._unit("", letter.record.partition_key)])

    def message(self, message: OnFailureMessage) -> Work:
        return Work([self._unit(name, name) for name in ("one", "two")], self.gone)

    def close(self) -> None:
        pass

    def _unit(self, name: str, key: str) -> Unit:
        def send() -> Result:
            self.sent.append(key)
            return self.results.get(key, Sent("shard:1"))

        return Unit(name, send)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "redrive.sqlite", VirtualClock(PARKED_AT.timestamp() + 1000)) as journal:
        yield journal


@pytest.fixture
def source(tmp_path: Path) -> DirectorySource:
    sink = DirectoryDeadLetters(tmp_path / "letters")
    for number, key in enumerate("abc"):
        sink.put(letter(number, key=key))
    return DirectorySource(tmp_path / "letters")


def run(
    source: Source, destination: Any, journal: Journal, selection: Selection = ALL, **wishes: Any
) -> dict[str, Verdict]:
    reports = Redriving(source, destination, journal, Wishes(**wishes)).run(selection)
    return {_key(report): report.verdict for report in reports}


def _key(report: Report) -> str:
    content: Any = report.item.content
    return content.record.partition_key if hasattr(content, "record") else report.item.key.split(".")[0]


def test_what_is_sent_is_deleted_and_what_fails_stays(source: DirectorySource, journal: Journal) -> None:
    destination = Noting(b=Refused("no"))

    verdicts = run(source, destination, journal)

    assert verdicts == {"a": Verdict.REDRIVEN, "b": Verdict.FAILED, "c": Verdict.REDRIVEN}
    assert run(source, Noting(), journal) == {"b": Verdict.REDRIVEN}
    assert run(source, Noting(), journal) == {}


def test_a_dry_run_sends_deletes_and_writes_nothing(source: DirectorySource, journal: Journal, tmp_path: Path) -> None:
    destination = Noting()

    assert set(run(source, destination, journal, dry_run=True).values()) == {Verdict.WOULD}
    assert destination.sent == []
    assert source.count() == 3
    assert not (tmp_path / "redrive.sqlite").exists()


def test_a_limit_counts_what_is_tried(source: DirectorySource, journal: Journal) -> None:
    assert run(source, Noting(), journal, limit=2) == {"a": Verdict.REDRIVEN, "b": Verdict.REDRIVEN}


def test_only_what_is_selected_is_redriven(source: DirectorySource, journal: Journal) -> None:
    wanted = [item for item in source.items() if item.key.endswith(item.id)][1]

    assert run(source, Noting(), journal, Selection(frozenset([wanted.id]))) == {"b": Verdict.REDRIVEN}
    assert run(source, Noting(), journal, Selection(consumer="Nobody")) == {}
    assert run(source, Noting(), journal, Selection(reason="NEGATIVE")) == {
        "a": Verdict.REDRIVEN,
        "c": Verdict.REDRIVEN,
    }


def test_it_stops_between_items(source: DirectorySource, journal: Journal) -> None:
    destination = Noting()
    redriving = Redriving(source, destination, journal, Wishes())

    assert len(list(redriving.run(ALL, stopped=lambda: len(destination.sent) == 1))) == 1


def test_a_lost_answer_ends_the_run_and_is_not_put_again(source: DirectorySource, journal: Journal) -> None:
    destination = Noting(b=Unknown("timed out"))
    redriving = Redriving(source, destination, journal, Wishes())

    assert [report.verdict for report in redriving.run(ALL)] == [Verdict.REDRIVEN, Verdict.UNKNOWN]
    assert redriving.broken_off
    later = Noting()
    assert run(source, later, journal, dry_run=True)["b"] is Verdict.UNKNOWN
    assert run(source, later, journal) == {"b": Verdict.UNKNOWN, "c": Verdict.REDRIVEN}
    assert later.sent == ["c"]


@pytest.mark.parametrize(("unknown", "sent"), [("again", ["b"]), ("sent", [])])
def test_a_person_decides_what_is_not_known(
    source: DirectorySource, journal: Journal, unknown: str, sent: list[str]
) -> None:
    run(source, Noting(b=Unknown("timed out")), journal, limit=2)
    destination = Noting()

    assert run(source, destination, journal, limit=1, unknown=unknown) == {"b": Verdict.REDRIVEN}
    assert destination.sent == sent


def test_to_a_consumer_an_interrupted_replay_comes_again(source: DirectorySource, journal: Journal) -> None:
    for item in source.items():
        journal.start(source.name, item, "", "consumer c", doubtful=False)
    destination = Noting()

    run(source, destination, journal)

    assert destination.sent == ["a", "b", "c"]


def test_what_was_sent_is_only_deleted(source: DirectorySource, journal: Journal) -> None:
    for item in source.items():
        journal.sent(source.name, item, "", "stream s", "shard:1")
    assert run(source, destination := Noting(), journal) == dict.fromkeys("abc", Verdict.REDRIVEN)
    assert destination.sent == []
    assert source.count() == 0


def test_what_could_not_be_deleted_is_deleted_by_the_next_run(
    source: DirectorySource, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(item: Any) -> bool:
        raise DeadLetterError("read-only")

    with monkeypatch.context() as patch:
        patch.setattr(source, "delete", refuse)
        (report, *_) = Redriving(source, Noting(), journal, Wishes()).run(ALL)
    assert (report.verdict, "the next run will only delete it" in report.detail) == (Verdict.FAILED, True)
    destination = Noting()

    assert set(run(source, destination, journal).values()) == {Verdict.ALREADY}
    assert destination.sent == []


def test_a_letter_of_a_later_failure_is_redriven_anew(
    source: DirectorySource, journal: Journal, tmp_path: Path
) -> None:
    run(source, Noting(), journal)
    DirectoryDeadLetters(tmp_path / "letters").put(letter(0, key="a", later=2000))

    assert run(source, Noting(), journal) == {"a": Verdict.REDRIVEN}


def test_a_letter_that_fails_elsewhere_meanwhile_is_not_lost(
    source: DirectorySource, journal: Journal, tmp_path: Path
) -> None:
    """Its runtime delivered it again, and parked it again, while it was redriven here."""
    sink = DirectoryDeadLetters(tmp_path / "letters")

    class Meanwhile(Noting):
        def letter(self, given: DeadLetter) -> Work:
            sink.put(replace(given, last_attempt_at=letter(later=2000).last_attempt_at))
            return super().letter(given)

    reports = list(Redriving(source, Meanwhile(), journal, Wishes(limit=1)).run(ALL))

    assert reports[0].verdict is Verdict.REDRIVEN
    assert "a later letter of the same record stays" in reports[0].detail
    assert next(iter(source.items())).when == letter(later=2000).last_attempt_at


def test_what_cannot_be_read_stays_and_is_told(source: DirectorySource, journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "letters" / "odd.json").write_text("odd")

    assert run(source, Noting(), journal)["unreadable"] is Verdict.FAILED
    assert source.count() == 1


@pytest.fixture
def messages(tmp_path: Path) -> FileSource:
    file = tmp_path / "Notes.jsonl"
    lines = (golden("sqs").replace("\n", ""), "", "half a li")
    file.write_text("\n".join(lines))
    return FileSource(file)


def test_a_message_is_done_once_all_its_records_are(messages: FileSource, journal: Journal) -> None:
    first, second = Noting(two=Refused("no")), Noting()

    assert run(messages, first, journal)["on-failure"] is Verdict.FAILED
    assert run(messages, second, journal)["on-failure"] is Verdict.REDRIVEN
    assert (first.sent, second.sent) == (["one", "two"], ["two"])
    assert run(messages, third := Noting(), journal)["on-failure"] is Verdict.ALREADY
    assert third.sent == []


def test_a_message_whose_records_are_gone_stays_until_that_is_accepted(messages: FileSource, journal: Journal) -> None:
    destination = Noting()
    destination.gone = 3

    (report, _) = Redriving(messages, destination, journal, Wishes()).run(ALL)
    assert report.verdict is Verdict.FAILED
    assert report.detail.startswith("3 of the Kinesis records that it names are gone")
    assert run(messages, destination, journal, accept_gone=True)["on-failure"] is Verdict.REDRIVEN
    assert destination.sent == ["one", "two"]


def test_a_line_that_cannot_be_read_is_told_by_its_number(messages: FileSource, journal: Journal) -> None:
    *_, report = Redriving(messages, Noting(), journal, Wishes()).run(ALL)

    assert (report.verdict, report.item.ref) == (Verdict.FAILED, "line 3")


def test_nothing_is_sent_before_the_journal_has_it(
    source: DirectorySource, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = Noting()

    def full(*arguments: Any, **more: Any) -> None:
        raise DeadLetterError("disk full")

    monkeypatch.setattr(journal, "start", full)
    with pytest.raises(DeadLetterError):
        list(Redriving(source, destination, journal, Wishes()).run(ALL))

    assert destination.sent == []
    assert WHOLE not in journal.entries(source.name, next(iter(source.items())))
