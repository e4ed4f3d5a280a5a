"""Faults that pass, and work that is done again until it is done: once, as a whole."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import psycopg
import pytest
from ledger_model import bars_of, closes

import jutsu_sql
from faults.steps import fault_at
from faults.test_crash import PHASES, terminate
from faults.workload import LOADS, QUERIES, check_done, prepare, rows, run
from jutsu_sql import BarStore, Connection, Database, errors
from jutsu_sql.scratch_server import ScratchServer


@pytest.fixture
def db(postgres: str) -> Iterator[Database]:
    with jutsu_sql.connect(postgres, queries=QUERIES) as database:
        yield database


class Once:
    """A fault that happens the first time only."""

    def __init__(self, fault: Callable[[], object]) -> None:
        self._fault = fault
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == 1:
            self._fault()


@pytest.mark.parametrize(("name", "phase"), PHASES)
def test_a_backend_that_is_terminated_in_any_phase(
    name: str, phase: str, db: Database, postgres: str
) -> None:
    """Mid-COPY, mid-upsert and elsewhere. Correct: the caller does not notice, and the load is in
    once.
    """
    model, action = prepare(name, db)
    fault = Once(lambda: terminate(postgres))
    with fault_at(phase, fault):
        report = run(name, db, action)
    assert fault.calls >= 2
    check_done(db, model, action, report)


@pytest.mark.parametrize("name", ["fresh", "correction", "undo"])
def test_a_server_that_is_stopped_and_comes_back_during_a_load(
    name: str, db: Database, server: ScratchServer
) -> None:
    """An immediate shutdown. Correct: the load is in once when the server has been back."""
    model, action = prepare(name, db)
    down_s = 1.0

    def stop() -> None:
        server.stop()
        threading.Timer(down_s, server.start).start()

    with fault_at(sorted(LOADS[name].steps)[0], Once(stop)):
        report = run(name, db, action)
    check_done(db, model, action, report)


def test_a_server_that_stays_away(db: Database, server: ScratchServer) -> None:
    """Correct: an error when ``retry_timeout`` is over, with nothing written."""
    with Database(replace(db.config, retry_timeout=2.0)) as impatient:
        store = BarStore(impatient)
        server.stop()
        try:
            start_s = time.monotonic()
            with pytest.raises(errors.ConnectionFailedError):
                store.write(bars_of(rows("A", range(5), 1.0)), source="0")
            assert time.monotonic() - start_s < 5
        finally:
            server.start()
    assert BarStore(db).loads() == []


def test_a_deadlock(db: Database) -> None:
    """Two units of work that lock in opposite orders. Correct: both are done, in either order."""
    store = BarStore(db)
    store.write(bars_of(rows("AB", range(1), 1.0)), source="0")
    together, tries = threading.Barrier(2), []

    def work(order: tuple[int, int]) -> None:
        def add(tx: Connection) -> None:
            tries.append(order)
            for number, series_id in enumerate(order):
                tx.run("series.lock", series_ids=[series_id])
                if number == 0 and len(tries) <= 2:
                    together.wait(10)
            tx.run("testing.raise_volumes")

        db.transact(add)

    threads = [threading.Thread(target=work, args=(order,)) for order in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert len(tries) == 3
    assert store.read(["A", "B"], "1m").volume.tolist() == [1 + 2 / 1024] * 2


def test_serialization_failures(db: Database) -> None:
    """Counters that eight threads read and write as SERIALIZABLE. Correct: no increment is lost."""
    store, tries = BarStore(db), []
    store.write(bars_of(rows("A", range(1), 1.0)), source="0")

    def add(tx: Connection) -> None:
        tries.append(None)
        tx.run("testing.be_serializable")
        volume = tx.run("testing.volume", series_id=1)
        tx.run("testing.set_volume", series_id=1, volume=volume + 1.0)

    def work() -> None:
        for _ in range(5):
            db.transact(add)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert store.read("A", "1m").volume.tolist() == [41.0]
    assert len(tries) > 40


def test_inside_a_callers_transaction_nothing_is_tried_again(db: Database, postgres: str) -> None:
    """Correct: the error comes at once, and what the transaction had done is gone."""
    with pytest.raises(errors.ConnectionFailedError), db.transaction() as tx:
        tx.run("series.insert", names='[["A", "1m"]]')
        terminate(postgres)
        tx.run("series.summary")
    assert BarStore(db).series() == []


def test_a_load_from_an_iterator_is_not_begun_again(db: Database, postgres: str) -> None:
    """Correct: its parts cannot be had twice, so the error comes, and nothing is written."""
    with (
        pytest.raises(errors.ConnectionFailedError),
        fault_at("loads.finish", lambda: terminate(postgres)),
    ):
        BarStore(db).write(iter([bars_of(rows("A", range(5), 1.0))]), source="0")
    assert BarStore(db).loads() == []


def test_what_will_not_pass_is_not_tried_again(db: Database) -> None:
    tries = []

    def work(tx: Connection) -> None:
        tries.append(None)
        tx.run("series.insert", names="no JSON")

    with pytest.raises(errors.DataError):
        db.transact(work)
    assert len(tries) == 1


def test_a_read_whose_connection_is_lost(db: Database, postgres: str) -> None:
    """Correct: it is read again, also when it was lost within a statement."""
    store = BarStore(db)
    expected = rows("A", range(50), 1.0)
    store.write(bars_of(expected), source="0")
    with fault_at("bars.read_piece", Once(lambda: terminate(postgres))):
        assert closes(store.read("A", "1m")) == expected
    with psycopg.connect(postgres, autocommit=True) as killer:
        timer = threading.Timer(
            0.2,
            killer.execute,
            [
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
            ],
        )
        timer.start()
        assert db.run("testing.sleep", seconds=0.4) is not None
        timer.join()
