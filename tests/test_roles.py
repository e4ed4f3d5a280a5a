"""Each role can do its job, and nothing beyond it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql

import jutsu_sql
from jutsu_sql import Bars, BarStore
from jutsu_sql.bars import Series
from jutsu_sql.cli import main
from jutsu_sql.errors import DatabaseError, MigrationError, NotMigratedError, StatementError
from jutsu_sql.roles import JOBS, grant, plan_grants

# A name that ends every quotation that is not one.
ODD = "o\"d'd; $$ {role} % -- "
REFUSED = "permission denied|must be owner"


def bars(count: int, value: float = 1.0, symbol: str = "A") -> Bars:
    ts = np.datetime64("2024-01-02T00:00", "us") + np.arange(count) * np.timedelta64(
        60_000_000, "us"
    )
    prices = np.full(count, value)
    index = np.zeros(count, np.int32)
    return Bars((Series(symbol, "1m"),), index, ts, prices, prices, prices, prices, prices)


@pytest.fixture
def login(postgres_url: str) -> Iterator[Callable[..., str]]:
    """A function that gives a job to a new role on a database, and the URL to log in as it."""
    made: list[tuple[str, str]] = []

    def make(url: str, job: str, name: str = "role") -> str:
        role, password = f"{name}{secrets.token_hex(4)}", secrets.token_hex(8)
        with jutsu_sql.connect(url) as db:
            grant(db, plan_grants(db, {job: role}))
        with psycopg.connect(url, autocommit=True) as admin:
            alter = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
            admin.execute(alter.format(sql.Identifier(role), sql.Literal(password)))
        made.append((url, role))
        parts = urlsplit(url)
        netloc = f"{quote(role, safe='')}:{password}@{parts.hostname}:{parts.port}"
        return parts._replace(netloc=netloc).geturl()

    yield make
    for url, role in made:
        with psycopg.connect(url, autocommit=True) as admin:
            for text in (
                "REASSIGN OWNED BY {} TO CURRENT_USER",
                "DROP OWNED BY {}",
                "DROP ROLE {}",
            ):
                admin.execute(sql.SQL(text).format(sql.Identifier(role)))


def refuse(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as raw:
        for statement in statements:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                raw.execute(statement.encode())


DDL = (
    "CREATE TABLE mine (n int)",
    "ALTER TABLE bars ADD COLUMN n int",
    "ALTER TABLE bars DISABLE TRIGGER ALL",
    "DROP TABLE bars",
    "TRUNCATE bars",
    "CREATE TRIGGER mine AFTER INSERT ON bars EXECUTE FUNCTION renew_version()",
    "CREATE INDEX ON bars (ts)",
    "UPDATE bars_state SET version = NULL",
    "DELETE FROM _yoyo_migration",
    "UPDATE bar_revisions SET close = 2",
    "DELETE FROM bar_revisions",
    "DELETE FROM load_series",
    "DELETE FROM series",
)


def test_a_reader_reads_all_and_changes_nothing(
    migrated_postgres: str, login: Callable[..., str]
) -> None:
    with jutsu_sql.connect(migrated_postgres) as db:
        first = BarStore(db).write(bars(2000), source="test")
        BarStore(db).write(bars(10, 2.0), source="test")
    url = login(migrated_postgres, "reader")
    with jutsu_sql.connect(url) as db:
        assert db.migrate() == []
        store = BarStore(db)
        assert len(store.read("A", "1m")) == len(store.read("A", "1m", parallel=2)) == 2000
        known = store.loads(5)[1].finished_at
        assert store.read("A", "1m", as_of=known).close[0] == 1.0
        assert len(store.history("A", "1m", "2024-01-02T00:00Z")) == 2
        assert store.rejected(first.load_id) is not None
        assert len(store.latest("A", "1m", n=3)) == 3
        assert len(db.run("series.summary")) == 1
        for write in (
            lambda: store.write(bars(1, 3.0), source="test"),
            lambda: store.delete("A", "1m"),
            lambda: store.undo(first.load_id),
            lambda: db.copy_into("series", {"symbol": ["B"], "timeframe": ["1m"]}),
        ):
            with pytest.raises(StatementError, match=REFUSED):
                write()
    refuse(
        url,
        *DDL,
        "DELETE FROM bars",
        "UPDATE loads SET source = ''",
        "INSERT INTO loads DEFAULT VALUES",
    )


def test_a_loader_loads_deletes_and_undoes_without_ddl(
    migrated_postgres: str, login: Callable[..., str]
) -> None:
    url = login(migrated_postgres, "loader")
    with jutsu_sql.connect(url) as db:
        store = BarStore(db)
        # A first load that the owner would do without the key.
        assert store.write(bars(100_000), source="big").inserted == 100_000
        correction = store.write(bars(2000, 2.0), source="correction")
        assert correction.updated == 2000
        assert store.undo(correction.load_id).restored == 2000
        assert store.read("A", "1m").close.max() == 1.0
        assert store.delete("A", "1m", end="2024-01-02").deleted == 1440
        odd = [
            {
                "symbol": "A",
                "timeframe": "1m",
                "ts": "2024-01-02T00:00Z",
                "open": 1.0,
                "high": 0.0,
                "low": 1.0,
                "close": 1.0,
                "volume": 1.0,
            }
        ]
        assert store.write(odd, source="odd").rejected == 1
        parts = (bars(500, 3.0, symbol) for symbol in "BCD")
        assert store.write(parts, source="parts", parallel=2).inserted == 1500
        with (
            pytest.raises((MigrationError, DatabaseError), match=REFUSED),
            db.migrator() as migrator,
        ):
            migrator.rollback()
        assert len(store.read("B", "1m")) == 500
    refuse(url, *DDL)


def test_a_loader_stores_calendars_and_a_reader_reads_them(
    migrated_postgres: str, login: Callable[..., str]
) -> None:
    loader, reader = (login(migrated_postgres, job, job) for job in ("loader", "reader"))
    span = {"start": "2024-01-01", "end": "2024-01-31", "calendar": "24/7"}
    with jutsu_sql.connect(reader) as db, pytest.raises(StatementError, match="by a role that may"):
        BarStore(db).coverage("A", "1D", **span)
    with jutsu_sql.connect(loader) as db:
        asked = date(2024, 1, 1), date(2024, 1, 11)
        load = BarStore(db).write([], source="test", symbol="A", timeframe="1D", asked=asked)
        assert BarStore(db).coverage("A", "1D", **span).series[0].empty == 10
    with jutsu_sql.connect(reader) as db:
        assert BarStore(db).coverage("A", "1D", **span).series[0].never_fetched == 21
    with jutsu_sql.connect(loader) as db:
        BarStore(db).undo(load.load_id)
        assert BarStore(db).coverage("A", "1D", **span).series[0].never_fetched == 31


def test_a_migrator_migrates_and_owns(postgres_database: str, login: Callable[..., str]) -> None:
    with jutsu_sql.connect(postgres_database) as db, pytest.raises(NotMigratedError):
        plan_grants(db, {"reader": "nobody"})
    url = login(postgres_database, "migrator")
    with jutsu_sql.connect(url) as db:
        assert db.migrate()
        assert BarStore(db).write(bars(10), source="test").inserted == 10
        with db.migrator() as migrator:
            assert migrator.rollback()
        assert db.migrate()
    refuse(url, "CREATE ROLE mine", "CREATE DATABASE mine", "CREATE SCHEMA mine")


def test_what_somebody_else_has_migrated_is_handed_over(
    migrated_postgres: str, login: Callable[..., str]
) -> None:
    with jutsu_sql.connect(migrated_postgres) as db:
        BarStore(db).write(bars(2000), source="test")
    with jutsu_sql.connect(login(migrated_postgres, "migrator")) as db:
        # Bars are watched as before, and every trigger may still do what it does.
        assert db.run("snapshots.obstacle").obstacle is None
        assert BarStore(db).write(bars(20, 2.0), source="test").updated == 20
        with db.migrator() as migrator:
            assert migrator.rollback()
        assert db.migrate()


@pytest.mark.parametrize("job", JOBS)
def test_names_are_quoted(job: str, migrated_postgres: str, login: Callable[..., str]) -> None:
    url = login(migrated_postgres, job, ODD)
    with jutsu_sql.connect(url) as db:
        assert len(BarStore(db).series()) == 0
        with pytest.raises(DatabaseError):
            plan_grants(db, {"reader": "nul\0"})


def test_the_command_prints_and_applies(migrated_postgres: str) -> None:
    def run(*args: str, status: int = 0) -> Any:
        result = CliRunner().invoke(main, ["roles", *args, "--url", migrated_postgres])
        assert result.exit_code == status, result.output
        return result

    role = f"cli_{secrets.token_hex(4)}"
    printed = run("reader", "--name", role).stdout
    assert f'CREATE ROLE "{role}" NOLOGIN;' in printed
    assert "INSERT" not in printed
    every = run().stdout
    for job in JOBS:
        assert f'"jutsu_{job}"' in every
    assert "is for one job" in run("--name", role, status=2).stderr
    assert "nobody to ask" in run("reader", "--name", role, "--apply", status=1).stderr
    with psycopg.connect(migrated_postgres, autocommit=True) as admin:
        found = (
            "SELECT has_table_privilege(rolname, 'bars', 'SELECT') FROM pg_roles WHERE rolname = %s"
        )
        assert admin.execute(found, [role]).fetchone() is None
        run("reader", "--name", role, "--apply", "--yes")
        assert admin.execute(found, [role]).fetchone() == (True,)
        assert "CREATE ROLE" not in run("reader", "--name", role, "--apply", "--yes").stdout
        admin.execute(sql.SQL("DROP OWNED BY {0}").format(sql.Identifier(role)))
        admin.execute(sql.SQL("DROP ROLE {0}").format(sql.Identifier(role)))


def test_what_is_printed_is_what_runs(migrated_postgres: str) -> None:
    role = f"printed_{secrets.token_hex(4)}"
    with jutsu_sql.connect(migrated_postgres) as db:
        text = [t for each in plan_grants(db, dict.fromkeys(JOBS, role)) for t in each.statements]
    assert text.count(text[0]) == 3  # each job by itself: what is not there is made
    with psycopg.connect(migrated_postgres) as admin:
        for statement in dict.fromkeys(text):
            admin.execute(statement.encode())
        admin.rollback()


def test_a_file_has_no_roles(migrated_sqlite: str) -> None:
    result = CliRunner().invoke(main, ["roles", "--url", migrated_sqlite])
    assert (result.exit_code, "has no roles" in result.stderr) == (1, True)
