"""SQLite when its disk fails or a reader is in the way: nothing is written, and it says so."""

from __future__ import annotations

import itertools
import resource
import sqlite3
from pathlib import Path

import pytest
from ledger_model import contents

import jutsu_sql
from faults.workload import LOADS, QUERIES, check_done, connect, prepare, processes, run
from jutsu_sql import errors


@pytest.mark.parametrize("name", LOADS)
def test_a_file_that_may_not_grow(name: str, sqlite: str) -> None:
    """The disk is full after any number of pages; the connection lives on."""
    with connect(sqlite) as db:
        model, action = prepare(name, db)
        before = contents(db)
        with db.connection() as connection:
            raw = connection._raw
            (pages,) = raw.execute("PRAGMA page_count").fetchone()
        for more in itertools.count():
            raw.execute(f"PRAGMA max_page_count = {pages + more}")
            try:
                report = run(name, db, action)
            except errors.DatabaseFullError:
                assert contents(db) == before
                continue
            break
        raw.execute("PRAGMA max_page_count = 1000000")
        check_done(db, model, action, report)


def write_with_little_room(name: str, url: str) -> None:
    """No file may grow beyond a limit: what a full disk says when the log is written, at COMMIT."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    failures = 0
    with connect(url) as db:
        model, action = prepare(name, db)
        before = contents(db)
        for room in itertools.count(0, 4096):
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
            try:
                report = run(name, db, action)
            except errors.DatabaseError:
                resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
                assert contents(db) == before
                failures += 1
                continue
            break
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert failures
        check_done(db, model, action, report)


@pytest.mark.parametrize("name", LOADS)
def test_a_log_that_cannot_be_written(name: str, sqlite: str) -> None:
    writer = processes.Process(target=write_with_little_room, args=(name, sqlite))
    writer.start()
    writer.join()
    assert writer.exitcode == 0


def test_a_reader_that_is_in_the_way_at_commit(sqlite: str, tmp_path: Path) -> None:
    """Without a write-ahead log a COMMIT waits for readers, and gives up."""
    reader = sqlite3.connect(tmp_path / "bars.db", isolation_level=None)
    assert reader.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM loads").fetchone()
    with jutsu_sql.connect(sqlite, queries=QUERIES, pool_timeout=0.05, retry_timeout=0) as db:
        model, action = prepare("fresh", db)
        with pytest.raises(errors.DatabaseLockedError):
            run("fresh", db, action)
        reader.execute("COMMIT")
        assert contents(db)[1] == []
        check_done(db, model, action, run("fresh", db, action))
    reader.close()
