"""A primary that goes, a standby that takes its place, and the old primary's return."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from ledger_model import bars_of, closes

import jutsu_sql
from faults.cluster import Pair, execute, pair
from jutsu_sql import BarStore, errors

RESUMES_WITHIN_S = 3.0
BARS_A_LOAD = 50


@pytest.fixture
def servers() -> Iterator[Pair]:
    """Made anew for each test, which cannot be undone on them."""
    with pair(durable=True) as running:
        yield running


class Writer:
    """Writes one batch after the other, and keeps what was acknowledged, and when."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.acknowledged: dict[int, int] = {}
        self.done_s: list[float] = []
        self.errors: list[Exception] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        with jutsu_sql.connect(self._url) as db:
            store = BarStore(db)
            number = 0
            while not self._is_over.is_set():
                try:
                    report = store.write(batch(number), source=str(number))
                except Exception as error:
                    self.errors.append(error)
                    return
                self.acknowledged[number] = report.load_id
                self.done_s.append(time.monotonic())
                number += 1

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        assert self.errors == []

    def wait_for(self, loads: int) -> None:
        until_s = time.monotonic() + 30
        while len(self.acknowledged) < loads:
            assert self._thread.is_alive(), self.errors
            assert time.monotonic() < until_s
            time.sleep(0.005)


def rows(number: int) -> dict[tuple[str, int], float]:
    first = number * BARS_A_LOAD
    return {("A", minute): float(number + 1) for minute in range(first, first + BARS_A_LOAD)}


def batch(number: int) -> jutsu_sql.Bars:
    return bars_of(rows(number))


def sent(numbers: Iterator[int] | range) -> dict[tuple[str, int], float]:
    return {key: value for number in numbers for key, value in rows(number).items()}


def test_a_promotion_under_write_load(servers: Pair) -> None:
    """Correct: no error reaches the writer, which goes on within 3 s of the promotion; the new
    primary has whole loads only; what was acknowledged and is not there is found by comparing
    ``loads``; after all batches are sent again, all bars are there, each once.
    """
    with Writer(servers.url) as writer:
        writer.wait_for(20)
        servers.catch_up()
        servers.primary.stop()
        servers.promote()
        promoted_s, before = time.monotonic(), len(writer.acknowledged)
        writer.wait_for(before + 10)
    resumed_s = min(done_s for done_s in writer.done_s if done_s > promoted_s) - promoted_s
    assert resumed_s < RESUMES_WITHIN_S
    with jutsu_sql.connect(servers.url) as db:
        store = BarStore(db)
        there = {int(load.source) for load in store.loads(10_000)}
        lost = writer.acknowledged.keys() - there
        assert all(number < before for number in lost)  # before the promotion, asynchronously
        assert closes(store.read("A", "1m")) == sent(sorted(there))
        for number in writer.acknowledged:
            again = store.write(batch(number), source=str(number))
            assert again.inserted == (BARS_A_LOAD if number in lost else 0)
        assert closes(store.read("A", "1m")) == sent(range(len(writer.acknowledged)))
        assert {load.source for load in store.loads(10_000)} == set(map(str, writer.acknowledged))


def test_what_asynchronous_replication_loses_is_found_and_sent_again(servers: Pair) -> None:
    """Correct: loads that the standby never got are missing as a whole, ``loads`` says which, and
    writing them again restores them.
    """
    with jutsu_sql.connect(servers.url) as db:
        store = BarStore(db)
        store.write(batch(0), source="0")
        servers.catch_up()
        execute(servers.standby.url, "SELECT pg_wal_replay_pause()")
        # A standby that is cut off: it has no source, and whatever comes now stays on the primary.
        execute(servers.standby.url, "ALTER SYSTEM SET primary_conninfo = ''")
        execute(servers.standby.url, "SELECT pg_reload_conf()")
        execute(servers.standby.url, "SELECT pg_wal_replay_resume()")
        time.sleep(0.5)
        acknowledged = {0: 1} | {n: store.write(batch(n), source=str(n)).load_id for n in (1, 2)}
        servers.primary.stop()
        servers.promote()
        there = {int(load.source) for load in store.loads(100)}
        assert there == {0}
        assert closes(store.read("A", "1m")) == sent(range(1))
        for number in sorted(acknowledged.keys() - there):
            assert store.write(batch(number), source=str(number)).inserted == BARS_A_LOAD
        assert closes(store.read("A", "1m")) == sent(range(3))


def test_the_old_primary_comes_back(servers: Pair) -> None:
    """Correct: it is read-write, first in the URL, and gets nothing any more: neither from who has
    seen the new one, nor from who starts later and can see both; with the new one away, writes
    fail rather than go there.
    """
    with jutsu_sql.connect(servers.url, retry_timeout=5) as db:
        store = BarStore(db)
        store.write(batch(0), source="0")
        servers.catch_up()
        servers.primary.stop()
        servers.promote()
        store.write(batch(1), source="1")
        servers.primary.start()
        assert execute(servers.primary.url, "SHOW transaction_read_only") == ("off",)
        db._dialect._pool.drain()  # type: ignore[attr-defined]
        store.write(batch(2), source="2")
        with jutsu_sql.connect(servers.url) as later:
            BarStore(later).write(batch(3), source="3")
        servers.standby.stop()
        start_s = time.monotonic()
        with pytest.raises(errors.ConnectionFailedError, match="was the primary once"):
            store.write(batch(4), source="4")
        assert time.monotonic() - start_s < 5 + RESUMES_WITHIN_S
        servers.standby.start()
        store.write(batch(4), source="4")
        assert closes(store.read("A", "1m")) == sent(range(5))
    with psycopg.connect(servers.primary.url) as old:
        assert old.execute("SELECT count(*) FROM loads").fetchone() == (1,)


def test_a_standby_alone_takes_no_connection_for_writes(servers: Pair) -> None:
    """Correct: it says why, at once."""
    servers.primary.stop()
    with pytest.raises(errors.ConnectionFailedError, match="read-only"):
        jutsu_sql.connect(servers.url)
