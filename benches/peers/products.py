"""The products: how each is started, how it takes a thumb, and where the thumb is found in its database.

Each is asked through its own documented HTTP interface, the one that its client library uses, too. A thumb is "up" by a
person on one answer: feedback on a completion, a span annotation, an assessment of a trace.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import sys
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable
from importlib.metadata import version
from subprocess import run

from load import Request, ask, drive, request
from servers import Postgres, Server, free_port

WHEN = "2026-01-31T12:00:00Z"


class Product(ABC):
    """A server under measurement with a database of its own."""

    name: str
    database: str
    #: Thumbs that one request may carry; 1 where the interface has no batch.
    max_batch = 1
    settings: str
    interface: str

    def __init__(self, postgres: Postgres, folder: pathlib.Path) -> None:
        self.postgres, self.folder, self.port = postgres, folder, 0
        self.server: Server | None = None

    @abstractmethod
    def version(self) -> str:
        """Returns the version that is measured."""

    @abstractmethod
    def start(self) -> None:
        """Starts the server and waits until it answers."""

    @abstractmethod
    def thumbs(self, pairs: Iterable[tuple[str, str]]) -> Request:
        """Builds the request that records one thumb each for pairs of an answer and a user."""

    @abstractmethod
    def record_answers(self, answers: list[str]) -> None:
        """Records the answers that thumbs are for, and waits until they are in the database."""

    @abstractmethod
    def answer_id(self, number: int) -> str:
        """Returns the id of the answer with a number, in the product's form."""

    #: Statement that returns the user of every stored thumb.
    users_sql: str

    def stop(self) -> None:
        """Stops the server as a supervisor does."""
        if self.server:
            self.server.stop()
        self.server = None

    def kill(self) -> None:
        """Kills the server."""
        if self.server:
            self.server.kill()
        self.server = None

    def stored_users(self) -> list[str]:
        """Returns the user of every thumb in the database, one for each row."""
        return [row[0] for row in self.query(self.users_sql)]

    def n_stored(self) -> int:
        """Returns the number of thumbs in the database."""
        return self.query(f"select count(*) from ({self.users_sql}) stored")[0][0]

    def n_stored_of(self, user: str) -> int:
        """Returns the number of thumbs of a user in the database."""
        return self.query(f"select count(*) from ({self.users_sql}) stored (who) where who = %s", user)[0][0]

    def query(self, sql: str, *parameters: str) -> list[tuple]:
        """Asks the product's database, past the product."""
        with contextlib.closing(self.postgres.connect(self.database)) as connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall()

    def answers_with(self, path: str, status: int = 200) -> bool:
        """Tells whether a path answers as it does when the server is ready."""
        return ask(self.port, request("GET", path))[0] == status


class Afterword(Product):
    """This program, on the private Postgres, with its defaults."""

    name = "Afterword"
    database = "afterword"
    max_batch = 100
    settings = "`afterword serve`, all defaults"
    interface = "`POST /v1/feedback`"
    users_sql = "select user_id from feedback"
    KEY = "aw_sec_benchbenchbench0_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    binary: pathlib.Path

    def version(self) -> str:
        shown = run([self.binary, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
        commit = run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
        ).stdout.strip()
        return f"{shown} ({commit}, {self.binary.parent.name} build)"

    def start(self) -> None:
        self.port = free_port()
        command = [str(self.binary), "serve", "--listen", f"127.0.0.1:{self.port}"]
        command += ["--data-dir", str(self.postgres.data_dir)]
        env = {"AFTERWORD_INIT_PROJECT": "bench", "AFTERWORD_INIT_SECRET_KEY": self.KEY}
        env |= {"DATABASE_URL": "", "AFTERWORD_DATABASE_URL": "", "AFTERWORD_CONFIG": ""}
        self.server = Server(command, env, self.folder, lambda: self.answers_with("/readyz"))

    def thumbs(self, pairs: Iterable[tuple[str, str]]) -> Request:
        items = [
            {"id": uuid7(), "completion_id": answer, "signal": "thumb", "value": "up", "user": user}
            for answer, user in pairs
        ]
        body = items[0] if len(items) == 1 else {"v": 1, "feedback": items}
        return request("POST", "/v1/feedback", body, bearer=self.KEY, keys=[item["user"] for item in items])

    def record_answers(self, answers: list[str]) -> None:
        for start in range(0, len(answers), 500):
            items = [
                {"id": answer, "model": "m", "prompt": "How are you?", "response": "Well.", "created_at": WHEN}
                for answer in answers[start : start + 500]
            ]
            expect_success(ask(self.port, request("POST", "/v1/completions", {"completions": items}, bearer=self.KEY)))

    def answer_id(self, number: int) -> str:
        return f"answer-{number}"


class Phoenix(Product):
    """Arize Phoenix, one process, as `phoenix serve` starts it."""

    name = "Phoenix"
    database = "phoenix"
    max_batch = 100
    settings = "`phoenix serve` with `PHOENIX_SQL_DATABASE_URL`, telemetry and outside resources off, no sign-on"
    interface = "`POST /v1/span_annotations`"
    users_sql = "select identifier from span_annotations where name = 'thumb'"
    path = "/v1/span_annotations"

    def version(self) -> str:
        return version("arize-phoenix")

    def start(self) -> None:
        self.port = free_port()
        env = {
            "PHOENIX_SQL_DATABASE_URL": self.postgres.url(self.database),
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": str(self.port),
            "PHOENIX_GRPC_PORT": str(free_port()),
            "PHOENIX_WORKING_DIR": str(self.folder),
            "PHOENIX_TELEMETRY_ENABLED": "false",
            "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        }
        self.server = Server([program("phoenix"), "serve"], env, self.folder, lambda: self.answers_with("/healthz"))

    def thumbs(self, pairs: Iterable[tuple[str, str]]) -> Request:
        items = [
            {
                "span_id": answer,
                "name": "thumb",
                "annotator_kind": "HUMAN",
                "result": {"label": "up", "score": 1},
                "identifier": user,
            }
            for answer, user in pairs
        ]
        return request("POST", self.path, {"data": items}, keys=[item["identifier"] for item in items])

    def record_answers(self, answers: list[str]) -> None:
        n_before = self._n_spans()
        for start in range(0, len(answers), 500):
            items = [
                {
                    "name": "chat",
                    "context": {"trace_id": uuid.uuid4().hex, "span_id": answer},
                    "span_kind": "LLM",
                    "start_time": WHEN,
                    "end_time": WHEN,
                    "status_code": "OK",
                    "attributes": {"input.value": "How are you?", "output.value": "Well."},
                }
                for answer in answers[start : start + 500]
            ]
            expect_success(ask(self.port, request("POST", "/v1/projects/default/spans", {"data": items})))
        wait_until(lambda: self._n_spans() >= n_before + len(answers), 60, "the spans are not stored")

    def _n_spans(self) -> int:
        return self.query("select count(*) from spans")[0][0]

    def answer_id(self, number: int) -> str:
        return f"{number + 1:016x}"


class PhoenixSync(Phoenix):
    """Phoenix asked to answer only once the annotation is stored."""

    name = "Phoenix, `sync=true`"
    interface = "`POST /v1/span_annotations?sync=true`"
    path = "/v1/span_annotations?sync=true"


class MLflow(Product):
    """MLflow's tracking server with Postgres as backend store, four workers, as `mlflow server` starts it."""

    name = "MLflow"
    database = "mlflow"
    settings = "`mlflow server --backend-store-uri postgresql://…`, its default of 4 workers, telemetry off, no sign-on"
    interface = "`POST /api/3.0/mlflow/traces/{id}/assessments`, as `mlflow.log_feedback` sends it"
    users_sql = "select source_id from assessments where name = 'thumb'"

    def version(self) -> str:
        return version("mlflow")

    def start(self) -> None:
        self.port = free_port()
        command = [program("mlflow"), "server", "--host", "127.0.0.1", "--port", str(self.port)]
        env = {
            "MLFLOW_BACKEND_STORE_URI": self.postgres.url(self.database).replace("://", "+psycopg2://", 1),
            "MLFLOW_ARTIFACTS_DESTINATION": str(self.folder / "artifacts"),
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        self.server = Server(command, env, self.folder, lambda: self.answers_with("/health"))

    def thumbs(self, pairs: Iterable[tuple[str, str]]) -> Request:
        ((answer, user),) = pairs
        assessment = {
            "assessment_name": "thumb",
            "trace_id": answer,
            "source": {"source_type": "HUMAN", "source_id": user},
            "feedback": {"value": True},
            "create_time": WHEN,
            "last_update_time": WHEN,
        }
        path = f"/api/3.0/mlflow/traces/{answer}/assessments"
        return request("POST", path, {"assessment": assessment}, keys=[user])

    def record_answers(self, answers: list[str]) -> None:
        location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}
        traces = [
            {
                "trace_id": answer,
                "trace_location": location,
                "request_preview": "How are you?",
                "response_preview": "Well.",
                "request_time": WHEN,
                "execution_duration": "1s",
                "state": "OK",
            }
            for answer in answers
        ]
        requests = [request("POST", "/api/3.0/mlflow/traces", {"trace": {"trace_info": trace}}) for trace in traces]
        load = drive(self.port, requests, n_connections=min(8, len(requests)), seconds=120)
        if load.statuses != {200: len(answers)}:
            raise RuntimeError(f"MLflow did not record every trace: {dict(load.statuses)}")

    def answer_id(self, number: int) -> str:
        return f"tr-{number:032x}"


def program(name: str) -> str:
    """Returns a program of the environment that runs this script."""
    return str(pathlib.Path(sys.executable).parent / name)


def uuid7() -> str:
    """Makes a UUID of version 7, as a client of Afterword is to: the time first."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    return str(uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62))


def expect_success(answer: tuple[int, bytes]) -> None:
    """Stops the run if an answer is no success."""
    status, body = answer
    if not 200 <= status < 300:
        raise RuntimeError(f"{status}: {json.dumps(body.decode(errors='replace'))[:500]}")


def wait_until(is_so, seconds: float, complaint: str) -> None:
    """Polls until something is so."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(complaint)
        time.sleep(0.05)
