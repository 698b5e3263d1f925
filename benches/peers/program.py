"""The built program for as long as a benchmark needs it: its service on a private Postgres, and what is asked of it."""

from __future__ import annotations

import contextlib
import http.client
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator

PROGRAM = pathlib.Path(__file__).resolve().parent.parent.parent / "target" / "release" / "afterword"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def psql() -> str:
    """Finds the client that comes with every server."""
    beside_servers = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/psql"))
    found = shutil.which("psql") or (str(beside_servers[-1]) if beside_servers else None)
    if found is None:
        raise SystemExit("psql, which reads the limit, was not found: install PostgreSQL's client")
    return found


class Served:
    """A running service on the Postgres of a data directory."""

    def __init__(self, process: subprocess.Popen[str], address: str, data_dir: pathlib.Path) -> None:
        self.pid, self.address, self.data_dir = process.pid, address, data_dir

    def said(self, *arguments: str) -> str:
        """Runs the program beside the service and returns what it says."""
        command = [str(PROGRAM), *arguments, "--data-dir", str(self.data_dir)]
        return subprocess.check_output(command, text=True).strip()

    def url(self) -> str:
        """The address of the Postgres, for its owner."""
        return self.said("postgres", "url")

    def admin_key(self) -> str:
        """Makes a key that may do everything."""
        return self.said("key", "create", "--role", "admin", "--name", "bench")


@contextlib.contextmanager
def serve(data_dir: pathlib.Path) -> Iterator[Served]:
    """Serves until the block ends."""
    process = subprocess.Popen(
        [str(PROGRAM), "serve", "--listen", "127.0.0.1:0", "--data-dir", str(data_dir)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )
    try:
        assert process.stdout is not None
        while "listening on" not in (line := process.stdout.readline()):
            if not line:
                raise SystemExit("the service did not start")
        yield Served(process, line.rsplit("//", 1)[-1].strip().rstrip("/"), data_dir)
    finally:
        process.terminate()
        process.wait()


def request(
    address: str, key: str, method: str, path: str, body: str | None = None, accept: str = "application/json",
    timeout_s: float = 30,
) -> bytes:
    """Asks the service and returns what it answers; anything but success ends the benchmark."""
    connection = http.client.HTTPConnection(address, timeout=timeout_s)
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json", "accept": accept}
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    if response.status >= 300:
        raise SystemExit(f"{method} {path}: {response.status} {text.decode(errors='replace')}")
    return text
