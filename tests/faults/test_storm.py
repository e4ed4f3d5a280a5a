"""Too many at once, and a process that forks: everybody is served, or told in time why not."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from ledger_model import bars_of, closes

import jutsu_sql
from faults.workload import QUERIES, rows
from jutsu_sql import BarStore, errors

THREADS = 500


def test_a_storm_of_500_threads(engine_url: str) -> None:
    """Correct: with 10 connections every thread gets its answer, and no connection is left out."""
    together = threading.Barrier(THREADS)
    with jutsu_sql.connect(engine_url, pool_size=6, max_overflow=4) as db:
        store = BarStore(db)
        store.write(bars_of(rows("A", range(100), 1.0)), source="0")

        def read(number: int) -> float:
            together.wait()
            return float(store.latest("A", "1m", n=1 + number % 5).close[0])

        with ThreadPoolExecutor(THREADS) as threads:
            assert Counter(threads.map(read, range(THREADS))) == {1.0: THREADS}
        stats = db._dialect.pool_stats()
        assert (stats.in_use, stats.waiting, stats.timeouts) == (0, 0, 0)
        assert stats.size <= 10


def test_a_storm_while_connections_die(postgres: str) -> None:
    """Correct: with backends terminated all the time, every read and every load of 60 threads is
    answered, and every acknowledged bar is there, once.
    """
    is_over = threading.Event()

    def kill() -> None:
        with psycopg.connect(postgres, autocommit=True) as killer:
            while not is_over.wait(0.1):
                killer.execute(
                    "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity"
                    " WHERE application_name = 'jutsu_sql' AND datname = current_database()"
                    " ORDER BY random() LIMIT 2) AS chosen"
                )

    killer = threading.Thread(target=kill, daemon=True)
    with jutsu_sql.connect(postgres, pool_size=8, max_overflow=0, snapshots=False) as db:
        store = BarStore(db)
        killer.start()

        def work(number: int) -> int:
            minutes = range(number * 10, number * 10 + 10)
            report = store.write(bars_of(rows("A", minutes, 1.0)), source=str(number))
            assert len(store.read("A", "1m")) >= 10
            return report.inserted

        with ThreadPoolExecutor(60) as threads:
            inserted = list(threads.map(work, range(60)))
        is_over.set()
        killer.join()
        assert inserted == [10] * 60
        assert closes(store.read("A", "1m")) == rows("A", range(600), 1.0)
        assert len(store.loads(1000)) == 60


def test_a_pool_that_is_exhausted(engine_url: str) -> None:
    """Correct: who waits in vain hears it after ``pool_timeout``, and who has the connections."""
    with (
        jutsu_sql.connect(engine_url, pool_size=1, max_overflow=1, pool_timeout=0.3) as db,
        db.connection(),
        db.connection(),
    ):
        start_s = time.monotonic()
        with pytest.raises(errors.PoolTimeoutError, match="2 are in use") as caught:
            db.run("series.summary")
        assert time.monotonic() - start_s < 5
        assert len(caught.value.holders) == 2


def in_child(work: Callable[[], object]) -> None:
    """Run something in a fork of this process, and demand that it goes well."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_fork_with_an_open_pool(postgres: str) -> None:
    """Correct: parent and children each go on with connections of their own, also when the child
    ends first; every load is in, once.
    """
    with jutsu_sql.connect(postgres, queries=QUERIES, snapshots=False) as db:
        store = BarStore(db)
        pids = set()

        def write(number: int) -> None:
            one = bars_of(rows("A", range(number, number + 1), 1.0))
            assert store.write(one, source=str(number)).inserted == 1

        write(0)
        for number in range(1, 8, 2):
            in_child(lambda number=number: write(number))  # type: ignore[misc]
            write(number + 1)
            pids.add(db.run("pool.backend"))
        assert len(pids) == 1  # the parent's connection has lived through all of it
        assert closes(store.read("A", "1m")) == rows("A", range(9), 1.0)
        assert len(store.loads(100)) == 9
