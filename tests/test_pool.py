"""The pool on both engines: limits, queue, recycling, dead connections, forks, shutdown."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest

import jutsu_sql
from jutsu_sql import Database, errors
from jutsu_sql.dialects import postgresql_pool
from jutsu_sql.stats import PoolStats

QUERIES = Path(__file__).parent / "sql"
Open = Callable[..., Database]


@pytest.fixture(params=["sqlite", "postgresql"])
def pooled_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/bars.db"
    url: str = request.getfixturevalue("postgres_database")
    return url


@pytest.fixture
def open_pool(pooled_url: str) -> Iterator[Open]:
    """Open the database with a pool of the given settings."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(
            jutsu_sql.connect(pooled_url, queries=QUERIES, **settings)
        )


@pytest.fixture
def open_postgres(postgres_database: str) -> Iterator[Open]:
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(
            jutsu_sql.connect(postgres_database, queries=QUERIES, **settings)
        )


@contextmanager
def held(db: Database, count: int) -> Iterator[None]:
    """All of ``count`` connections, in use by this thread."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(db.connection())
        yield


def pool_stats(db: Database) -> PoolStats:
    return db._dialect.pool_stats()


def test_an_exhausted_pool_says_who_holds_it(open_pool: Open) -> None:
    db = open_pool(pool_size=1, max_overflow=1, pool_timeout=0.3)
    with held(db, 2), pytest.raises(errors.PoolTimeoutError) as raised:
        db.run("connection.version")
    assert "of 2, 2 are in use, MainThread for 0." in str(raised.value)
    assert [holder.thread for holder in raised.value.holders] == ["MainThread"] * 2
    assert raised.value.holders[0].held_s >= raised.value.holders[1].held_s >= 0.05
    assert not raised.value.holders[0].taken_at
    assert pool_stats(db).timeouts == 1


def test_with_echo_it_says_where_they_were_taken(open_pool: Open) -> None:
    db = open_pool(pool_size=1, max_overflow=0, pool_timeout=0.3, echo=True)
    with held(db, 1), pytest.raises(errors.PoolTimeoutError) as raised:
        db.run("connection.version")
    assert "stack.enter_context(db.connection())" in raised.value.holders[0].taken_at
    assert "stack.enter_context(db.connection())" in str(raised.value)


def test_a_holder_whose_thread_has_ended(open_pool: Open) -> None:
    db = open_pool(pool_size=1, max_overflow=0, pool_timeout=0.3)
    with ExitStack() as leaked:
        thread = threading.Thread(target=lambda: leaked.enter_context(db.connection()))
        thread.start()
        thread.join()
        with pytest.raises(errors.PoolTimeoutError, match="a thread that has ended for"):
            db.run("connection.version")


def test_more_threads_than_connections_queue(open_pool: Open) -> None:
    db = open_pool(pool_size=2, max_overflow=1)
    with ThreadPoolExecutor(40) as threads:
        done = list(threads.map(lambda _: db.run("connection.version"), range(400)))
    assert len(set(done)) == 1
    stats = pool_stats(db)
    assert stats.size <= 3
    assert (stats.in_use, stats.waiting, stats.timeouts, stats.failed) == (0, 0, 0, 0)


def test_the_queue_is_first_come_first_served(open_pool: Open) -> None:
    db = open_pool(pool_size=1, max_overflow=0)
    served: list[int] = []

    def take(number: int) -> None:
        with db.connection():
            served.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(5)]
    with held(db, 1):
        for position, thread in enumerate(threads, 1):
            thread.start()
            while pool_stats(db).waiting < position:
                time.sleep(0.001)
            time.sleep(0.05)  # it is counted right before it stands in the queue
    for thread in threads:
        thread.join()
    assert served == list(range(5))
    assert pool_stats(db).waits >= 5
    assert pool_stats(db).wait_s > 0


def test_what_is_unused_is_given_back(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_pool, "_MAX_IDLE_S", 0.02)
    with jutsu_sql.connect(postgres_database, pool_size=2, max_overflow=3) as db:
        with held(db, 5):
            assert pool_stats(db).size == 5
        while pool_stats(db).size > 1:
            time.sleep(0.01)
        assert db.run("connection.version")


def test_connections_are_opened_when_needed_and_reused(open_pool: Open) -> None:
    db = open_pool(pool_size=5)
    for _ in range(20):
        db.run("connection.version")
    assert pool_stats(db).opened <= 2  # psycopg's pool begins with one, and grows for a waiter


def test_closing_does_not_wait_for_those_in_use(open_pool: Open) -> None:
    db = open_pool(pool_size=1, max_overflow=0)
    outcome: list[BaseException] = []

    def wait() -> None:
        try:
            db.run("connection.version")
        except errors.DatabaseError as error:
            outcome.append(error)

    waiter = threading.Thread(target=wait)
    with db.connection() as connection:
        waiter.start()
        while not pool_stats(db).waiting:
            time.sleep(0.001)
        db.close()
        waiter.join()
        assert str(outcome[0]) == "the database is closed"
        assert connection.run("connection.version")
    assert pool_stats(db).size == 0
    db.close()
    with pytest.raises(errors.ConnectionFailedError, match="the database is closed"):
        db.run("connection.version")


def test_a_connection_is_recycled(open_postgres: Open) -> None:
    db = open_postgres(pool_recycle=0.001)
    assert len({db.run("pool.backend") for _ in range(5)}) > 1


def terminate_others(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_connections_that_the_server_ended_are_never_given_out(
    open_postgres: Open, postgres_database: str
) -> None:
    db = open_postgres()
    with held(db, 3):
        pass
    terminate_others(postgres_database)
    for _ in range(3):  # right after they were used, within the time in which none is pinged
        assert db.run("pool.backend")
    stats = pool_stats(db)
    assert (stats.lost, stats.timeouts, stats.failed) == (1, 0, 0)


def test_while_the_server_refuses_calls_fail_at_once_and_then_go_on(
    open_postgres: Open, postgres_database: str, postgres_url: str
) -> None:
    name = postgres_database.rpartition("/")[2].partition("?")[0]
    db = open_postgres(retry_timeout=0)
    with held(db, 3):
        pass
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
                [name],
            )
            for _ in range(3):
                with pytest.raises(errors.ConnectionFailedError, match="not currently accepting"):
                    db.run("pool.backend")
        finally:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert db.run("pool.backend")
    stats = pool_stats(db)
    assert stats.failed >= 3
    assert stats.timeouts == 0


def test_one_that_dies_in_use_is_replaced(open_postgres: Open, postgres_database: str) -> None:
    db = open_postgres(pool_size=1, max_overflow=0)
    with pytest.raises(errors.ConnectionFailedError), db.connection() as connection:
        terminate_others(postgres_database)
        connection.run("pool.backend")
    assert db.run("pool.backend")
    assert pool_stats(db).lost == 1


def test_one_that_comes_back_in_a_transaction_is_not_used_again(open_postgres: Open) -> None:
    db = open_postgres(pool_size=1, max_overflow=0)
    with db.connection() as connection:
        connection.run("pool.begin")
    with db.connection() as connection:
        connection.run("pool.begin")  # which the server would warn of inside another one
    assert pool_stats(db).opened == 2


def test_a_connection_that_is_lost_while_it_is_set_up(
    open_postgres: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for it hears why at once, not after ``pool_timeout``."""
    db = open_postgres(pool_timeout=5, retry_timeout=0)

    def lose(*_: object) -> None:
        raise psycopg.OperationalError("it is gone")

    monkeypatch.setattr(postgresql_pool.PostgresqlPool, "_prepare", lose)
    with ExitStack() as taken, pytest.raises(errors.ConnectionFailedError, match="it is gone"):
        for _ in range(10):  # there may be more than one already
            taken.enter_context(db.connection())


def test_a_server_that_refuses_says_so_at_once(postgres_database: str) -> None:
    url = "postgresql://nobody:s3cret@" + postgres_database.rpartition("@")[2]
    with pytest.raises(errors.ConnectionFailedError) as raised:
        jutsu_sql.connect(url, pool_timeout=30)
    assert "nobody" in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_waits_are_bounded_unless_the_url_says_otherwise(postgres_database: str) -> None:
    url = f"{postgres_database}{'&' if '?' in postgres_database else '?'}keepalives_idle=77"
    with jutsu_sql.connect(url) as db, db.connection() as connection:
        parameters = connection._raw.info.get_parameters()
    assert parameters["keepalives_idle"] == "77"
    assert parameters["keepalives_interval"] == "10"
    assert parameters["tcp_user_timeout"] == "30000"
    assert parameters["connect_timeout"] == "10"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a fork needs POSIX")
def test_a_forked_child_gets_connections_of_its_own(open_postgres: Open) -> None:
    db = open_postgres(pool_size=1, max_overflow=0)
    before = db.run("pool.backend")

    def in_child() -> bool:
        return db.run("pool.backend") != before and pool_stats(db).opened == 1

    with db.connection() as pinned:
        assert pinned.run("pool.backend") == before
        assert forked(in_child)
        assert forked(lambda: fails(lambda: pinned.run("pool.backend")))
        assert pinned.run("pool.backend") == before  # nobody said goodbye for it
    assert db.run("pool.backend") == before


def fails(call: Callable[[], object]) -> bool:
    try:
        call()
    except errors.ConnectionFailedError:
        return True
    return False


def forked(check: Callable[[], bool]) -> bool:
    """Whether a check succeeds in a child that then ends as a program does."""
    child = os.fork()
    if not child:
        status = 1
        try:
            status = 0 if check() else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_forked_child_counts_whoever_was_counting(tmp_path: Path) -> None:
    with jutsu_sql.connect(f"sqlite:///{tmp_path}/bars.db") as db:
        db.migrate()
        observer = db._telemetry._observer
        with observer._lock:  # as another thread of the parent may
            in_child = partial(observer._lock.acquire, timeout=5)
            assert forked(lambda: in_child() and not observer._lock.release())
            assert not observer._lock.acquire(blocking=False)


def test_a_forked_child_of_sqlite(tmp_path: Path) -> None:
    with jutsu_sql.connect(f"sqlite:///{tmp_path}/bars.db", pool_size=1, max_overflow=0) as db:
        db.migrate()
        with db.connection() as pinned:
            assert forked(lambda: bool(db.run("schema.is_migrated")))
            assert pinned.run("schema.is_migrated")
