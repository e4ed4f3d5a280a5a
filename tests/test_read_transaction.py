"""Several queries that see one state, beside writers, on every engine."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import jutsu_sql
from jutsu_sql import Bars, BarStore, Database, errors


def bars(count: int, symbol: str = "AAPL") -> Bars:
    us = np.datetime64("2024-01-02", "us") + np.arange(count) * np.timedelta64(1, "m")
    x = np.full(count, 10.0)
    return Bars.from_arrays(symbol, "1m", us, x, x, x, x, x)


def in_thread(work: Any) -> None:
    """Run it beside, as another user of the database would."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert failures == []


def test_all_queries_see_one_state(db: Database, store: BarStore, database_url: str) -> None:
    store.write(bars(10), source="test")
    with db.read_transaction() as tx:
        before = tx.run("series.summary")
        if database_url != "sqlite://":  # memory is one connection: nobody writes meanwhile
            in_thread(lambda: store.write(bars(20), source="test"))
            assert store.series()[0].bars == 20
        assert tx.run("series.summary") == before
    assert store.write(bars(30), source="test").received == 30


def test_it_takes_no_writes_and_the_connection_does_afterwards(
    db: Database, store: BarStore
) -> None:
    store.write(bars(10), source="test")
    for _ in range(20):  # more than the pool has
        with (
            pytest.raises(errors.DatabaseReadOnlyError, match="only reads"),
            db.read_transaction() as tx,
        ):
            tx.run("series.touch", load_id=1, series_ids=[1])
    assert store.delete("AAPL").deleted == 10


def test_an_error_in_it_leaves_the_connection_usable(db: Database) -> None:
    for _ in range(20):  # more than the pool has
        with pytest.raises(RuntimeError), db.read_transaction() as tx:
            tx.run("series.summary")
            raise RuntimeError
        with pytest.raises(errors.DataError), db.read_transaction() as tx:
            tx.run("bars.latest", series_id=1, n=2**70)
    assert db.run("series.summary") == []


@pytest.mark.usefixtures("db")
def test_its_end_forgets_no_prepared_statement(database_url: str) -> None:
    if not database_url.startswith("postgresql"):
        return
    with jutsu_sql.connect(database_url, pool_size=1, max_overflow=0) as single:
        for _ in range(9):  # the driver prepares what is run for the fifth time
            with single.read_transaction() as tx:
                tx.run_all([("bars.latest", {"series_id": 1, "n": 1})])
        with single.connection() as pinned:
            text = "SELECT statement FROM pg_prepared_statements"
            prepared = [statement for (statement,) in pinned._raw.execute(text.encode())]
    assert any("FROM bars" in statement for statement in prepared)
