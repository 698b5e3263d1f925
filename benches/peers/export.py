"""An export beside the database alone and beside the usual ways to dump a table, in one run.

    make bench-export ROWS=1000000 ROUNDS=3

Completions of 4 KB, three reactions to each, two answers to most prompts. In every round, one after the other:

limit     `psql` drains `COPY (completions with their feedback) TO STDOUT (FORMAT binary)`
program   `afterword export` with a recipe of two formats, `preference` and `sft`: labelled, split, compressed, hashed
adbc      the same join by ADBC into Arrow and by pyarrow into Parquet: a plain dump
psycopg   the same join by a server-side cursor in binary form, by pyarrow into Parquet: a plain dump

In the end lone reactions are written at an even pace, without and beside an export through the REST API.

Everything shares the machine. Rows are completions. Medians are told, because a machine's speed drifts.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import alongside
import psycopg
from program import PROGRAM, psql, say, serve
from psycopg import sql

HERE = pathlib.Path(__file__).resolve().parent
#: Texts that rows are put together from; more would only take longer to make.
N_PIECES = 20_000
PIECE_BYTES = 1_000

#: One row for each completion, its feedback in one column: what an export has to read.
JOIN = """
select c.completion_id, c.prompt_hash, c.model, c.prompt, c.response, c.finish_reason, c.conversation_id,
       c.parent_completion_id, c.user_id, c.language, c.consent_training, c.received_at, f.reactions
  from completions c
  left join (select project_id, completion_id,
                    array_agg(array[feedback_id::text, signal, trust, user_id, session_id, thumb, outcome, against,
                                    rating::text, edited_text, next_completion_id, effective_at::text]) as reactions
               from feedback
              group by project_id, completion_id) f
         on f.project_id = c.project_id and f.completion_id = c.completion_id
"""

SEED_COMPLETIONS = """
insert into completions (project_id, completion_id, content_hash, prompt_hash, model, prompt, response, finish_reason,
                         conversation_id, user_id, language, consent_training, received_at)
select %(project)s, 'chatcmpl-' || md5('c' || i), decode(md5('h' || i), 'hex'), decode(md5('p' || i / 2), 'hex'),
       case i %% 2 when 0 then 'small' else 'large' end,
       '[{"role": "user", "content": "' || (i / 2)::text || ' ' || a.body || ' ' || b.body || '"}]',
       '{"role": "assistant", "content": "' || i::text || ' ' || c.body || ' ' || d.body || '"}',
       'stop', 'conversation-' || i / 2, 'user-' || (i / 2) %% 50000, 'en', true,
       timestamptz '2026-11-01' + i * interval '1 ms'
  from generate_series(0, %(n_rows)s - 1) i
  join pieces a on a.number = (i / 2 * 7919::bigint) %% %(n_pieces)s
  join pieces b on b.number = (i / 2 * 104729::bigint + 1) %% %(n_pieces)s
  join pieces c on c.number = (i * 15485863::bigint + 2) %% %(n_pieces)s
  join pieces d on d.number = (i * 32452843::bigint + 3) %% %(n_pieces)s
"""

#: For each completion a thumb (up on one answer of two in three prompts), a copy and the time that it was looked at.
SEED_FEEDBACK = """
insert into feedback (project_id, completion_id, feedback_id, content_hash, signal, trust, user_id, session_id, weight,
                      effective_at, received_at, thumb, n_chars, n_total_chars, visible_ms)
select %(project)s, 'chatcmpl-' || md5('c' || i),
       ('01930000-000' || k || '-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, decode(md5(k || 'f' || i), 'hex'),
       (array['thumb', 'copy', 'dwell'])[k], 'verified', 'user-' || (i / 2) %% 50000, 'session-' || i / 4, 1,
       timestamptz '2026-11-01' + i * interval '1 ms', timestamptz '2026-11-01' + i * interval '1 ms',
       case when k = 1 then case when (i %% 2 = 0) = (i / 2 %% 3 = 0) then 'up' else 'down' end end,
       case when k = 2 then 40 end, case when k = 2 then 2000 end, case when k = 3 then 9000 end
  from generate_series(0, %(n_rows)s - 1) i, generate_series(1, 3) k
"""


def pieces() -> list[str]:
    """Makes texts of words as frequent as those of a language, so that they compress as texts do."""
    chance = random.Random(7)
    words = ["".join(chance.choices("etaoinshrdlucmfwypvbgkjqxz", k=chance.randint(2, 11))) for _ in range(8_000)]
    weights = [1 / (rank + 3) for rank in range(len(words))]
    made = []
    for _ in range(N_PIECES):
        text = " ".join(chance.choices(words, weights, k=PIECE_BYTES // 5))
        made.append(text[:PIECE_BYTES])
    return made


def seed(url: str, project: str, n_rows: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create unlogged table pieces (number int primary key, body text not null)")
        with connection.cursor().copy("copy pieces from stdin") as copy:
            for number, body in enumerate(pieces()):
                copy.write_row((number, body))
        values = {"project": project, "n_rows": n_rows, "n_pieces": N_PIECES}
        for statement in (SEED_COMPLETIONS, SEED_FEEDBACK):
            connection.execute(statement, values)
        connection.execute("drop table pieces")
        connection.execute("vacuum analyze completions")
        connection.execute("vacuum analyze feedback")
        connection.execute("checkpoint")


class Outcome:
    """How long something took and how much memory its process had at most."""

    def __init__(self, seconds: float, peak_mib: float, n_bytes: int) -> None:
        self.seconds, self.peak_mib, self.n_bytes = seconds, peak_mib, n_bytes


def run(command: list[str], folder: pathlib.Path | None = None) -> Outcome:
    """Runs a command to its end; its output must not matter."""
    began = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = child.stderr.read() if child.stderr else b""
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - began
    if status != 0:
        raise SystemExit(f"{command[0]} failed:\n{said.decode(errors='replace')}")
    n_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder else 0
    return Outcome(seconds, usage.ru_maxrss / 1024, n_bytes)


def fresh(folder: pathlib.Path) -> pathlib.Path:
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def ways(url: str, work: pathlib.Path, data_dir: pathlib.Path) -> dict[str, Callable[[], Outcome]]:
    recipe = work / "both.toml"
    recipe.write_text('formats = ["preference", "sft"]\n[options]\nmax_user_share = 1.0\nmax_rows_per_user = 0\n')
    copy = f"copy ({JOIN}) to stdout (format binary)"
    out, dump = work / "out", work / "dump"

    def program() -> Outcome:
        command = [str(PROGRAM), "export", "--recipe", str(recipe), "--out", str(fresh(out)), "--data-dir", str(data_dir)]
        return run(command, out)

    def peer(name: str) -> Outcome:
        fresh(dump).mkdir()
        return run([sys.executable, str(HERE / "dump.py"), name, url, str(dump)], dump)

    return {
        "limit": lambda: run([psql(), "--no-psqlrc", "--quiet", "--command", copy, url]),
        "program": program,
        "adbc": lambda: peer("adbc"),
        "psycopg": lambda: peer("psycopg"),
    }


def hashes(folder: pathlib.Path) -> dict[str, str]:
    """Lists the files that repeat byte for byte, by their own manifest."""
    manifest = json.loads((folder / "manifest.json").read_text())
    return {file["path"]: file["sha256"] for file in manifest["files"]}


def measure(url: str, work: pathlib.Path, data_dir: pathlib.Path, n_rows: int, n_rounds: int) -> None:
    outcomes: dict[str, list[Outcome]] = {}
    seen = []
    for number in range(n_rounds):
        for name, way in ways(url, work, data_dir).items():
            outcome = way()
            outcomes.setdefault(name, []).append(outcome)
            say(f"round {number + 1}  {name:8} {n_rows / outcome.seconds:9,.0f} rows/s  {outcome.peak_mib:6.0f} MiB")
        seen.append(hashes(work / "out"))
    limits = [outcome.seconds for outcome in outcomes["limit"]]
    print(f"\n{n_rows:,} completions, {3 * n_rows:,} reactions, {n_rounds} rounds; medians\n")
    print(f"{'':8} {'rows/s':>10} {'of the limit':>13} {'most MiB':>9} {'MB written':>11}")
    for name, all_of_it in outcomes.items():
        rate = statistics.median(n_rows / outcome.seconds for outcome in all_of_it)
        share = statistics.median(limit / outcome.seconds for limit, outcome in zip(limits, all_of_it, strict=True))
        peak = max(outcome.peak_mib for outcome in all_of_it)
        written = all_of_it[-1].n_bytes / 1e6
        print(f"{name:8} {rate:10,.0f} {share:13.2f} {peak:9,.0f} {written:11,.0f}")
    rates = {name: statistics.median(1 / outcome.seconds for outcome in some) for name, some in outcomes.items()}
    print(f"\ntimes adbc {rates['program'] / rates['adbc']:.2f} (>= 1.3)   "
          f"times psycopg {rates['program'] / rates['psycopg']:.2f} (>= 1.8)   "
          f"equal bytes in every round: {'yes' if all(one == seen[0] for one in seen) else 'NO'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for the seeded database, used again if it is there")
    asked = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="afterword-bench-export-"))
    data_dir = asked.keep or work / "data"
    is_new = not data_dir.exists()
    try:
        with serve(data_dir) as served:
            url = served.url()
            if is_new:
                with psycopg.connect(url) as connection:
                    found = connection.execute(sql.SQL("select project_id from projects")).fetchone()
                say(f"seeding {asked.rows:,} completions")
                seed(url, found[0], asked.rows)
            if asked.rounds > 0:
                measure(url, work, data_dir, asked.rows, asked.rounds)
            alongside.measure(served.address, served.admin_key(), asked.rows)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
