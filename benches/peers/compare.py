"""A comparison of two variants beside one grouped SELECT that reads the same rows, in one run.

    make bench-compare ROWS=2000000 ROUNDS=3

Two million completions of a hundred thousand users over 28 days, five reactions to each, on a private Postgres. In every
round, one after the other:

limit     `psql`: one SELECT that joins every completion with its reactions and counts outcomes by variant, task and day
json      `GET /v1/comparisons` of the service, as JSON: metrics, checks, segments, daily series
page      the same as HTML
kept      the same as JSON with `max_age_s`, told as it was computed before the rounds
serving   `GET /v1/serving/report` of the same rows, as JSON

Everything shares the machine. Medians are told, because a machine's speed drifts.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

import psycopg
from program import psql, request, say, serve

KEY = "swap-bench"
N_DAYS = 28
#: A comparison may take minutes before it is given up.
TIMEOUT_S = 600
N_TURNS_PER_USER = 20

#: A user's number is skewed: some ask a hundred times as often as others. The user decides the variant, the turn the task.
SEED_COMPLETIONS = """
insert into completions (project_id, completion_id, content_hash, prompt_hash, model, prompt, response, finish_reason,
                         conversation_id, parent_completion_id, user_id, experiment, variant, task, language,
                         input_tokens, output_tokens, latency_ms, ttft_ms, cost_usd, kv_cache_usage, received_at)
select %(project)s, 'chatcmpl-' || lpad(to_hex(i), 10, '0'), decode(md5('h' || i), 'hex'), decode(md5('p' || i), 'hex'),
       case s.person %% 2 when 0 then 'large' else 'small' end,
       '[{"role":"user","content":"question ' || i || '"}]', '{"role":"assistant","content":"answer ' || i || '"}',
       'stop', 'conversation-' || i / 4,
       case when i %% 20 = 7 then 'chatcmpl-' || lpad(to_hex(i - 1), 10, '0') end,
       'user-' || s.person, %(experiment)s, case s.person %% 2 when 0 then 'a' else 'b' end,
       (array['chat', 'code', 'rag', 'summarise', 'chat', 'translate'])[1 + i %% 6], (array['en', 'de', 'en'])[1 + i %% 3],
       20 + i %% 900, 30 + i %% 400, 400 + i %% 3000, 80 + i %% 300, 0.0001 * (1 + s.person %% 2 * 3), (i %% 97) / 97.0,
       timestamptz '2026-10-01' + i * (interval '1 day' * %(n_days)s / %(n_rows)s)
  from generate_series(0, %(n_rows)s - 1) i
 -- A regeneration is its parent's user's.
 cross join lateral (select i - case when i %% 20 = 7 then 1 else 0 end as turn) t
 cross join lateral (
           select floor(%(n_users)s * power(('x' || substr(md5('u' || t.turn), 1, 8))::bit(32)::bigint / 4294967296.0, 2))
                  ::bigint as person
       ) s
"""

#: Looked at twice, copied twice by one turn in four, rated by one in twenty-five.
SEED_FEEDBACK = """
insert into feedback (project_id, completion_id, feedback_id, content_hash, signal, trust, user_id, session_id, weight,
                      effective_at, received_at, thumb, n_chars, n_total_chars, visible_ms)
select c.project_id, c.completion_id,
       ('01930000-000' || k || '-7000-8000-' || lpad(to_hex(s.number), 12, '0'))::uuid, decode(md5(k || 'f' || s.number), 'hex'),
       s.signal, 'verified', c.user_id, 'session-' || s.number / 4, 1, c.received_at + k * interval '1 s',
       c.received_at + k * interval '1 s',
       case when s.signal = 'thumb' then case when s.number %% 3 = 0 then 'down' else 'up' end end,
       case when s.signal = 'copy' then 40 end, case when s.signal = 'copy' then 400 end,
       case when s.signal = 'dwell' then 9000 end
  from completions c
 cross join generate_series(1, 5) k
 cross join lateral (
           select n.number,
                  case when k in (1, 2) then (array['impression', 'dwell'])[k]
                       when k in (3, 4) and n.number %% 4 = 0 then 'copy'
                       when k = 5 and n.number %% 25 = 0 then 'thumb'
                       when k = 5 and n.number %% 3 = 0 then 'continuation'
                       else 'dwell' end as signal
             from (select ('x' || right(c.completion_id, 8))::bit(32)::bigint as number) n
       ) s
 where c.project_id = %(project)s
"""

#: What a comparison has to read, counted once and without its questions: neither turns, nor who is who, nor whose word is
#: the last.
GROUPED = """
select c.variant, c.task, date_trunc('day', c.received_at) as day, count(*) as n,
       count(*) filter (where f.copied) as n_copied, count(*) filter (where f.up) as n_up,
       count(*) filter (where f.down) as n_down, count(*) filter (where f.continued) as n_continued
  from completions c
  left join (select completion_id, bool_or(signal = 'copy') as copied, bool_or(thumb = 'up') as up,
                    bool_or(thumb = 'down') as down, bool_or(signal = 'continuation') as continued
               from feedback
              where project_id = '{project}'
              group by completion_id) f
         on f.completion_id = c.completion_id
 where c.project_id = '{project}' and c.experiment = '{experiment}'
 group by 1, 2, 3
"""


def seed(url: str, project: str, n_rows: int) -> None:
    values = {
        "project": project, "n_rows": n_rows, "n_days": N_DAYS, "n_users": max(2, n_rows // N_TURNS_PER_USER),
        "experiment": KEY,
    }
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (SEED_COMPLETIONS, SEED_FEEDBACK):
            connection.execute(statement, values)
        for table in ("completions", "feedback"):
            connection.execute(f"vacuum analyze {table}")
        connection.execute("checkpoint")


def declare(address: str, key: str) -> None:
    variants = '[{"name":"a","model":"large","share":0.5},{"name":"b","model":"small","share":0.5}]'
    request(address, key, "POST", "/v1/experiments", f'{{"key":"{KEY}","control":"a","variants":{variants}}}')


def memory_mib(pid: int) -> float:
    """Most memory that a process has had so far."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def timed(what: object) -> float:
    began = time.monotonic()
    what()  # type: ignore[operator]
    return time.monotonic() - began


def measure(address: str, key: str, url: str, project: str, n_rounds: int, pid: int) -> None:
    grouped = GROUPED.format(project=project, experiment=KEY)
    drain = [psql(), "--no-psqlrc", "--quiet", "--output", os.devnull, "--command", grouped, url]
    path = f"/v1/comparisons?experiment={KEY}"
    kept = f"{path}&max_age_s=604800"
    serving = "/v1/serving/report?from=2026-10-01T00:00:00Z&to=2026-10-29T00:00:00Z"
    ways = {
        "limit": lambda: subprocess.run(drain, check=True),
        "json": lambda: request(address, key, "GET", path, timeout_s=TIMEOUT_S),
        "page": lambda: request(address, key, "GET", path, accept="text/html", timeout_s=TIMEOUT_S),
        "kept": lambda: request(address, key, "GET", kept, timeout_s=TIMEOUT_S),
        "serving": lambda: request(address, key, "GET", serving, timeout_s=TIMEOUT_S),
    }
    ways["kept"]()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(n_rounds):
        for name, way in ways.items():
            seconds[name].append(timed(way))
            say(f"round {number + 1}  {name:7} {seconds[name][-1]:8.2f} s")
    print(f"\n{'':7} {'seconds':>9} {'of the limit':>13}")
    for name, some in seconds.items():
        share = statistics.median(one / limit for one, limit in zip(some, seconds["limit"], strict=True))
        wanted = {"json": "  (<= 3)", "serving": "  (<= 3)", "kept": "  (<= 0.3 s)"}.get(name, "")
        print(f"{name:7} {statistics.median(some):9.3f} {share:13.2f}{wanted}")
    page = request(address, key, "GET", path, accept="text/html", timeout_s=TIMEOUT_S)
    print(f"\nthe page has {len(page) / 1000:.0f} kB (< 150); the service took {memory_mib(pid):.0f} MiB at most (< 300)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for the seeded database, used again if it is there")
    asked = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="afterword-bench-compare-"))
    data_dir = asked.keep or work / "data"
    is_new = not data_dir.exists()
    try:
        with serve(data_dir) as served:
            url, key = served.url(), served.admin_key()
            with psycopg.connect(url) as connection:
                project = str(connection.execute("select project_id from projects").fetchone()[0])
            if is_new:
                declare(served.address, key)
                say(f"seeding {asked.rows:,} completions and {5 * asked.rows:,} reactions")
                seed(url, project, asked.rows)
            measure(served.address, key, url, project, asked.rounds, served.pid)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
