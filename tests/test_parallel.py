"""A load over several connections: one outcome, whatever happens to its parts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import jutsu_sql
from jutsu_sql import Bars, BarStore, Connection, Database, errors
from jutsu_sql.cli import main

ROWS, SERIES = 6_000, 7


def batch(number: int = 0, series: int = SERIES, rows: int = ROWS) -> Bars:
    """Bars of several series; the higher the number, the higher their closes."""
    each = rows // series
    close = np.arange(each * series) % 100 + 1.0 + number
    minutes = np.tile(np.arange(each), series).astype("m8[m]") + np.datetime64("2024-01-01", "m")
    symbols = [f"S{code}" for code in range(series) for _ in range(each)]
    return Bars.from_arrays(
        symbols, "1m", minutes.astype("M8[us]"), close, close + 1, close - 1, close, close
    )


def closes(store: BarStore, **options: Any) -> list[float]:
    found: list[float] = store.read(
        [f"S{i}" for i in range(SERIES)], "1m", **options
    ).close.tolist()
    return found


@pytest.mark.parametrize("connections", [2, 3])
def test_it_does_what_one_connection_does(store: BarStore, db: Database, connections: int) -> None:
    first = store.write(batch(), source="m", parallel=connections, content_sha256="aa")
    rows = len(batch())
    assert (first.received, first.inserted, first.unchanged) == (rows, rows, 0)
    assert closes(store) == batch().close.tolist()
    again = store.write(batch(), source="m", parallel=connections)
    assert (again.inserted, again.updated, again.unchanged) == (0, 0, rows)
    half = batch(1)[: rows // 2]
    second = store.write(half, source="m", parallel=connections, on_conflict="update")
    assert (second.updated, second.unchanged) == (rows // 2, 0)
    known = [db.run("loads.find", load_id=r.load_id).finished_at for r in (first, second)]
    assert closes(store, as_of=known[0]) == batch().close.tolist()
    expected = [*half.close.tolist(), *batch().close.tolist()[rows // 2 :]]
    assert closes(store, as_of=known[1]) == closes(store) == expected
    assert store.undo(second.load_id).restored == rows // 2
    assert closes(store) == batch().close.tolist()
    with pytest.raises(errors.BarConflictError):
        store.write(batch(2), source="m", parallel=connections, on_conflict="error")
    assert closes(store) == batch().close.tolist()
    assert all(load.finished_at is not None for load in store.loads())


def test_content_counts_once_all_of_it_is_in(store: BarStore) -> None:
    first = store.write(batch(), source="m", parallel=2, content_sha256="aa")
    again = store.write(batch(), source="m", parallel=2, content_sha256="aa")
    assert (again.skipped, again.load_id) == (True, first.load_id)


def test_parts_of_an_iterator(store: BarStore) -> None:
    bars = batch()
    parts = [bars[start : start + 500] for start in range(0, len(bars), 500)]
    bad = batch(series=1, rows=10)
    bad.volume[3] = -1
    seen: list[int] = []
    report = store.write(iter([*parts, bad]), source="m", parallel=3, progress=seen.append)
    assert (report.received, report.inserted, report.rejected) == (len(bars) + 10, len(bars), 1)
    assert report.unchanged == 9
    assert seen[-1] == len(bars) + 10
    assert [r.position for r in store.rejected(report.load_id)] == [len(bars) + 3]
    assert closes(store) == bars.close.tolist()


@pytest.fixture
def postgres(migrated_postgres: str) -> Iterator[Database]:
    with jutsu_sql.connect(migrated_postgres) as db:
        yield db


def test_more_connections_than_the_pool_has(postgres: Database) -> None:
    with pytest.raises(errors.ConfigError, match="parallel=29 takes 31 connections"):
        BarStore(postgres).write(batch(), source="m", parallel=29)
    assert BarStore(postgres).loads() == []


def fail_part(monkeypatch: pytest.MonkeyPatch, number: int, error: BaseException) -> None:
    """Let so many parts commit, and the next ones fail."""
    run, turn, done = Connection.run, threading.Lock(), []

    def failing(self: Connection, name: str, /, **params: Any) -> Any:
        if name != "loads.add_part":
            return run(self, name, **params)
        with turn:
            done.append(name)
            if len(done) > number:
                raise error
            return run(self, name, **params)

    monkeypatch.setattr(Connection, "run", failing)


@pytest.mark.parametrize("error", [errors.StatementError("no"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("number", [0, 1, 2])
def test_what_is_in_of_a_load_that_fails_is_taken_back(
    postgres: Database, monkeypatch: pytest.MonkeyPatch, number: int, error: BaseException
) -> None:
    store = BarStore(postgres)
    store.write(batch(), source="before")
    fail_part(monkeypatch, number, error)
    with pytest.raises(type(error)):
        store.write(batch(1), source="m", parallel=3, content_sha256="aa")
    monkeypatch.undo()
    assert closes(store) == batch().close.tolist()
    kinds = [load.kind for load in store.loads()]
    assert kinds == (["undo", "write", "write"] if number else ["write"])
    assert all(load.finished_at is not None for load in store.loads())
    for load in (store.loads()[0], store.loads()[-1]):
        assert closes(store, as_of=load.finished_at) == batch().close.tolist()
    again = store.write(batch(1), source="m", parallel=3, content_sha256="aa")
    assert (again.skipped, again.updated) == (False, len(batch()))


WRITER = """
import sys, threading
import jutsu_sql
sys.path.insert(0, {tests!r})
from test_parallel import batch, Connection
run, turn, done = Connection.run, threading.Lock(), []

def stopping(self, name, /, **params):
    if name != "loads.add_part":
        return run(self, name, **params)
    with turn:
        done.append(name)
        if len(done) > {parts}:
            print("stopped", flush=True)
            threading.Event().wait()
    return run(self, name, **params)

Connection.run = stopping
with jutsu_sql.connect({url!r}) as db:
    jutsu_sql.BarStore(db).write(batch(1), source="killed", parallel=3)
"""


@pytest.fixture(params=[1, 2])
def killed(request: pytest.FixtureRequest, postgres: Database, migrated_postgres: str) -> BarStore:
    """A store in which a writer was killed when so many of its three parts were in."""
    store = BarStore(postgres)
    store.write(batch(), source="before")
    code = WRITER.format(
        tests=str(Path(__file__).parent), url=migrated_postgres, parts=request.param
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"stopped\n"
        os.kill(writer.pid, signal.SIGKILL)
    return store


def test_a_load_whose_writer_is_gone_says_what_is_in(killed: BarStore, postgres: Database) -> None:
    load = killed.loads(1)[0]
    changed = [now != before for now, before in zip(closes(killed), batch().close, strict=True)]
    assert (load.finished_at, load.source) == (None, "killed")
    assert 0 < load.rows_updated == load.rows_received == sum(changed) < len(batch())
    touched = postgres.run("loads.series", load_id=load.load_id)
    assert 0 < len(touched) <= SERIES
    # Nobody knew any of it yet.
    assert closes(killed, as_of=load.started_at) == batch().close.tolist()


def test_the_same_write_completes_a_load_whose_writer_is_gone(killed: BarStore) -> None:
    was = killed.loads(1)[0]
    report = killed.write(batch(1), source="again", parallel=2)
    assert (report.updated, report.unchanged) == (len(batch()) - was.rows_updated, was.rows_updated)
    assert closes(killed) == batch(1).close.tolist()
    assert all(load.finished_at is not None for load in killed.loads())


def test_undo_takes_back_a_load_whose_writer_is_gone(
    killed: BarStore, migrated_postgres: str
) -> None:
    was = killed.loads(1)[0]
    listed = CliRunner().invoke(main, ["loads", "--url", migrated_postgres])
    assert "unfinished" in listed.output
    undone = CliRunner().invoke(
        main, ["undo", str(was.load_id), "--yes", "--url", migrated_postgres]
    )
    assert f"{was.rows_updated} bars put back" in undone.output
    assert "(write by killed, unfinished:" in undone.output
    assert closes(killed) == batch().close.tolist()


def test_a_part_does_not_come_after_its_load_was_closed(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = BarStore(postgres)
    run = Connection.run

    def closing(self: Connection, name: str, /, **params: Any) -> Any:
        if name == "loads.add_part":
            with postgres.transaction() as tx:
                run(tx, "loads.close", load_id=params["load_id"])
        return run(self, name, **params)

    monkeypatch.setattr(Connection, "run", closing)
    with pytest.raises(errors.TransactionError, match="was closed by another one"):
        store.write(batch(), source="m", parallel=2)
    monkeypatch.undo()
    assert closes(store) == []
