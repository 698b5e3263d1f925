"""What was measured, as Markdown. Knows no product and measures nothing."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass
class Sample:
    """One load of one shape."""

    acknowledged_per_second: float
    stored_per_second: float
    latencies_seconds: list[float]
    n_acknowledged: int
    n_stored: int
    n_refused: int


@dataclass
class Fate:
    """What became of one thumb that came before its answer."""

    status: int
    #: From the moment that the answer was recorded; None where the thumb was never stored.
    stored_after_seconds: float | None

    def __str__(self) -> str:
        if not 200 <= self.status < 300:
            return f"refused ({self.status})" + ("" if self.stored_after_seconds is None else ", and stored")
        if self.stored_after_seconds is None:
            return f"**acknowledged ({self.status}), then lost**"
        if self.stored_after_seconds < 1:
            return "kept"
        return f"kept, stored {self.stored_after_seconds:.0f} s after its answer"


@dataclass
class Result:
    """Everything about one product."""

    name: str
    version: str
    interface: str
    settings: str
    #: By thumbs in a request and connections, one for each round.
    samples: dict[tuple[int, int], list[Sample]] = field(default_factory=dict)
    #: Acknowledged and lost, one pair for each kill.
    kills: list[tuple[int, int]] = field(default_factory=list)
    early: Fate | None = None
    early_then_restart: Fate | None = None
    early_then_kill: Fate | None = None
    n_rows_of_storm: int = 0
    storm_statuses: dict[int, int] = field(default_factory=dict)

    def stored_per_second(self, shape: tuple[int, int]) -> float:
        return statistics.median(sample.stored_per_second for sample in self.samples[shape])

    def acknowledged_per_second(self, shape: tuple[int, int]) -> float:
        return statistics.median(sample.acknowledged_per_second for sample in self.samples[shape])

    def latency_ms(self, shape: tuple[int, int], share: float) -> float:
        """A quantile over all rounds; NaN where nothing was acknowledged."""
        latencies = sorted(latency for sample in self.samples[shape] for latency in sample.latencies_seconds)
        return latencies[int(share * (len(latencies) - 1))] * 1000 if latencies else float("nan")

    def best(self, batch: int) -> tuple[int, int] | None:
        shapes = [shape for shape in self.samples if shape[0] == batch]
        return max(shapes, key=self.stored_per_second, default=None)


def overview(results: list[Result], batch: int) -> str:
    """One column for each product."""

    def rate(result: Result, n_items: int, of) -> str:
        shape = result.best(n_items)
        return f"{of(result)(shape):,.0f} ({shape[1]})" if shape else "no batch in the interface"

    def lost(result: Result) -> str:
        n_acknowledged, n_lost = (sum(column) for column in zip(*result.kills, strict=True))
        return f"{n_lost:,} of {n_acknowledged:,}" if not n_lost else f"**{n_lost:,} of {n_acknowledged:,}**"

    def lone(result: Result) -> str:
        return f"{result.latency_ms((1, 1), 0.5):.1f} / {result.latency_ms((1, 1), 0.99):.1f}"

    def loaded_p99(result: Result) -> str:
        return f"{result.latency_ms(result.best(1), 0.99):,.0f}"

    rows = [
        ("version", lambda result: result.version),
        ("durable thumbs/s, one a request (connections)", lambda r: rate(r, 1, lambda r: r.stored_per_second)),
        ("answered 2xx/s at that", lambda r: rate(r, 1, lambda r: r.acknowledged_per_second)),
        ("p99 at that, ms", loaded_p99),
        (f"durable thumbs/s, {batch} a request (connections)", lambda r: rate(r, batch, lambda r: r.stored_per_second)),
        ("a lone thumb, p50 / p99 ms", lone),
        ("a thumb 1 s before its answer", lambda result: str(result.early)),
        ("the same, SIGTERM and start in between", lambda result: str(result.early_then_restart)),
        ("the same, SIGKILL and start in between", lambda result: str(result.early_then_kill)),
        ("rows after the same thumb 100 times", lambda result: f"{result.n_rows_of_storm}"),
        (f"answered 2xx and lost, SIGKILL under load, {len(results[0].kills)} times", lost),
    ]
    lines = [["", *(result.name for result in results)], ["---"] * (len(results) + 1)]
    lines += [[title, *(cell(result) for result in results)] for title, cell in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def details(results: list[Result]) -> str:
    """One row for each load."""
    lines = [
        ["", "thumbs a request", "connections", "2xx/s", "durable/s", "p50 ms", "p99 ms", "stored of 2xx", "not 2xx"]
    ]
    lines.append(["---"] * len(lines[0]))
    for result in results:
        for shape, samples in sorted(result.samples.items()):
            lines.append(
                [
                    result.name,
                    *(str(part) for part in shape),
                    f"{result.acknowledged_per_second(shape):,.0f}",
                    f"{result.stored_per_second(shape):,.0f}",
                    f"{result.latency_ms(shape, 0.5):,.1f}",
                    f"{result.latency_ms(shape, 0.99):,.1f}",
                    f"{sum(sample.n_stored for sample in samples):,} of {sum(s.n_acknowledged for s in samples):,}",
                    f"{sum(sample.n_refused for sample in samples):,}",
                ]
            )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def settings(results: list[Result]) -> str:
    """One row for each product: where it was asked, and how it was run."""
    lines = [["", "asked at", "run as"], ["---"] * 3]
    lines += [[result.name, result.interface, result.settings] for result in results]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def put_between_marks(document: str, measured: str) -> str:
    """Replaces what an earlier run wrote."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{measured}\n\n{END}{after}"
