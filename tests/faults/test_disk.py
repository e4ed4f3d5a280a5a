"""A disk that is full or fails, or a reader in the way: nothing is written, and it says so."""

from __future__ import annotations

import itertools
import os
import resource
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from ledger_model import bars_of, contents

import jutsu_sql
from faults.workload import LOADS, QUERIES, check_done, connect, prepare, processes, rows, run
from jutsu_sql import BarStore, errors
from jutsu_sql.scratch_server import ScratchServer


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


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 3 MB that any user may write to."""
    directory = Path(tempfile.mkdtemp(prefix="small-", dir="/dev/shm"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=777", "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        directory.rmdir()
        pytest.skip("only root can mount a small file system, and not in every container")
    yield directory
    subprocess.run(["umount", "--lazy", str(directory)], check=True)
    directory.rmdir()


def test_a_tablespace_that_is_full(small_disk: Path, server: ScratchServer, postgres: str) -> None:
    """Correct: the load is refused by name (53100), not tried again, and nothing of it is there;
    once there is room, it goes in.
    """
    place = small_disk / "space"
    place.mkdir(mode=0o777)
    name = urlsplit(postgres).path.removeprefix("/")
    with psycopg.connect(server.url, autocommit=True) as owner:
        (data,) = owner.execute("SHOW data_directory").fetchone() or ("",)
        os.chown(place, Path(data).stat().st_uid, -1)
        place.chmod(0o700)
        owner.execute(f"CREATE TABLESPACE small LOCATION '{place}'".encode())
    try:
        with psycopg.connect(postgres, autocommit=True) as owner:
            owner.execute("ALTER TABLE bars SET TABLESPACE small")
        with jutsu_sql.connect(postgres, queries=QUERIES) as db:
            store = BarStore(db)
            few = rows("A", range(100), 1.0)
            store.write(bars_of(few), source="few")
            before = contents(db)
            with pytest.raises(errors.DatabaseFullError, match="make room"):
                store.write(bars_of(rows("B", range(80_000), 2.0)), source="many")
            assert contents(db) == before
            more = ["mount", "-o", "remount,size=40m", str(small_disk)]
            subprocess.run(more, check=True)
            assert store.write(bars_of(rows("B", range(80_000), 2.0)), source="many").inserted
            assert store.read("A", "1m").close.tolist() == [1.0] * 100
            assert store.read("B", "1m").close.tolist() == [2.0] * 80_000
    finally:
        with psycopg.connect(server.url, autocommit=True) as owner:
            owner.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
            owner.execute("DROP TABLESPACE small")
            owner.execute(f'CREATE DATABASE "{name}"'.encode())  # for the fixture to drop
