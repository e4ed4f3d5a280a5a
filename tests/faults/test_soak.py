"""Many threads that read and write for a while: no error, nothing lost, nothing left behind."""

from __future__ import annotations

import gc
import itertools
import logging
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ledger_model import Key, bars_of, closes, minute

import jutsu_sql
from faults.cluster import wait_for
from jutsu_sql import BarStore

# JUTSU_TEST_SOAK_S=60 for the whole of it; with --log-cli-level=INFO its figures are shown.
SOAK_S = float(os.environ.get("JUTSU_TEST_SOAK_S", "3"))
THREADS = 64
ROWS = 20
# 64 threads in a process of 100 MiB allocate in as many arenas, which settle within this much.
SETTLES_WITHIN_MIB = 24.0

_log = logging.getLogger("soak")


class Worker:
    """Loads, corrects, deletes and reads a series of its own, and knows what must be in it."""

    def __init__(self, store: BarStore, number: int) -> None:
        self._store = store
        self._symbol = f"S{number}"
        self._other = f"S{(number + 1) % THREADS}"
        self._chance = random.Random(number)
        self._loads = itertools.count(1)
        self.stored: dict[Key, float] = {}
        self.loads = self.operations = 0

    def run(self, until_s: float) -> None:
        if not self.loads:
            self._write()
        actions = [self._write, self._delete, self._read, self._read_other, self._latest]
        while time.monotonic() < until_s:
            (act,) = self._chance.choices(actions, [20, 1, 20, 10, 49])
            act()
            self.operations += 1

    def _write(self) -> None:
        """Half of it corrects, half is new."""
        start = max(0, self._next() - ROWS // 2)
        value = float(next(self._loads))
        rows = {(self._symbol, start + at): value for at in range(ROWS)}
        report = self._store.write(bars_of(rows), source="soak")
        assert report.inserted + report.updated == ROWS
        self.stored |= rows
        self.loads += 1

    def _delete(self) -> None:
        first = self._chance.randrange(self._next() + 1)
        gone = self.stored.keys() & {(self._symbol, first + at) for at in range(5)}
        report = self._store.delete(self._symbol, "1m", minute(first), minute(first + 4))
        assert report.deleted == len(gone)
        for key in gone:
            del self.stored[key]
        self.loads += 1

    def _read(self) -> None:
        first = self._chance.randrange(self._next() + 1)
        got = self._store.read(self._symbol, "1m", minute(first), minute(first + 99))
        here = {(self._symbol, first + at) for at in range(100)}
        assert closes(got) == {key: self.stored[key] for key in here & self.stored.keys()}

    def _read_other(self) -> None:
        assert len(self._store.read(self._other, "1m", minute(0), minute(ROWS))) <= ROWS + 1

    def _latest(self) -> None:
        got = closes(self._store.latest(self._symbol, "1m", n=5))
        assert got == {key: self.stored[key] for key in sorted(self.stored)[-5:]}

    def _next(self) -> int:
        return max((at for _, at in self.stored), default=-1) + 1


def open_files() -> int:
    return len(os.listdir("/dev/fd"))


def private_mib() -> float:
    """What this process has of memory for itself: without files that it has mapped."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("RssAnon:"))
    return int(line.split()[1]) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_64_threads_that_read_and_write(engine_url: str) -> None:
    """Correct: no call fails, each thread reads at any time just what was acknowledged to it, and
    so does the end; nobody waits in vain. Connections, threads and files are given back, and
    memory does not grow once all is warm.
    """
    files, threads = open_files(), threading.active_count()
    with jutsu_sql.connect(engine_url) as db, ThreadPoolExecutor(THREADS) as executor:
        store = BarStore(db)
        workers = [Worker(store, number) for number in range(THREADS)]

        def work_for(seconds: float) -> int:
            until_s = time.monotonic() + seconds
            before = sum(worker.operations for worker in workers)
            list(executor.map(lambda worker: worker.run(until_s), workers))
            return sum(worker.operations for worker in workers) - before

        work_for(SOAK_S / 3)
        warm_mib, warm_files = private_mib(), open_files()
        operations = work_for(SOAK_S * 2 / 3)
        grown_mib = private_mib() - warm_mib
        pool = db.stats().pool
        _log.info(
            "%s: %.0f operations/s, %d loads; %s; files %d, %d warm, %d; %.0f MiB, then %+.1f MiB",
            db.config.dialect,
            operations / (SOAK_S * 2 / 3),
            sum(worker.loads for worker in workers),
            pool,
            files,
            warm_files,
            open_files(),
            warm_mib,
            grown_mib,
        )
        assert (pool.in_use, pool.waiting, pool.timeouts, pool.failed, pool.lost) == (0, 0, 0, 0, 0)
        assert pool.size <= pool.limit
        assert grown_mib < SETTLES_WITHIN_MIB
        loads = store.loads(10**6)
        assert len(loads) == sum(worker.loads for worker in workers)
        assert all(load.finished_at for load in loads)
        for worker in workers:
            assert closes(store.read(worker._symbol, "1m")) == worker.stored
    assert open_files() == files
    assert threading.active_count() == threads
    if engine_url.startswith("postgresql"):
        own = "application_name = 'jutsu_sql' AND datname = current_database()"
        wait_for(engine_url, f"SELECT count(*) = 0 FROM pg_stat_activity WHERE {own}")
