"""``kstream dead-letters list`` and ``show`` at work."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from kstream.cli.dead_letters_format import item_json, item_table, letter_pairs, message_pairs, payload_lines
from kstream.cli.dead_letters_where import held_open, letters_below
from kstream.clock import SystemClock
from kstream.core.dead_letter import DeadLetter
from kstream.core.errors import ConfigurationError
from kstream.redrive.journal import WHOLE, Journal
from kstream.redrive.named_records import NamedRecords
from kstream.redrive.on_failure import OnFailureMessage
from kstream.redrive.opening import FORMS
from kstream.redrive.selection import Selection

if TYPE_CHECKING:
    from kstream.cli.dead_letters_where import Where
    from kstream.cli.output import Output
    from kstream.redrive.item import Item
    from kstream.redrive.journal import Entry
    from kstream.redrive.named_records import Found

_BEGINNING = 4


def list_items(where: Where, named: str | None, selection: Selection, output: Output, *, redriven_too: bool) -> None:
    if named is None and not where.folder.is_dir():
        if not output.json:
            output.say(f"none: no consumer has left any in {where.folder}. Another SOURCE: {FORMS}", style="dim")
        return
    sources = where.sources(named)
    shown = hidden = 0
    table = item_table(output)
    with Journal(where.journal, SystemClock()) as journal:
        for source in sources:
            with held_open(source):
                for item in source.items():
                    if not selection.takes(item):
                        continue
                    state = _state(journal.entries(source.name, item))
                    if state.startswith("redriven") and not source.can_delete and not redriven_too:
                        hidden += 1
                        continue
                    shown += 1
                    if output.json:
                        output.emit(item_json(item, source.name, state))
                    else:
                        table.add(item, state)
    below = "" if shown or hidden else letters_below(named)
    if output.json:
        if below:
            output.say(below)
    else:
        table.close()
        extra = f"; {hidden:,} redriven ones left out, --all shows them" if hidden else f"; {below}" if below else ""
        output.say(
            f"{shown:,} in {', '.join(source.name for source in sources) or where.state_dir.path}{extra}", style="dim"
        )


def show_item(where: Where, named: str | None, key: str, output: Output, *, raw: bool) -> None:
    item, source, state = _find(where, named, key)
    letter = item.content if isinstance(item.content, DeadLetter) else None
    if raw:
        sys.stdout.buffer.write(item.body.encode("utf-8", "surrogatepass") if letter is None else letter.record.data)
        sys.stdout.buffer.flush()
        return
    found = None
    if isinstance(item.content, OnFailureMessage):
        found = NamedRecords(endpoint_url=where.endpoint_url).of(item.content)
    if output.json:
        output.emit(item_json(item, source, state, found=found, whole=True))
    elif isinstance(item.content, OnFailureMessage):
        assert found is not None
        _show_message(item.content, found, item, state, output)
    elif letter is not None:
        for label, text in letter_pairs(item, letter, state):
            output.pair(label, text)
        _show_payload(letter.record.data, output)
    else:
        output.pair("Unreadable", item.reason)
        _show_payload(item.body.encode("utf-8", "surrogatepass"), output)


def _find(where: Where, named: str | None, key: str) -> tuple[Item, str, str]:
    """By one of its names, or else by a beginning that no other id has."""
    selection = Selection(frozenset([key]))
    looked: list[str] = []
    begun: dict[str, tuple[Item, str, str]] = {}
    with Journal(where.journal, SystemClock()) as journal:
        for source in where.sources(named):
            looked.append(source.name)
            with held_open(source):
                for item in source.items():
                    exact = selection.takes(item)
                    if exact or (len(key) >= _BEGINNING and item.id.startswith(key)):
                        found = item, source.name, _state(journal.entries(source.name, item))
                        if exact:
                            return found
                        begun.setdefault(item.id, found)
    if len(begun) == 1:
        return next(iter(begun.values()))
    if begun:
        raise ConfigurationError(f"{key!r} is the beginning of several ids: {', '.join(begun)}; give more of it")
    remedy = letters_below(named) or (
        f"take an id from kstream dead-letters list, or at least {_BEGINNING} characters of its beginning"
    )
    raise ConfigurationError(f"there is no {key!r} in {', '.join(looked) or where.state_dir.path}; {remedy}")


def _show_message(message: OnFailureMessage, found: Found, item: Item, state: str, output: Output) -> None:
    for label, text in message_pairs(item, message, state):
        output.pair(label, text)
    if found.gone:
        output.say(f"{found.gone:,} of its {message.batch_size:,} records are gone from the stream", style="red")
    batch = found.batch
    refused = batch.malformed()
    for index, record in enumerate(batch.records):
        output.say()
        output.pair("Record", f"{record.sequence_number}:{record.sub_sequence_number}")
        output.pair("Partition key", " ".join(payload_lines(record.partition_key.encode("utf-8", "surrogatepass"))))
        if index in refused:
            output.pair("Malformed", str(refused[index]))
        _show_payload(record.data, output)


def _show_payload(data: bytes, output: Output) -> None:
    from rich.text import Text

    for line in payload_lines(data):
        output.line(Text(line))


def _state(entries: dict[str, Entry]) -> str:
    """What the journal knows of an item, in words; "" for nothing."""
    whole = entries.get(WHOLE)
    if whole is not None:
        return f"redriven to {whole.destination}: {whole.detail}"
    if any(entry.doubtful for entry in entries.values()):
        return "a redrive was interrupted: it may have been put"
    return ""
