"""Afterword beside Arize Phoenix and MLflow, on one Postgres, one after the other, round by round.

    make bench-peers ARGS="--write docs/peers.md"

Every product is asked to record thumbs through its own interface by the same load generator. What counts is what is
in the database, looked up past the product: rows and, after a kill, the rows of exactly those thumbs that were answered
2xx.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import itertools
import os
import pathlib
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator

import report
from load import Request, ask, drive, request
from products import Afterword, MLflow, Phoenix, PhoenixSync, Product
from report import Fate, Result, Sample
from servers import Postgres, descendants

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
N_ANSWERS = 1000
SINGLE_CONNECTIONS = (1, 8, 32, 128)
BATCH_CONNECTIONS = (1, 2, 8)
BATCH = 100
KILL_CONNECTIONS = 16
#: Thumbs built before the clock starts, for each second of a load, one a request and in batches. A load that runs out
#: of them ends early, and its rate is that of the time that it took. More would only lengthen the queue of a server
#: that answers before it stores.
MOST_PER_SECOND = {"Afterword": (30_000, 200_000)}
MOST_PER_SECOND_OF_PEERS = (3_000, 4_000)
#: How long a table may stand still before what is missing from it is given up. Phoenix writes its whole queue in one
#: transaction, which can take that long when it is thousands of rows.
STILL_SECONDS = 40
#: Phoenix tries feedback without a span again every 10 s.
EARLY_PATIENCE_SECONDS = 25

users = (f"user-{number}" for number in itertools.count())
new_answers = itertools.count(N_ANSWERS)


def prepare(product: Product, batch: int, seconds: float) -> Iterator[Request]:
    """Builds requests, each thumb of a user of its own, spread over the answers."""
    singles, in_batches = MOST_PER_SECOND.get(product.name, MOST_PER_SECOND_OF_PEERS)
    n_requests = int((singles if batch == 1 else in_batches) * seconds) // batch
    answers = itertools.cycle(product.answer_id(number) for number in range(N_ANSWERS))
    return iter([product.thumbs([(next(answers), next(users)) for _ in range(batch)]) for _ in range(n_requests)])


def start(product: Product) -> None:
    """Starts a server and waits until it has finished what it does at its start beside serving."""
    product.start()

    def cpu_ticks() -> int:
        total = 0
        for pid in [product.server.process.pid, *descendants(product.server.process.pid)]:
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            total += int(fields[11]) + int(fields[12])
        return total

    deadline, before = time.monotonic() + 60, cpu_ticks()
    while time.monotonic() < deadline:
        time.sleep(2)
        before, last = cpu_ticks(), before
        if before - last < 0.1 * os.sysconf("SC_CLK_TCK"):
            return


def measure(product: Product, batch: int, n_connections: int, seconds: float) -> Sample:
    """Loads the server and waits until what it acknowledged is in its table."""
    n_before, requests = product.n_stored(), prepare(product, batch, seconds)
    load = drive(product.port, requests, n_connections, seconds)
    n_acknowledged = len(load.acknowledged)
    n_stored, growing_until = product.n_stored() - n_before, time.monotonic() + STILL_SECONDS
    # What is there at the first look was there when the last answer came.
    stored_seconds = load.seconds
    while n_stored < n_acknowledged and time.monotonic() < growing_until:
        time.sleep(0.02)
        n_now = product.n_stored() - n_before
        if n_now > n_stored:
            n_stored, growing_until = n_now, time.monotonic() + STILL_SECONDS
            stored_seconds = time.perf_counter() - load.began_at
    n_refused = sum(n for status, n in load.statuses.items() if not 200 <= status < 300) + load.n_broken
    return Sample(
        acknowledged_per_second=n_acknowledged / load.seconds,
        stored_per_second=min(n_stored, n_acknowledged) / stored_seconds,
        latencies_seconds=load.latencies_seconds,
        n_acknowledged=n_acknowledged,
        n_stored=n_stored,
        n_refused=n_refused,
    )


def turn(product: Product, result: Result, seconds: float) -> list[str]:
    """One round of one product; returns the users whose thumbs were acknowledged before it was killed."""
    start(product)
    drive(product.port, prepare(product, 1, 1), 8, seconds=1)
    shapes = [(1, n_connections) for n_connections in SINGLE_CONNECTIONS]
    shapes += [(BATCH, n_connections) for n_connections in BATCH_CONNECTIONS if product.max_batch >= BATCH]
    for shape in shapes:
        sample = measure(product, *shape, seconds)
        result.samples.setdefault(shape, []).append(sample)
        say(
            f"  {product.name}: {shape[0]} a request, {shape[1]} connections: {sample.acknowledged_per_second:,.0f}/s"
            f" acknowledged, {sample.stored_per_second:,.0f}/s durable, {sample.n_refused} not 2xx"
        )
    requests = prepare(product, 1, 1)
    return drive(product.port, requests, KILL_CONNECTIONS, seconds=1, when_over=product.kill).acknowledged


def early(product: Product, between: Callable[[], None] | None = None) -> Fate:
    """Sends a thumb, ends the server in some way, records the answer that the thumb is for, and looks for the thumb."""
    answer, user = product.answer_id(next(new_answers)), next(users)
    status, _ = ask(product.port, product.thumbs([(answer, user)]))
    time.sleep(1)
    if between:
        between()
        product.start()
    product.record_answers([answer])
    began = time.monotonic()
    patience = EARLY_PATIENCE_SECONDS if 200 <= status < 300 else 3
    while not product.n_stored_of(user):
        if time.monotonic() - began > patience:
            return Fate(status, None)
        time.sleep(0.1)
    return Fate(status, time.monotonic() - began)


def storm(product: Product, result: Result) -> None:
    """Sends one thumb a hundred times, sixteen at a time, and counts its rows."""
    user = next(users)
    repeated = product.thumbs([(product.answer_id(0), user)])
    result.storm_statuses = dict(drive(product.port, [repeated] * 100, 16).statuses)
    time.sleep(3)
    result.n_rows_of_storm = product.n_stored_of(user)


def fates(product: Product, result: Result) -> None:
    """What the products do that no rate shows."""
    start(product)
    storm(product, result)
    result.early = early(product)
    result.early_then_restart = early(product, product.stop)
    result.early_then_kill = early(product, product.kill)
    product.stop()
    say(f"  {product.name}: {result.early}; {result.early_then_restart}; {result.early_then_kill}")


def set_up(product: Product) -> None:
    """Makes the answers that thumbs are for."""
    if product.database != Afterword.database:
        product.postgres.make_database(product.database)
    product.start()
    product.record_answers([product.answer_id(number) for number in range(N_ANSWERS)])
    product.stop()


def ceiling(afterword: Product) -> float:
    """What the load generator itself reaches, against an address that does nothing."""
    afterword.start()
    load = drive(afterword.port, itertools.repeat(request("GET", "/livez")), 32, seconds=2)
    afterword.stop()
    return load.statuses[200] / load.seconds


def machine() -> str:
    """Names the machine."""
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores ({model}), {gib:.0f} GiB, Linux {'.'.join(platform.release().split('.')[:2])}, Python {platform.python_version()}"


def say(text: str) -> None:
    """Tells whoever waits."""
    print(text, file=sys.stderr, flush=True)


def run(postgres: Postgres, products: list[Product], arguments: argparse.Namespace) -> str:
    """Measures everything and returns it as Markdown."""
    results = {p.name: Result(p.name, p.version(), p.interface, p.settings) for p in products}
    acknowledged: dict[str, list[list[str]]] = {product.name: [] for product in products}
    say("recording answers")
    for product in products:
        if not isinstance(product, PhoenixSync):
            set_up(product)
    client_per_second = ceiling(products[0])
    for number in range(arguments.rounds):
        say(f"round {number + 1} of {arguments.rounds}")
        # Another product begins each round, so that none always has the emptiest or the warmest database.
        for product in products[number % len(products) :] + products[: number % len(products)]:
            acknowledged[product.name].append(turn(product, results[product.name], arguments.seconds))
    say("early feedback and duplicates")
    for product in products:
        fates(product, results[product.name])
    # Every server has been started again since each kill, so whatever it can bring back is back.
    for product in products:
        stored = set(product.stored_users())
        for users_of_kill in acknowledged[product.name]:
            n_lost = sum(user not in stored for user in users_of_kill)
            results[product.name].kills.append((len(users_of_kill), n_lost))
    return markdown(list(results.values()), postgres.settings(), client_per_second, arguments)


def markdown(results: list[Result], database: dict[str, str], client_per_second: float, arguments) -> str:
    """Puts the tables together with what they were measured on."""
    shown = ", ".join(f"`{name}` {value}" for name, value in database.items() if name != "server_version")
    facts = [
        f"{datetime.date.today().isoformat()}, {machine()}; everything on the same cores.",
        f"Load average when the run began: {arguments.load_average:.1f}. What is above 0.3 is other work that took part"
        " of the machine from everybody; such a run shows what the products do, but not how fast they are.",
        f"Postgres {database['server_version']}: {shown}.",
        f"{arguments.rounds} rounds of {arguments.seconds:g} s a load: medians of the rounds, quantiles over all.",
        f"The load generator by itself: {client_per_second:,.0f} requests/s from an address that does nothing"
        " (`/livez` of Afterword, 32 connections), so it, and not the server, may be the limit near that.",
    ]
    parts = ["\n".join(f"- {fact}" for fact in facts), report.overview(results, BATCH)]
    parts += ["Every load:", report.details(results), "Where and how:", report.settings(results)]
    return "\n\n".join(parts)


def find_afterword() -> pathlib.Path:
    """Returns the release build, or else the debug build."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    for build in ("release", "debug"):
        if (binary := target / build / "afterword").exists():
            return binary
    sys.exit("there is no built afterword: cargo build --locked --release --bin afterword")


def main() -> None:
    """Reads the arguments, runs, prints, and writes where it was asked to."""
    parser = argparse.ArgumentParser(description="Afterword beside Arize Phoenix and MLflow, on one Postgres.")
    parser.add_argument("--afterword", type=pathlib.Path, help="the program; default: the release or the debug build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2, help="how long one load takes")
    parser.add_argument("--write", type=pathlib.Path, help="document to put the tables into, between its marks")
    arguments = parser.parse_args()
    Afterword.binary = (arguments.afterword or find_afterword()).resolve()
    # The generator must not pause to look for garbage that it does not make.
    gc.disable()
    folder = ROOT / "target" / "peers"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began, arguments.load_average = time.monotonic(), os.getloadavg()[0]
    postgres = Postgres(Afterword.binary, folder / "data")
    products = [product(postgres, folder / product.__name__) for product in (Afterword, Phoenix, PhoenixSync, MLflow)]
    try:
        measured = run(postgres, products, arguments)
    finally:
        for product in products:
            product.kill()
        postgres.remove()
    print(measured)
    (folder / "measured.md").write_text(measured + "\n")
    if arguments.write:
        arguments.write.write_text(report.put_between_marks(arguments.write.read_text(), measured))
    say(f"took {(time.monotonic() - began) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
