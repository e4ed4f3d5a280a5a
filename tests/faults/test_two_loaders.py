"""Two loaders of one database neither deadlock nor lose rows, and readers never see half a load."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg
import pytest
from ledger_model import (
    Action,
    Delete,
    Key,
    Model,
    Undo,
    Write,
    bars_of,
    check_ledger,
    check_report,
    closes,
)

from faults.steps import fault_at
from faults.workload import SYMBOLS, bare_loads, connect, processes, rows
from jutsu_sql import BarStore, errors

WITHIN_S = 60.0
ROUNDS = 12
Done = list[tuple[Action, Any]]


@contextmanager
def running(*works: Callable[[], None]) -> Iterator[None]:
    """Threads beside a block, which ends when they have ended; what one raised is raised."""
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(WITHIN_S)
        assert not thread.is_alive(), "deadlock"
    if failures:
        raise failures[0]


def write_of(chance: random.Random, symbols: Sequence[str]) -> Write:
    """Overlapping rows of some of the symbols, in the given order."""
    chosen = [symbol for symbol in symbols if chance.random() < 0.8] or [symbols[0]]
    batch: dict[Key, float] = {}
    for symbol in chosen:
        first = chance.randrange(30)
        batch |= rows(symbol, range(first, first + 20), float(chance.randrange(1, 4)))
    return Write((batch,))


def load_at_random(url: str, seed: int, symbols: Sequence[str]) -> Done:
    """Writes, deletes and undos of one loader, with what was reported of each."""
    chance, done = random.Random(seed), Done()
    with connect(url) as db:
        store = BarStore(db)
        for _ in range(ROUNDS):
            what, action = chance.random(), write_of(chance, symbols)
            if what < 0.15:
                first = chance.randrange(40)
                action = Delete(chance.choice(symbols), first, first + 10)
            elif what < 0.3 and done:
                action = Undo(chance.choice(done)[1].load_id)
            done.append((action, action.run(store)))
    return done


def send_loads(to: Any, url: str, seed: int, symbols: Sequence[str]) -> None:
    to.send(load_at_random(url, seed, symbols))


def in_threads(url: str, seeds: Sequence[int], orders: Sequence[Sequence[str]]) -> Done:
    done = Done()

    def load(seed: int, order: Sequence[str]) -> None:
        done.extend(load_at_random(url, seed, order))

    with running(*(partial(load, *one) for one in zip(seeds, orders, strict=True))):
        pass
    return done


def in_processes(url: str, seeds: Sequence[int], orders: Sequence[Sequence[str]]) -> Done:
    done, children = Done(), []
    for seed, order in zip(seeds, orders, strict=True):
        receiver, sender = processes.Pipe(duplex=False)
        child = processes.Process(target=send_loads, args=(sender, url, seed, order))
        child.start()
        sender.close()
        children.append((child, receiver))
    for child, receiver in children:
        with receiver:
            done += receiver.recv()
        child.join()
    return done


def check_serial(url: str, done: Done) -> None:
    """That everything is as if the loads had been one after the other."""
    with connect(url) as db:
        finished = {x.load_id: x.finished_at for x in BarStore(db).loads(10_000)}
        assert finished.keys() == {report.load_id for _, report in done}
        model = Model()
        for action, report in sorted(done, key=lambda one: finished[one[1].load_id]):
            if isinstance(action, Delete) and not report.deleted:
                continue  # it may have locked nothing, and so belong anywhere
            check_report(report, model.run(report.load_id, action))
        check_ledger(db, model, SYMBOLS)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("orders", [("ABC", "ABC"), ("ABC", "CBA")], ids="-".join)
@pytest.mark.parametrize("start", [in_threads, in_processes])
def test_two_loaders_are_as_good_as_one_after_the_other(
    start: Callable[..., Done], orders: Sequence[str], seed: int, engine_url: str
) -> None:
    """From nothing, so that both make the series and want the table alone for a first load."""
    check_serial(engine_url, start(engine_url, [2 * seed, 2 * seed + 1], orders))


@pytest.mark.parametrize("seed", range(3))
def test_two_first_loads_and_a_reader(seed: int, postgres: str) -> None:
    """All of them want the table at once, two of them without its key."""
    chance, done = random.Random(seed), Done()
    actions = [Write((rows("AB", range(50), 1.0),)), Write((rows("BA", range(25, 75), 2.0),))]
    together = threading.Barrier(3)

    def load(action: Write, pause_s: float) -> None:
        with connect(postgres) as db:
            store = BarStore(db)
            together.wait()
            threading.Event().wait(pause_s)
            done.append((action, action.run(store)))

    def read() -> None:
        with connect(postgres) as db:
            store = BarStore(db)
            together.wait()
            while len(done) < 2:
                seen = closes(store.read(["A", "B"], "1m"))
                assert len(seen) in {0, 100, 150}

    pauses = [chance.uniform(0, 0.01) for _ in actions]
    loads = (lambda a=a, p=p: load(a, p) for a, p in zip(actions, pauses, strict=True))
    with bare_loads(), running(*loads, read):
        pass
    check_serial(postgres, done)
    with connect(postgres) as db:
        keys = [
            row.name for row in db.run("testing.schema") if "PRIMARY KEY (series_id, ts)" in row.how
        ]
        assert "bars" in keys


def test_a_delete_sees_the_series_that_were_made_while_it_waited(postgres: str) -> None:
    with connect(postgres) as db, ThreadPoolExecutor(1) as other:
        store = BarStore(db)
        store.write(bars_of(rows("A", range(10), 1.0)), source="0")
        deletes = []

        def delete() -> None:
            if deletes:
                return  # its own statement
            deletes.append(other.submit(store.delete, everything=True))
            with psycopg.connect(postgres, autocommit=True) as session:
                waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                while session.execute(waiting).fetchone() == (0,):
                    time.sleep(0.005)

        with fault_at("loads.finish", delete):
            store.write(bars_of(rows("AB", range(20), 2.0)), source="1")
            assert deletes[0].result().deleted == 40
        assert len(store.read(["A", "B"], "1m")) == 0


def test_a_reader_never_sees_half_a_load(engine_url: str) -> None:
    """Each load gives all bars one value."""
    with connect(engine_url) as db:
        store = BarStore(db)
        store.write(bars_of(rows(SYMBOLS, range(200), 0.0)), source="0")
        is_over = threading.Event()

        def read() -> None:
            with connect(engine_url) as own:
                while not is_over.is_set():
                    for symbols in ("A", list(SYMBOLS)):
                        assert len(set(BarStore(own).read(symbols, "1m").close.tolist())) == 1

        with running(read, read):
            for number in range(1, 30):
                store.write(bars_of(rows(SYMBOLS, range(200), float(number))), source=f"{number}")
            is_over.set()


def raw_insert(url: str, value: float) -> None:
    """Plain SQL by somebody who takes no lock."""
    with psycopg.connect(url) as session:
        session.execute(
            "INSERT INTO bars SELECT series_id, 1, '2024-01-02 00:05Z', x, x, x, x, x"
            " FROM series, (VALUES (%s::float8)) AS v (x) WHERE symbol = 'A'"
            " ON CONFLICT DO NOTHING",
            [value],
        )


@pytest.mark.parametrize("value", [1.0, 9.0])
def test_plain_sql_that_slips_between_the_probe_and_the_copy(value: float, postgres: str) -> None:
    with connect(postgres) as db:
        store = BarStore(db)
        store.write(bars_of(rows("A", range(100, 110), 1.0)), source="0")
        with fault_at("bars.load", lambda: raw_insert(postgres, value)):
            report = store.write(bars_of(rows("A", range(10), 1.0)), source="1")
        assert (report.inserted, report.updated + report.unchanged) == (9, 1)
        assert report.updated == (value == 9.0)
        assert set(store.read("A", "1m").close.tolist()) == {1.0}


@pytest.mark.parametrize("value", [1.0, 9.0])
def test_plain_sql_that_slips_between_the_comparison_and_the_merge(
    value: float, postgres: str
) -> None:
    with connect(postgres) as db:
        store = BarStore(db)
        store.write(bars_of(rows("A", [0, 9_000], 1.0)), source="0")
        sparse = bars_of(rows("A", [0, 5, 9_000, 10_000], 1.0))
        with fault_at("stage.merge_new", lambda: raw_insert(postgres, value)):
            report = store.write(sparse, source="1")
        assert (report.inserted, report.updated, report.unchanged) == (
            1,
            int(value == 9.0),
            2 + int(value == 1.0),
        )
        assert store.read("A", "1m").close.tolist() == [1.0] * 4


def test_parts_in_opposite_orders_may_deadlock_and_nothing_is_lost(postgres: str) -> None:
    """Only within a part are series locked in one order; PostgreSQL then ends one of the loads."""
    together = threading.Barrier(2)
    done: Done = []
    refused: list[errors.TransactionError] = []
    first = Write((rows("AB", range(10), 1.0),))

    def load(order: str, value: float) -> None:
        action = Write(tuple(rows(symbol, range(10), value) for symbol in order))

        def parts() -> Iterator[Any]:
            for number, part in enumerate(action.parts):
                yield bars_of(part)
                if number == 0:
                    together.wait(WITHIN_S)

        with connect(postgres) as db:
            store = BarStore(db)
            try:
                report = store.write(parts(), source=order, observed_at=action.observed)
            except errors.TransactionError as error:
                refused.append(error)
                report = action.run(store)
            done.append((action, report))

    with connect(postgres) as db:
        done.append((first, first.run(BarStore(db))))
    with running(lambda: load("AB", 2.0), lambda: load("BA", 3.0)):
        pass
    (error,) = refused
    assert error.retryable
    assert "deadlock detected" in str(error)
    assert "run the whole transaction again" in str(error)
    check_serial(postgres, done)
