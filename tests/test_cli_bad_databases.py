"""Databases that cannot serve: one clear error each, nothing written, no password shown."""

from __future__ import annotations

import ctypes
import os
import socket
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql

import jutsu_sql
from jutsu_sql import Bars, BarStore
from jutsu_sql.cli import main

SECRET = "pl4nted/s3cret"
SECRET_IN_URL = "pl4nted%2Fs3cret"
READS = (
    ("series",),
    ("bars", "AAPL", "1D"),
    ("query", "series.summary"),
    ("delete", "--everything", "--dry-run"),
)
WRITES = (
    ("delete", "--everything", "--yes"),
    ("query", "series.touch", "--write", "-p", "load_id=1", "-p", "series_ids=[1]"),
    ("migrate", "--rollback", "--yes"),
)
LOOKS = (("info",), ("migrate", "--status"), ("migrate", "--dry-run"))
ALL = (*READS, *WRITES, *LOOKS, ("migrate",))


@pytest.fixture(autouse=True)
def bare_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration but what a test gives."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("DATABASE_", "POSTGRES_"))]:
        monkeypatch.delenv(name)


def run(*args: str) -> tuple[int, str]:
    """The exit status and all that was printed; anything but an orderly exit fails the test."""
    result = CliRunner().invoke(main, args, catch_exceptions=False)
    assert SECRET not in result.output
    assert SECRET_IN_URL not in result.output
    return result.exit_code, result.output


def fails(*args: str) -> str:
    status, output = run(*args)
    assert status == 1, output
    assert output.startswith("Error: "), output
    return output


def fill(url: str) -> None:
    with jutsu_sql.connect(url) as db:
        db.migrate()
        ts = np.arange("1990-01-01", "2010-01-01", dtype="M8[D]")
        one = np.ones(len(ts))
        BarStore(db).write(
            Bars.from_arrays("AAPL", "1D", ts, one, one, one, one, one), source="test"
        )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A migrated SQLite file with bars."""
    path = tmp_path / "market.db"
    fill(f"sqlite:///{path}")
    return path


@pytest.fixture
def server(postgres_database: str) -> str:
    """A migrated PostgreSQL database with bars."""
    fill(postgres_database)
    return postgres_database


# --- no database, or not this one -----------------------------------------------------------------


@pytest.mark.parametrize("args", ALL, ids=" ".join)
def test_nobody_listens(args: tuple[str, ...]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    url = f"postgresql://app:{SECRET_IN_URL}@127.0.0.1:{port}/market"
    assert f"cannot connect to postgresql://app@127.0.0.1:{port}/market" in fails(
        *args, "--url", url
    )


@pytest.mark.parametrize("args", ALL, ids=" ".join)
def test_a_login_that_the_server_refuses(args: tuple[str, ...], postgres_database: str) -> None:
    server = postgres_database.rpartition("@")[2]
    url = f"postgresql://n0body:{SECRET_IN_URL}@{server}"
    assert f"cannot connect to postgresql://n0body@{server}: " in fails(*args, "--url", url)


def test_a_database_that_the_server_does_not_have(postgres_database: str) -> None:
    server_url, _, name = postgres_database.rpartition("/")
    assert f'database "not_{name}" does not exist' in fails(
        "series", "--url", f"{server_url}/not_{name}"
    )


@pytest.mark.parametrize("args", [*READS, *WRITES], ids=" ".join)
def test_a_file_that_is_not_there_is_not_made(args: tuple[str, ...], tmp_path: Path) -> None:
    output = fails(*args, "--url", f"sqlite:///{tmp_path}/none/market.db")
    assert "market.db" in output
    assert "jutsu-sql migrate" in output
    assert not (tmp_path / "none").exists()


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    for args in ALL:
        assert str(tmp_path) in fails(*args, "--url", f"sqlite:///{tmp_path}")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    url = f"sqlite:///{tmp_path}/file/market.db"
    assert "market.db" in fails("migrate", "--url", url)


# --- the wrong schema -----------------------------------------------------------------------------


@pytest.mark.parametrize("args", READS, ids=" ".join)
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_not_migrated(
    args: tuple[str, ...], engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path}/empty.db"
    if engine == "sqlite":
        (tmp_path / "empty.db").touch()
    else:
        url = request.getfixturevalue("postgres_database")
    output = fails(*args, "--url", url)
    if args[0] != "query":
        assert ": run `jutsu-sql migrate`" in output
    assert "jutsu-sql migrate" in run("info", "--url", url)[1]


def test_sqlite_migrated_by_a_newer_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO _yoyo_migration (migration_hash, migration_id)"
            " VALUES ('x', 'sqlite-9999-x')"
        )
    refuses_a_newer_schema(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM bars").fetchone() == (7305,)


def test_postgresql_migrated_by_a_newer_version(server: str) -> None:
    with psycopg.connect(server) as connection:
        connection.execute(
            "INSERT INTO _yoyo_migration (migration_hash, migration_id)"
            " VALUES ('x', 'postgresql-9999-x')"
        )
    refuses_a_newer_schema(server)
    with psycopg.connect(server) as connection:
        assert connection.execute("SELECT count(*) FROM bars").fetchone() == (7305,)


def refuses_a_newer_schema(url: str) -> None:
    commands = [*READS, *WRITES, ("migrate",), ("migrate", "--dry-run")]
    for args in [each for each in commands if each[0] != "query"]:
        output = fails(*args, "--url", url)
        assert "-9999-x): upgrade jutsu_sql" in output
    assert "newer version" in run("info", "--url", url)[1]
    status, output = run("migrate", "--status", "--url", url)
    assert status == 1
    assert "unknown" in output


# --- damaged --------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", ALL, ids=" ".join)
def test_garbage_is_no_database(args: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "market.db"
    path.write_bytes(b"date,open,high,low,close,volume\n" * 200)
    before = path.read_bytes()
    output = fails(*args, "--url", f"sqlite:///{path}")
    assert "market.db: file is not a database" in output
    assert "backup" in output
    assert path.read_bytes() == before


def test_a_smashed_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    # All but the schema: the pages of bars among them.
    for start in range(30 * size, len(content), size):
        content[start : start + 64] = os.urandom(64)
    path.write_bytes(content)
    for args in (*READS[:2], ("delete", "--symbol", "AAPL", "--yes")):
        output = fails(*args, "--url", f"sqlite:///{path}")
        assert "malformed" in output
        assert "backup" in output


# --- locked ---------------------------------------------------------------------------------------


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


def test_a_locked_file_can_be_read_and_not_written(path: Path, tmp_path: Path) -> None:
    config = tmp_path / "short.yaml"
    config.write_text(f"type: sqlite\nsqlite: {{database: {path}, pool_timeout: 0.1}}\n")
    with locked(path):
        for args in (*READS, *LOOKS, ("migrate",)):
            status, output = run(*args, "--config", str(config))
            assert status == 0, output
        for args in WRITES[:2]:
            output = fails(*args, "--config", str(config))
            assert "locked" in output
            assert "try again" in output
    assert run("series", "--config", str(config))[1].split()[-3] == "7305"


def test_postgresql_gives_up_on_a_lock_when_told_to(server: str) -> None:
    url = f"{server}?options=-c%20lock_timeout%3D100"
    with psycopg.connect(server) as holder:
        holder.execute("LOCK TABLE bars IN ACCESS EXCLUSIVE MODE")
        for args in (*READS[:2], WRITES[0]):
            assert "lock timeout" in fails(*args, "--url", url)


# --- read-only ------------------------------------------------------------------------------------


@contextmanager
def unprivileged() -> Iterator[None]:
    """As somebody whom permissions bind. Root is, without the two capabilities that say it is not;
    another user might not reach a virtual environment or a checkout in a private folder.
    """
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    # linux/capability.h: version 3 of the header, for this thread; two words of three sets.
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, sets) == 0
    effective = sets[0]
    sets[0] = effective & ~(1 << 1 | 1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(header, sets) == 0
    try:
        yield
    finally:
        sets[0] = effective
        assert libc.capset(header, sets) == 0


@pytest.fixture
def open_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory that everybody can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        monkeypatch.chdir(folder)
        yield folder
        folder.chmod(0o755)


@pytest.mark.parametrize("args", [*READS, *WRITES], ids=" ".join)
def test_a_file_that_may_not_be_written(args: tuple[str, ...], open_folder: Path) -> None:
    path = open_folder / "market.db"
    url = f"sqlite:///{path}"
    fill(url)
    run(*args, "--url", f"sqlite:///{open_folder}/other.db")  # imports what it needs, as root
    before = path.read_bytes()
    path.chmod(0o444)
    open_folder.chmod(0o555)
    with unprivileged():
        output = fails(*args, "--url", url)
    assert "market.db" in output
    assert "permissions" in output
    assert path.read_bytes() == before


def test_a_folder_that_may_not_be_written(open_folder: Path) -> None:
    run("migrate", "--url", "sqlite:///:memory:")  # imports what it needs, as root
    open_folder.chmod(0o555)
    with unprivileged():
        output = fails("migrate", "--url", f"sqlite:///{open_folder}/market.db")
    assert "cannot create the database file" in output
    assert list(open_folder.iterdir()) == []


def set_read_only(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        statement = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on")
        connection.execute(statement.format(sql.Identifier(connection.info.dbname)))


def test_a_server_that_takes_no_writes_can_be_read(server: str) -> None:
    set_read_only(server)
    for args in (*READS, *LOOKS, ("migrate",)):
        status, output = run(*args, "--url", server)
        assert status == 0, output
    for args in WRITES:
        assert "read-only transaction" in fails(*args, "--url", server)
    assert run("series", "--url", server)[1].split()[-3] == "7305"


def test_a_server_that_takes_no_writes_is_not_migrated(postgres_database: str) -> None:
    set_read_only(postgres_database)
    assert "read-only transaction" in fails("migrate", "--url", postgres_database)
    assert run("migrate", "--status", "--url", postgres_database)[0] == 1
    assert run("migrate", "--dry-run", "--url", postgres_database)[0] == 0


# --- configuration --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        f"type: postgresql\npostgresql: {{host: h, port: 1, user: u, password: {SECRET}}}\n",
        f"type: oracle\npostgresql: {{password: {SECRET}}}\n",
        f"type: postgresql\npostgresql: {{host: h, pasword: {SECRET}}}\n",
        f"type: postgresql\npostgresql: {{password: {SECRET}, host: [\n",
    ],
)
def test_half_a_configuration(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    for args in (*READS, *LOOKS, ("migrate",)):
        assert "config.yaml" in fails(*args)


@pytest.mark.parametrize(
    "args",
    [
        ("--url", f"oracle://app:{SECRET_IN_URL}@h/d"),
        ("--url", f"app:{SECRET_IN_URL}@h/d"),
        ("--url", f"postgresql://app:{SECRET}@h/d"),
        ("--url", f"postgresql://app:{SECRET_IN_URL}@h:99999/d"),
        ("--config", f"postgresql://app:{SECRET_IN_URL}@h/d"),
    ],
)
def test_a_url_that_is_none(args: tuple[str, str]) -> None:
    for command in (("info",), ("migrate",), ("series",)):
        fails(*command, *args)
