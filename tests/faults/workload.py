"""One of each kind of load: what must be there before it, and the load itself."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ledger_model import Action, Delete, Key, Model, Undo, Write, check_ledger, check_report

import jutsu_sql
from faults.steps import fault_at
from jutsu_sql import BarStore, Connection, Database
from jutsu_sql.config import DIALECTS
from jutsu_sql.queries import Queries
from jutsu_sql.resources import SQL_DIR

QUERIES = Path(__file__).parents[1] / "sql"
SYMBOLS = "ABC"

# Parsed once, and so known to every writer that is forked from a process with this module.
for _dialect in DIALECTS:
    Queries.load(SQL_DIR, QUERIES, dialect=_dialect)

processes = multiprocessing.get_context("forkserver")


def rows(symbols: str, minutes: range, value: float) -> dict[Key, float]:
    return {(symbol, minute): value for symbol in symbols for minute in minutes}


class Load(NamedTuple):
    """A load that faults hit, what goes before it, and statements that it must consist of."""

    before: Sequence[Write]
    action: Callable[[Sequence[int]], Action]
    steps: frozenset[str]


FIRST = Write((rows("AB", range(40), 1.0),))
# Some of it is the same, some corrected, some new, and one series has not been there.
CORRECTION = Write(({**rows("AB", range(20, 60), 2.0), **rows("AC", range(10), 1.0)},))
PARTS = Write(
    (rows("A", range(30, 50), 2.0), {**rows("C", range(5), 1.0), **rows("B", range(9), 3.0)})
)

LOADS = {
    "fresh": Load([], lambda _: FIRST, frozenset({"series.insert", "bars.load, under way"})),
    "first": Load([], lambda _: FIRST, frozenset({"bars.load, under way", "bars.make_bare"})),
    "correction": Load(
        [FIRST],
        lambda _: CORRECTION,
        frozenset({"stage.load, under way", "stage.compare", "stage.merge_changed", "bars.load"}),
    ),
    "parts": Load([FIRST], lambda _: PARTS, frozenset({"stage.clear", "stage.drop"})),
    "delete": Load([FIRST], lambda _: Delete("A", 10, 29), frozenset({"bars.revise"})),
    "undo": Load(
        [FIRST, CORRECTION], lambda ids: Undo(ids[-1]), frozenset({"revisions.undo_stage"})
    ),
}


def connect(url: str) -> Database:
    """One try: what a fault leaves behind must be seen before anything is done again."""
    return jutsu_sql.connect(url, queries=QUERIES, retry_timeout=0)


def run(name: str, db: Database, action: Action) -> Any:
    with bare_loads() if name == "first" else nullcontext():
        return action.run(BarStore(db))


@contextmanager
def bare_loads() -> Iterator[None]:
    """Loads of any size go in as big ones do: without PostgreSQL's key, or SQLite's triggers."""
    run = Connection.run

    def as_if_big(self: Connection, name: str, /, **params: Any) -> Any:
        return run(self, name, **({"rows": 10**6} if name == "bars.bare_pays" else params))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "run", as_if_big)
        yield


def prepare(name: str, db: Database) -> tuple[Model, Action]:
    """Do what goes before a load; gives the model of it, and the load."""
    model, ids = Model(), []
    for action in LOADS[name].before:
        report = action.run(BarStore(db))
        check_report(report, model.run(report.load_id, action))
        ids.append(report.load_id)
    return model, LOADS[name].action(ids)


def check_done(db: Database, model: Model, action: Action, report: Any) -> None:
    """That a load is in, once, and that doing it again changes nothing."""
    check_report(report, model.run(report.load_id, action))
    check_ledger(db, model, SYMBOLS)
    again = action.run(BarStore(db))
    check_report(again, model.run(again.load_id, action))
    check_ledger(db, model, SYMBOLS)
    loads = BarStore(db).loads(1000)
    assert {load.load_id for load in loads} == model.known.keys()
    assert all(load.finished_at for load in loads)
    inserted, deleted = (
        sum(getattr(x, f"rows_{what}") for x in loads) for what in ("inserted", "deleted")
    )
    assert inserted - deleted == len(model.current())


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def send_report(to: Pipe, name: str, url: str, action: Action, step: int | str | None) -> None:
    with connect(url) as db, fault_at(step, die):
        to.send(run(name, db, action))


def run_until_killed(name: str, url: str, action: Action, step: int | str) -> Any:
    """What a load reports in a process of its own, which dies at a step; None if it did."""
    receiver, sender = processes.Pipe(duplex=False)
    writer = processes.Process(target=send_report, args=(sender, name, url, action, step))
    writer.start()
    sender.close()
    with receiver, suppress(EOFError):
        return receiver.recv()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    return None
