"""Reads from a standby: no older than allowed, never without own writes, never an error."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from ledger_model import bars_of, closes

import jutsu_sql
from faults.cluster import Pair, execute, pair
from jutsu_sql import BarStore, Database
from jutsu_sql.scratch_server import ScratchServer


@pytest.fixture(scope="module")
def servers() -> Iterator[Pair]:
    with pair() as running:
        yield running


@contextmanager
def connected(servers: Pair, **settings: float) -> Iterator[Database]:
    with jutsu_sql.connect(
        servers.primary.url, replicas=servers.standby.url, snapshots=False, **settings
    ) as db:
        yield db


@pytest.fixture
def db(servers: Pair) -> Iterator[Database]:
    with connected(servers) as database:
        BarStore(database).delete(everything=True)
        servers.catch_up()
        yield database


@contextmanager
def paused(server: ScratchServer) -> Iterator[None]:
    """A standby that replays nothing: it lags more and more."""
    execute(server.url, "SELECT pg_wal_replay_pause()")
    try:
        yield
    finally:
        execute(server.url, "SELECT pg_wal_replay_resume()")


def wait_for_reads(db: Database, more_than: int) -> None:
    """Other threads read meanwhile."""
    until_s = time.monotonic() + 20
    while reads(db) <= more_than:
        assert time.monotonic() < until_s
        time.sleep(0.02)


def reads(db: Database) -> int:
    (replica,) = db.stats().replicas
    return replica.reads


def write(db: Database, value: float, minutes: int = 100) -> dict[tuple[str, int], float]:
    rows = {("A", minute): value for minute in range(minutes)}
    BarStore(db).write(bars_of(rows), source=f"{value}")
    return rows


def test_a_fresh_replica_answers(db: Database, servers: Pair) -> None:
    """Correct: reads go to the replica, and show all that was written before."""
    rows = write(db, 1.0)
    servers.catch_up()
    for _ in range(3):
        assert closes(BarStore(db).read("A", "1m")) == rows
    assert reads(db) == 3
    (replica,) = db.stats().replicas
    assert (replica.state, replica.error) == ("in use", "")
    assert replica.lag_s is not None
    assert 0 <= replica.lag_s <= db.config.replica_max_lag
    assert "jutsu_sql_replica_reads_total" in db.stats().to_prometheus()


def test_whoever_wrote_reads_it(db: Database, servers: Pair) -> None:
    """Correct: after each acknowledged write, a read of the session shows it, whatever the lag."""
    store = BarStore(db)
    for number in range(30):
        if number == 10:
            execute(servers.standby.url, "SELECT pg_wal_replay_pause()")
        if number == 20:
            execute(servers.standby.url, "SELECT pg_wal_replay_resume()")
        rows = write(db, float(number))
        assert closes(store.read("A", "1m")) == rows
    servers.catch_up()
    before = reads(db)
    time.sleep(0.05)
    assert closes(store.read("A", "1m")) == rows
    assert reads(db) == before + 1


def test_a_session_that_only_reads_does_not_hold_itself_back(db: Database, servers: Pair) -> None:
    """Correct: reads that fell back to the primary do not count as writes."""
    rows = write(db, 9.0)
    store = BarStore(db)
    with paused(servers.standby):
        write(db, 10.0)
        for _ in range(3):
            assert store.latest("A", "1m", n=1).close.tolist() == [10.0]
        replicas = db._replicas
        assert replicas is not None
        assert replicas._writes == replicas._covered_writes
    assert len(rows) == 100


def test_a_replica_that_lags_is_left_alone(servers: Pair) -> None:
    """Correct: others may see an older state for ``replica_max_lag`` seconds, and not longer."""
    with (
        connected(servers, replica_max_lag=0.6) as db,
        jutsu_sql.connect(servers.primary.url) as other,
    ):
        write(other, 1.0)
        servers.catch_up()
        store = BarStore(db)
        assert set(closes(store.read("A", "1m")).values()) == {1.0}
        with paused(servers.standby):
            write(other, 2.0)
            written_s = time.monotonic()
            while set(closes(store.read("A", "1m")).values()) == {1.0}:
                assert time.monotonic() - written_s < 0.6 + 0.4
            (replica,) = db.stats().replicas
            assert replica.state == "behind"
            time.sleep(0.7)
            assert set(closes(store.read("A", "1m")).values()) == {2.0}
        servers.catch_up()
        before = reads(db)
        time.sleep(0.7)
        assert set(closes(store.read("A", "1m")).values()) == {2.0}
        assert reads(db) == before + 1


def test_a_read_that_recovery_cancels_goes_to_the_primary(servers: Pair) -> None:
    """Correct: the standby cancels the read (40001), and the caller gets all of its bars."""
    execute(servers.standby.url, "ALTER SYSTEM SET max_standby_streaming_delay = '0'")
    execute(servers.standby.url, "SELECT pg_reload_conf()")
    with connected(servers) as db:
        rows = write(db, 3.0, 2000)
        servers.catch_up()
        tries = []

        def slowly(source: Database) -> dict[tuple[str, int], float]:
            tries.append(source)
            with source.read_transaction() as tx:
                tx.run("series.summary")
                if source is not db:
                    with psycopg.connect(servers.primary.url, autocommit=True) as owner:
                        owner.execute("DELETE FROM bars")
                        owner.execute("VACUUM bars")
                    servers.catch_up()
                tx.run("series.summary")
            return rows

        db.read(slowly)
        assert tries[0] is not db
        assert tries[-1] is db
        (replica,) = db.stats().replicas
        assert "conflict with recovery" in replica.error


def test_a_replica_that_goes_and_comes_back(db: Database, servers: Pair) -> None:
    """Correct: no read fails; after its return the replica answers again, by itself."""
    rows = write(db, 4.0)
    servers.catch_up()
    store, wrong, is_over = BarStore(db), [], threading.Event()

    def read() -> None:
        while not is_over.is_set():
            if closes(store.read("A", "1m")) != rows:
                wrong.append(True)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_for_reads(db, 0)
    servers.standby.stop()
    time.sleep(0.5)
    (replica,) = db.stats().replicas
    assert replica.error
    before = reads(db)
    servers.standby.start()
    wait_for_reads(db, before)
    is_over.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert wrong == []


def test_a_replica_that_was_never_there(servers: Pair) -> None:
    """Correct: it is no error; the primary answers, and the health says why."""
    silent = "postgresql://postgres@127.0.0.1:1/postgres"
    with jutsu_sql.connect(servers.primary.url, replicas=[silent]) as db:
        rows = write(db, 5.0)
        assert closes(BarStore(db).read("A", "1m")) == rows
        (replica,) = db.stats().replicas
        assert replica.state == "resting"
        assert "cannot connect" in replica.error
