"""What an export costs those who write meanwhile: one service, a steady stream of lone reactions, with and without one.

Four clients, each over one connection, send at an even pace whatever the answers take: a late answer does not make the
next request late, it is counted from the moment at which it was due. The export goes through the REST API of the same
service, so that its worker, Postgres and the ingest writers share the machine as they do in operation.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
import uuid

import program

N_CLIENTS = 4
RATE_PER_S = 100
#: A quiet stretch to compare with, after one in which caches and connections get warm.
QUIET_S = 20.0
WARM_UP_S = 5.0
POLL_S = 0.2
PATIENCE_S = 1_800


def request(address: str, key: str, method: str, path: str, body: object | None = None) -> dict:
    content = None if body is None else json.dumps(body)
    return json.loads(program.request(address, key, method, path, content))


class Stream:
    """Reactions at an even pace until it is told to stop."""

    def __init__(self, address: str, key: str) -> None:
        self.address, self.key = address, key
        self.halt = threading.Event()
        self.latencies_s: list[float] = []
        self.n_refused = 0
        self.threads = [threading.Thread(target=self.send, args=(number,)) for number in range(N_CLIENTS)]

    def send(self, number: int) -> None:
        connection = http.client.HTTPConnection(self.address, timeout=30)
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        due = time.monotonic() + number / RATE_PER_S
        latencies = []
        while not self.halt.is_set():
            time.sleep(max(0.0, due - time.monotonic()))
            item = {"id": str(uuid.uuid4()), "completion_id": f"alongside-{uuid.uuid4()}", "signal": "thumb", "value": "up"}
            connection.request("POST", "/v1/feedback", json.dumps(item), headers)
            response = connection.getresponse()
            response.read()
            latencies.append(time.monotonic() - due)
            self.n_refused += response.status != 200
            due += N_CLIENTS / RATE_PER_S
        self.latencies_s.extend(latencies)

    def __enter__(self) -> Stream:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.halt.set()
        for thread in self.threads:
            thread.join()

    def quantile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies_s)
        return 1_000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def export(address: str, key: str) -> float:
    """Runs an export to its end; returns how many seconds it took."""
    began = time.monotonic()
    options = {"max_user_share": 1.0, "max_rows_per_user": 0}
    asked = request(address, key, "POST", "/v1/exports", {"formats": ["preference", "sft"], "options": options})
    while time.monotonic() < began + PATIENCE_S:
        item = request(address, key, "GET", f"/v1/exports/{asked['id']}")
        if item["status"] == "completed":
            return time.monotonic() - began
        if item["status"] not in ("queued", "running"):
            raise SystemExit(f"the export failed: {item.get('problem')}")
        time.sleep(POLL_S)
    raise SystemExit("the export does not end")


def measure(address: str, key: str, n_rows: int) -> None:
    with Stream(address, key):
        time.sleep(WARM_UP_S)
    with Stream(address, key) as quiet:
        time.sleep(QUIET_S)
    with Stream(address, key) as busy:
        seconds = export(address, key)
    print(f"\nlone reactions, {RATE_PER_S} a second, while an export of {n_rows:,} completions runs ({seconds:.0f} s)\n")
    print(f"{'':8} {'p50 ms':>8} {'p99 ms':>8} {'refused':>8} {'sent':>8}")
    for name, stream in (("without", quiet), ("beside", busy)):
        print(f"{name:8} {stream.quantile_ms(0.5):8.2f} {stream.quantile_ms(0.99):8.2f} {stream.n_refused:8} "
              f"{len(stream.latencies_s):8}")
    print(f"\np99 times {busy.quantile_ms(0.99) / quiet.quantile_ms(0.99):.2f} (<= 2)")
