"""Processes: the Postgres that everybody uses, and servers that are started, stopped, and killed with all that they
started themselves.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg2

from load import ask, request

START_SECONDS = 120
STOP_SECONDS = 40


def free_port() -> int:
    """Returns a port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def descendants(pid: int) -> list[int]:
    """Returns the processes that a process started, and those that they did."""
    children: dict[int, list[int]] = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found, waiting = [], [pid]
    while waiting:
        started = children.get(waiting.pop(), [])
        found += started
        waiting += started
    return found


class Server:
    """A server as a process of its own, ready to be asked."""

    def __init__(
        self, command: list[str], env: dict[str, str], folder: pathlib.Path, is_ready: Callable[[], bool]
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log = (folder / "log").open("ab")
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **env},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers(is_ready):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{command[0]} did not start: see {folder / 'log'}")
            time.sleep(0.05)

    def _answers(self, is_ready: Callable[[], bool]) -> bool:
        try:
            return is_ready()
        except OSError:
            return False

    def kill(self) -> None:
        """SIGKILL to the server and all its workers, as one blow as far as that goes."""
        doomed = [self.process.pid, *descendants(self.process.pid)]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self._log.close()

    def stop(self) -> None:
        """SIGTERM, as a supervisor stops a server; what has not ended in time is killed."""
        started = descendants(self.process.pid)
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return
        for pid in started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        self._log.close()


class Postgres:
    """The private Postgres of an Afterword that does nothing else than to keep it running."""

    def __init__(self, afterword: pathlib.Path, data_dir: pathlib.Path) -> None:
        self._afterword, self.data_dir = afterword, data_dir
        port = free_port()
        command = [str(afterword), "serve", "--listen", f"127.0.0.1:{port}", "--data-dir", str(data_dir)]
        env = {"DATABASE_URL": "", "AFTERWORD_DATABASE_URL": "", "AFTERWORD_CONFIG": ""}

        def is_ready() -> bool:
            return ask(port, request("GET", "/readyz"))[0] == 200

        self._keeper = Server(command, env, data_dir.parent / "keeper", is_ready)
        shown = subprocess.run(
            [str(afterword), "--data-dir", str(data_dir), "postgres", "url"], capture_output=True, text=True, check=True
        )
        self._url = urlsplit(shown.stdout.strip())

    def url(self, database: str) -> str:
        """Returns the owner's URL of a database, over the Unix socket; it stands in the form that libpq, psycopg2,
        SQLAlchemy, asyncpg and sqlx all read.
        """
        return f"postgresql://{self._url.username}:{self._url.password}@/{database}?{self._url.query}"

    def connect(self, database: str) -> psycopg2.extensions.connection:
        """Connects as the owner; every statement is a transaction of its own."""
        connection = psycopg2.connect(
            dbname=database,
            user=self._url.username,
            password=unquote(self._url.password or ""),
            host=parse_qs(self._url.query)["host"][0],
        )
        connection.autocommit = True
        return connection

    def make_database(self, database: str) -> None:
        """Makes an empty database."""
        with contextlib.closing(self.connect("postgres")) as connection, connection.cursor() as cursor:
            cursor.execute(f'create database "{database}"')

    def settings(self) -> dict[str, str]:
        """Returns what says that an acknowledged commit is on the disk, and the version."""
        names = [
            "server_version",
            "fsync",
            "synchronous_commit",
            "full_page_writes",
            "shared_buffers",
            "max_connections",
        ]
        with contextlib.closing(self.connect("postgres")) as connection, connection.cursor() as cursor:
            shown = {}
            for name in names:
                cursor.execute(f"show {name}")
                shown[name] = cursor.fetchone()[0]
            return shown

    def remove(self) -> None:
        """Stops the server and removes its files, also where root's Postgres had to live elsewhere."""
        self._keeper.stop()
        pointer = self.data_dir / "postgres.location"
        elsewhere = pathlib.Path(pointer.read_text().strip()) if pointer.exists() else None
        for folder in (self.data_dir, elsewhere):
            if folder:
                shutil.rmtree(folder)
