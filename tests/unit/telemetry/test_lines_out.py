"""A line goes out before its writer goes on, and whatever standard output does, nobody is held up for long."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from kstream.telemetry.lines_out import LinesOut
from tests.support.processes import within_a_minute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def lines_out(stream: Callable[[], Any], **more: Any) -> LinesOut:
    # A wait that is over only once the line is: no test's end may hang on the machine's load.
    return LinesOut(stream, what="line(s)", **{"patience": 60.0, **more})


class Pipe:
    """Something to write to, and what arrives at the other end."""

    def __init__(self) -> None:
        self.end, end = os.pipe()
        self.stream = os.fdopen(end, "w")

    def read(self, size: int = 1 << 20) -> bytes:
        return os.read(self.end, size)

    def fill(self) -> int:
        """Until nothing more goes in."""
        descriptor = self.stream.fileno()
        os.set_blocking(descriptor, False)
        filled = 0
        try:
            while True:
                filled += os.write(descriptor, b"." * 4096)
        except BlockingIOError:
            os.set_blocking(descriptor, True)
            return filled


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    for close in (lambda: os.close(made.end), made.stream.close):
        with contextlib.suppress(OSError):
            close()


def test_a_line_is_out_when_put_returns(pipe: Pipe) -> None:
    out = lines_out(lambda: pipe.stream)
    for number in range(100):
        out.put(f"line {number}")
        assert pipe.read() == f"\nline {number}\n".encode()
    assert out.dropped == 0


def test_it_stands_on_a_line_of_its_own_behind_what_others_left_in_the_buffer(pipe: Pipe) -> None:
    pipe.stream.write("printed\n.")
    lines_out(lambda: pipe.stream).put("put")
    assert pipe.read() == b"printed\n.\nput\n"


@pytest.mark.parametrize(
    ("others", "expected"),
    [("", "put\nput\n"), ("printed\n", "printed\nput\nput\n"), ("printed\n.", "printed\n.\nput\nput\n")],
)
def test_where_it_is_known_that_a_line_has_ended_no_empty_one_is_written(
    tmp_path: Path, others: str, expected: str
) -> None:
    memory = io.StringIO()

    def written_to(stream: Any) -> None:
        stream.write(others)
        out = lines_out(lambda: stream)
        out.put("put")
        out.put("put")

    written_to(memory)
    with (tmp_path / "out").open("w+") as file:
        written_to(file)
    assert memory.getvalue() == (tmp_path / "out").read_text() == expected


def test_what_cannot_be_read_is_taken_for_unfinished(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as file:
        file.write("printed.")
        lines_out(lambda: file).put("put")
    assert (tmp_path / "out").read_text() == "printed.\nput\n"

    class NoFile(io.TextIOWrapper):
        def fileno(self) -> int:
            raise io.UnsupportedOperation

    stream = NoFile(io.BytesIO(), write_through=True)
    lines_out(lambda: stream).put("put")
    assert stream.buffer.getvalue() == b"\nput\n"  # type: ignore[attr-defined]


def test_a_full_pipe_is_waited_for_once_and_then_takes_up_again(pipe: Pipe, caplog: pytest.LogCaptureFixture) -> None:
    filled = pipe.fill()
    # So long a patience that the test would end by its timeout if it were waited for twice.
    out = lines_out(lambda: pipe.stream, patience=0.5, room=1000)
    line = "x" * 99
    for _ in range(500):
        out.put(line)

    assert out.dropped == 490
    assert caplog.messages == [], "where standard output is stuck, the log may be so too"
    arrived = b""
    while len(arrived) < filled + 1010:
        arrived += pipe.read()
    assert arrived[filled:] == (b"\n" + line.encode() + b"\n") * 10
    assert within_a_minute(lambda: bool(caplog.messages))
    assert caplog.messages[0] == "490 line(s) dropped so far: standard output: its reader has stopped reading"
    out.put("and again")
    assert pipe.read() == b"\nand again\n"


def test_a_pipe_that_does_not_block_is_waited_for(pipe: Pipe) -> None:
    filled = pipe.fill()
    os.set_blocking(pipe.stream.fileno(), False)
    out = lines_out(lambda: pipe.stream, patience=0.0)
    out.put("late")
    arrived = b""
    while len(arrived) < filled + 6:
        arrived += pipe.read()
    assert arrived[filled:] == b"\nlate\n"


def without_reader() -> Any:
    pipe = Pipe()
    os.close(pipe.end)
    return pipe.stream


def closed() -> Any:
    stream = io.StringIO()
    stream.close()
    return stream


class Raising(io.StringIO):
    def write(self, text: str) -> int:
        raise RuntimeError("not today")


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        (without_reader, "BrokenPipeError"),
        (closed, "ValueError"),
        (lambda: None, "AttributeError"),
        (Raising, "not today"),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_cannot_be_written_is_counted_and_told_ever_more_seldom(
    caplog: pytest.LogCaptureFixture, stream: Callable[[], Any], fault: str
) -> None:
    opened = stream()
    out = lines_out(lambda: opened)
    for _ in range(100):
        out.put("x")

    assert out.dropped == 100
    assert within_a_minute(lambda: len(caplog.messages) == 7)
    assert fault in caplog.messages[0]
    assert [int(message.split()[0]) for message in caplog.messages] == [1, 2, 4, 8, 16, 32, 64]


def test_a_line_that_was_cut_short_does_not_spoil_the_next(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    fails = [False, True]

    def cut(descriptor: int, data: Any) -> int:
        if descriptor == pipe.stream.fileno() and fails:
            if fails.pop(0):
                raise OSError("the disk is full")
            return write(descriptor, data[:3])
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", cut)
    out = lines_out(lambda: pipe.stream)
    out.put("first")
    out.put("second")
    assert pipe.read() == b"\nfi\nsecond\n"
    assert out.dropped == 1


def test_where_no_thread_can_be_started_lines_are_dropped(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    out = lines_out(lambda: pipe.stream)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no)
        out.put("lost")
    out.put("kept")
    assert pipe.read() == b"\nkept\n"
    assert out.dropped == 1
    assert "no thread could be started" in caplog.messages[0]


def test_many_threads_do_not_mix_their_lines(pipe: Pipe) -> None:
    out = lines_out(lambda: pipe.stream)
    arrived: list[bytes] = []

    def read() -> None:
        while data := pipe.read():
            arrived.append(data)

    def work(letter: str) -> None:
        for _ in range(100):
            out.put(letter * 3000)

    reader = threading.Thread(target=read)
    reader.start()
    threads = [threading.Thread(target=work, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pipe.stream.close()
    reader.join()
    lines = b"".join(arrived).splitlines()
    assert sorted(filter(None, lines)) == [letter * 3000 for letter in (b"a", b"b", b"c", b"d") for _ in range(100)]
