"""The load generator: one process, one thread, keep-alive HTTP/1.1 connections that each wait for their answer.

It is the same for every product and knows none of them. Requests are built before the clock starts, so that what is
measured is the server and a client that only moves bytes.
"""

from __future__ import annotations

import collections
import json
import selectors
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

ANSWER_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Request:
    """What goes over the wire, and the keys of the feedback in it, by which its rows are found again."""

    wire: bytes
    keys: tuple[str, ...] = ()


@dataclass
class Load:
    """What came back."""

    acknowledged: list[str] = field(default_factory=list)
    latencies_seconds: list[float] = field(default_factory=list)
    statuses: collections.Counter[int] = field(default_factory=collections.Counter)
    n_broken: int = 0
    began_at: float = 0.0
    seconds: float = 0.0


def request(
    method: str, path: str, body: object = None, bearer: str | None = None, keys: Iterable[str] = ()
) -> Request:
    """Builds a request; a body is written as JSON."""
    payload = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(payload)}\r\n"
    if bearer:
        head += f"Authorization: Bearer {bearer}\r\n"
    return Request(head.encode() + b"\r\n" + payload, tuple(keys))


class Connection:
    """One keep-alive connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent_at = 0.0
        self.pending: Request | None = None

    def send(self, pending: Request) -> None:
        self.pending, self.sent_at, self.received = pending, time.perf_counter(), b""
        self.socket.sendall(pending.wire)

    def receive(self) -> tuple[int, bytes] | None:
        """Reads what is there; returns status and body once the answer is whole. A closed connection is an error."""
        chunk = self.socket.recv(1 << 18)
        # A server that writes head and body apart, with Nagle's algorithm on, would otherwise wait 40 ms for our
        # delayed acknowledgement: an artefact that no product is to be charged with.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        if not chunk:
            raise ConnectionResetError("the server closed the connection")
        self.received += chunk
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if not separator:
            return None
        lower = head.lower()
        if b"transfer-encoding: chunked" in lower:
            is_whole = body.endswith(b"0\r\n\r\n")
        else:
            length = lower.partition(b"content-length:")[2].partition(b"\r\n")[0]
            is_whole = len(body) >= int(length or 0)
        return (int(head[9:12]), body) if is_whole else None


def ask(port: int, asked: Request) -> tuple[int, bytes]:
    """Sends one request over a connection of its own."""
    connection = Connection(port)
    with connection.socket:
        connection.send(asked)
        while (answer := connection.receive()) is None:
            pass
        return answer


def drive(
    port: int,
    requests: Iterable[Request],
    n_connections: int,
    seconds: float = ANSWER_TIMEOUT_SECONDS,
    when_over: Callable[[], None] | None = None,
) -> Load:
    """Sends requests over the connections, each as soon as its last answer is there, until there are none or the time
    is over; then waits for the answers under way. `when_over` is called in the same turn as an acknowledgement, before
    anything else is read: a kill there comes right after a 2xx.
    """
    load, source = Load(), iter(requests)
    with selectors.DefaultSelector() as selector:
        load.began_at = time.perf_counter()
        for _ in range(n_connections):
            if first := next(source, None):
                connection = Connection(port)
                selector.register(connection.socket, selectors.EVENT_READ, connection)
                connection.send(first)
        last_at = load.began_at
        is_over = False
        while selector.get_map():
            events = selector.select(timeout=ANSWER_TIMEOUT_SECONDS)
            if not events:
                raise TimeoutError(f"no answer on port {port} for {ANSWER_TIMEOUT_SECONDS} s")
            for key, _ in events:
                connection: Connection = key.data
                try:
                    answer = connection.receive()
                    if answer is None:
                        continue
                    last_at = time.perf_counter()
                    _note(load, connection, answer[0], last_at)
                    if when_over and not is_over and last_at - load.began_at >= seconds:
                        is_over = True
                        when_over()
                    if last_at - load.began_at < seconds and (following := next(source, None)):
                        connection.send(following)
                        continue
                except (ConnectionError, TimeoutError):
                    load.n_broken += 1
                selector.unregister(connection.socket)
                connection.socket.close()
        load.seconds = last_at - load.began_at
    return load


def _note(load: Load, connection: Connection, status: int, now: float) -> None:
    load.statuses[status] += 1
    if 200 <= status < 300 and connection.pending:
        load.acknowledged.extend(connection.pending.keys)
        load.latencies_seconds.append(now - connection.sent_at)
