"""A writer that is killed leaves all of a load or nothing of it, and a replay converges."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

import jutsu_sql
from jutsu_sql import Bars, BarStore, Connection, Database, errors

ROWS = 20_000
WRITER = """
import sys
import jutsu_sql
sys.path.insert(0, {tests!r})
from test_crash import batch

with jutsu_sql.connect({url!r}) as db:
    store = jutsu_sql.BarStore(db)
    print("ready", flush=True)
    for number in range(1000):
        store.write(batch(number), source=str(number))
"""


def batch(number: int) -> Bars:
    """Half of it corrects what the batch before it wrote, half is new."""
    us = np.arange(ROWS) * 60_000_000 + number * ROWS // 2 * 60_000_000
    close = np.full(ROWS, 100.0 + number)
    return Bars.from_arrays(
        "CRASH", "1m", us.astype("M8[us]"), close, close + 1, close - 1, close, close
    )


def reference(loads: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The closes that so many loads leave behind."""
    numbers = np.repeat(np.arange(loads), ROWS // 2)
    return 100.0 + np.concatenate([numbers, np.full(ROWS // 2 if loads else 0, loads - 1)])


def check(db: Database) -> int:
    """That the bars are those of the finished loads, and of no other; their number."""
    store = BarStore(db)
    loads = store.loads(10_000)
    assert all(load.finished_at is not None for load in loads)
    got = store.read("CRASH", "1m")
    assert got.close.tolist() == reference(len(loads)).tolist()
    assert sum(load.rows_inserted for load in loads) == len(got)
    return len(loads)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_kill_9_at_a_random_moment(
    engine: str, seed: int, tmp_path: Path, postgres_database: str
) -> None:
    url = f"sqlite:///{tmp_path}/crash.db" if engine == "sqlite" else postgres_database
    moments = random.Random(seed)
    with jutsu_sql.connect(url) as db:
        db.migrate()
    done = 0
    for _ in range(3):
        code = WRITER.format(url=url, tests=str(Path(__file__).parent))
        code = code.replace("range(1000)", f"range({done}, 1000)")
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(moments.uniform(0.05, 0.6))
            writer.send_signal(signal.SIGKILL)
        with jutsu_sql.connect(url) as db:
            # A server goes on for a moment with what it was sent; the next writer waits for it.
            with db.transaction() as tx:
                ids = [r.series_id for r in tx.run("series.matching", symbol=None, timeframe=None)]
                tx.run("series.lock", series_ids=ids)
            done = check(db)
    with jutsu_sql.connect(url) as db:
        store = BarStore(db)
        for number in range(done, done + 2):
            store.write(batch(number), source="after")
        assert check(db) == done + 2
        assert store.write(batch(done + 1), source="replay").unchanged == ROWS


def terminate_before(call: Callable[..., Any], phase: str, url: str) -> Callable[..., Any]:
    """The call, but the server ends the session right before the query of that name."""

    def wrapped(self: Connection, name: str, /, *args: Any, **params: Any) -> Any:
        if name == phase:
            with psycopg.connect(url, autocommit=True) as killer:
                killer.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'jutsu_sql' AND state <> 'idle'"
                )
        return call(self, name, *args, **params)

    return wrapped


@pytest.mark.parametrize(
    "phase", ["bars.load", "stage.load", "stage.merge_changed", "loads.finish"]
)
def test_a_backend_that_is_terminated_in_any_phase(
    phase: str, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with jutsu_sql.connect(postgres_database) as db:
        db.migrate()
        store = BarStore(db)
        if phase != "bars.load":
            store.write(batch(0), source="0")
        before = check(db)
        for method in ("run", "bulk_load"):
            terminating = terminate_before(getattr(Connection, method), phase, postgres_database)
            monkeypatch.setattr(Connection, method, terminating)
        with pytest.raises(errors.ConnectionFailedError):
            store.write(batch(before), source="killed")
        monkeypatch.undo()
        assert check(db) == before
        store.write(batch(before), source="again")
        assert check(db) == before + 1
