"""Migrations, by Python and by a bare yoyo: the same on both engines, and there and back."""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import jutsu_sql
from jutsu_sql import BarStore, Database, errors
from jutsu_sql.migrations import MigrationStatus, migration_status, pending_sql, shipped

ROOT = Path(__file__).parents[1]
QUERIES = Path(__file__).parent / "sql"


@pytest.fixture(params=["sqlite-file", "sqlite-memory", "postgresql"])
def empty_db(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_database: str
) -> Iterator[Database]:
    url = {
        "sqlite-file": f"sqlite:///{tmp_path}/100%25 mine.db",
        "sqlite-memory": "sqlite://",
        "postgresql": postgres_database,
    }[request.param]
    with jutsu_sql.connect(url, queries=QUERIES) as db:
        yield db


def objects(db: Database) -> list[tuple[str, ...]]:
    return [tuple(row) for row in db.run("testing.schema")]


def test_there_and_back_and_there(empty_db: Database) -> None:
    names = shipped(empty_db.config.dialect)
    before = objects(empty_db)
    assert empty_db.applied_migrations() == []
    assert objects(empty_db) == before
    assert empty_db.migrate() == names
    assert empty_db.migrate() == []
    migrated = objects(empty_db)
    assert len(migrated) > len(before)
    assert empty_db.applied_migrations() == names
    with empty_db.migrator() as migrator:
        assert migrator.rollback() == names[::-1]
        assert objects(empty_db) == before
        assert migrator.apply() == names
    assert objects(empty_db) == migrated


def test_status_and_pending() -> None:
    newer = "sqlite-9999-from-the-future"
    names = shipped("sqlite")
    assert migration_status([], "sqlite") == [MigrationStatus(name, False, True) for name in names]
    assert migration_status([newer, *names], "sqlite")[-1] == MigrationStatus(newer, True, False)
    assert len(migration_status(["0001-fills", *names], "sqlite")) == len(names)
    assert list(pending_sql([], "sqlite")) == names
    assert pending_sql(names, "sqlite") == {}


def test_every_migration_has_a_way_back() -> None:
    for dialect in ("postgresql", "sqlite"):
        for name in shipped(dialect):
            assert name.startswith(f"{dialect}-"), "ids are global to the process"
            assert (ROOT / "migrations" / dialect / f"{name}.rollback.sql").is_file()
    assert len(shipped("postgresql")) == len(shipped("sqlite")) > 0


def test_a_store_needs_the_schema(empty_db: Database) -> None:
    with pytest.raises(errors.NotMigratedError, match="jutsu-sql migrate"):
        BarStore(empty_db)
    empty_db.migrate()
    BarStore(empty_db)


def test_a_newer_schema_is_refused(empty_db: Database) -> None:
    empty_db.migrate()
    newer = f"{empty_db.config.dialect}-9999-from-the-future"
    empty_db.run("testing.note_migration", migration_id=newer)
    for attempt in (lambda: BarStore(empty_db), empty_db.migrate):
        with pytest.raises(errors.NewerSchemaError, match=newer):
            attempt()


def test_migrations_of_its_owner_are_none_of_the_toolkits(empty_db: Database) -> None:
    """Someone who keeps tables of their own by yoyo, in the same database."""
    names = shipped(empty_db.config.dialect)
    with empty_db.migrator() as migrator, migrator._locked():
        migrator._applied()  # makes yoyo's tables, as its command does
    empty_db.run("testing.note_migration", migration_id="0001-fills")
    assert empty_db.migrate() == names
    assert empty_db.migrate() == []
    BarStore(empty_db)
    with empty_db.migrator() as migrator:
        assert migrator.rollback() == names[::-1]
    assert empty_db.applied_migrations() == ["0001-fills"]


def test_a_lock_that_is_held_is_named(empty_db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jutsu_sql.migrations._LOCK_TIMEOUT_S", 0.01)
    with empty_db.migrator() as holder, holder._locked():
        if empty_db.config.database == ":memory:":
            return  # its only connection is the holder's
        with pytest.raises(errors.MigrationError, match="break-lock"):
            empty_db.migrate()
    assert empty_db.migrate()


def test_migrating_leaves_the_process_as_it_was() -> None:
    """yoyo's own backend replaces sqlite3's datetime adapter for every other user of it."""
    before = dict(sqlite3.adapters), dict(sqlite3.converters)
    with jutsu_sql.connect("sqlite://") as db:
        db.migrate()
    assert (dict(sqlite3.adapters), dict(sqlite3.converters)) == before
    assert (dt.datetime, sqlite3.PrepareProtocol) in sqlite3.adapters


@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "postgresql+psycopg"])
def test_a_bare_yoyo(engine: str, tmp_path: Path, postgres_database: str) -> None:
    url = postgres_database.replace("postgresql", engine, 1)
    if engine == "sqlite":
        url = f"sqlite:///{tmp_path}/50%25.db"
    environment = {**os.environ, "DATABASE_URL": url}

    def yoyo(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "yoyo", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    yoyo("apply")
    with jutsu_sql.connect(url) as db:
        assert db.migrate() == []
        assert BarStore(db).series() == []
    listing = yoyo("list")
    assert all(f"A         {name}" in listing for name in shipped(engine.partition("+")[0]))
    yoyo("rollback", "--all")
    yoyo("apply")
    with jutsu_sql.connect(url) as db:
        BarStore(db)
        with db.migrator() as migrator:
            migrator.rollback()
    assert "U         " in yoyo("list")
