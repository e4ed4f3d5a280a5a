"""A writer that is killed leaves all of a load or nothing of it, and a replay converges."""

from __future__ import annotations

import itertools
import os
import random
import time
from contextlib import suppress
from multiprocessing.connection import Connection

import numpy as np
import psycopg
import pytest
from ledger_model import contents

import jutsu_sql
from faults.steps import fault_at
from faults.workload import (
    LOADS,
    check_done,
    connect,
    prepare,
    processes,
    run,
    run_until_killed,
)
from jutsu_sql import Bars, BarStore, Database, errors
from jutsu_sql.scratch_server import ScratchServer

ROWS = 2_000
# The loads by the statement that goes wrong, or after which block of it.
PHASES = [
    ("fresh", "series.insert"),
    ("fresh", "bars.load, under way"),
    ("first", "bars.load, under way"),
    ("first", "bars.make_whole"),
    ("correction", "stage.load, under way"),
    ("correction", "stage.compare"),
    ("correction", "stage.merge_changed"),
    ("correction", "loads.finish"),
    ("delete", "bars.delete"),
    ("undo", "stage.merge_changed"),
]


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


def wait_until_alone(url: str) -> None:
    """A server goes on for a moment with what a client has sent before its death."""
    if not url.startswith("postgresql"):
        return
    with psycopg.connect(url, autocommit=True) as session:
        others = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        while session.execute(others).fetchone() != (0,):
            time.sleep(0.005)


def write_on(url: str, first: int, to: Connection) -> None:
    """Loads without end; tells after each how many there are."""
    with jutsu_sql.connect(url, snapshots=False) as db:
        store = BarStore(db)
        to.send(first)
        for number in itertools.count(first):
            store.write(batch(number), source=str(number))
            to.send(number + 1)


# All 200, as in CI, take a minute: JUTSU_TEST_KILLS=200.
KILLS = int(os.environ.get("JUTSU_TEST_KILLS", "24"))


def test_kill_9_at_random_moments(engine_url: str) -> None:
    """Correct: after each death the bars are those of whole loads, one after the other, among them
    every load that was acknowledged; the next writer goes on from there.
    """
    moments = random.Random(KILLS)
    done = 0
    for _ in range(KILLS // 2):  # of each engine
        receiver, sender = processes.Pipe(duplex=False)
        writer = processes.Process(target=write_on, args=(engine_url, done, sender))
        writer.start()
        sender.close()
        with receiver:
            acknowledged = receiver.recv()
            time.sleep(moments.uniform(0.0, 0.15))
            writer.kill()
            writer.join()
            with suppress(EOFError):
                while True:
                    acknowledged = receiver.recv()
        wait_until_alone(engine_url)
        with jutsu_sql.connect(engine_url, snapshots=False) as db:
            done = check(db)
        assert done >= acknowledged
    with jutsu_sql.connect(engine_url) as db:
        store = BarStore(db)
        for number in range(done, done + 2):
            store.write(batch(number), source="after")
        assert check(db) == done + 2
        assert store.write(batch(done + 1), source="replay").unchanged == ROWS


@pytest.mark.parametrize("name", sorted(LOADS.keys() - {"first"}))  # it is "fresh" on SQLite
def test_kill_9_before_every_statement(name: str, sqlite: str) -> None:
    with connect(sqlite) as db:
        model, action = prepare(name, db)
        before = contents(db)
    for step in itertools.count():
        report = run_until_killed(name, sqlite, action, step)
        with connect(sqlite) as db:
            if report is not None:
                check_done(db, model, action, report)
                return
            assert contents(db) == before


@pytest.mark.parametrize(("name", "phase"), PHASES)
def test_kill_9_in_any_phase(name: str, phase: str, postgres: str) -> None:
    with connect(postgres) as db:
        model, action = prepare(name, db)
        before = contents(db)
        assert run_until_killed(name, postgres, action, phase) is None
        assert contents(db) == before
        check_done(db, model, action, run(name, db, action))


def terminate(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as killer:
        killer.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'jutsu_sql' AND datname = current_database()"
            " AND state <> 'idle'"
        )


@pytest.mark.parametrize("name", LOADS)
def test_a_backend_that_is_terminated_before_every_statement(name: str, postgres: str) -> None:
    with connect(postgres) as db:
        model, action = prepare(name, db)
        before = contents(db)
        for step in itertools.count():
            with fault_at(step, lambda: terminate(postgres)) as met:
                try:
                    report = run(name, db, action)
                except errors.ConnectionFailedError:
                    assert contents(db) == before
                    continue
            break
        assert LOADS[name].steps <= set(met)
        check_done(db, model, action, report)


@pytest.mark.parametrize(("name", "phase"), PHASES)
def test_a_server_that_crashes_in_any_phase(
    name: str, phase: str, server: ScratchServer, postgres: str
) -> None:
    with connect(postgres) as db:
        model, action = prepare(name, db)
        before = contents(db)
        with pytest.raises(errors.ConnectionFailedError), fault_at(phase, server.crash):
            run(name, db, action)
    with connect(postgres) as db:
        assert contents(db) == before
        check_done(db, model, action, run(name, db, action))
