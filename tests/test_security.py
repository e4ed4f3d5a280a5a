"""Encryption that is verified, waits that are bounded, and secrets that never show."""

from __future__ import annotations

import io
import logging
import os
import socket
import socketserver
import ssl
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import trustme
from click.testing import CliRunner
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import jutsu_sql
from jutsu_sql import BarStore, errors
from jutsu_sql.cli import main
from jutsu_sql.config import Config, load_config
from jutsu_sql.dialects.base import warn_once
from jutsu_sql.doctor import examine
from jutsu_sql.tls import find_tls_weakness

SECRET = "pl4nted-s3cret"
HOST = "db.example"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No configuration but the test's own, in a directory that is not named after it."""
    for name in os.environ:
        if name.startswith(("DATABASE_", "POSTGRES_", "SQLITE_", "PG", "JUTSU_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path_factory.mktemp("alone"))
    warn_once.cache_clear()


# TLS


SSL_REQUEST = struct.pack("!ii", 8, 80877103)  # protocol-message-formats.html


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, another one, and a certificate for HOST."""
    directory = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "ca.pem")
    trustme.CA().cert_pem.write_to_path(directory / "other_ca.pem")
    authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(
        directory / "server.pem"
    )
    return directory


@pytest.fixture(scope="module")
def tls_url(postgres_url: str, certificates: Path) -> Iterator[str]:
    """The server behind that certificate. Not every build of PostgreSQL has TLS of its own, so
    that what ends it stands in between, as many poolers do."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / "server.pem")
    parts = urlsplit(postgres_url)

    class Terminator(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if self.request.recv(8) != SSL_REQUEST:
                return
            self.request.sendall(b"S")
            with (
                suppress(OSError),  # who does not trust us hangs up
                context.wrap_socket(self.request, server_side=True) as client,
                socket.create_connection((parts.hostname, parts.port)) as server,
            ):
                back = threading.Thread(target=forward, args=(server, client))
                back.start()
                forward(client, server)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Terminator) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, args=(0.05,))
        thread.start()
        port = running.server_address[1]
        yield postgres_url.replace(f":{parts.port}/", f":{port}/")
        running.shutdown()
        thread.join()


def forward(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def by_name(url: str, host: str, **settings: Any) -> str:
    """The server's URL by another name than its address."""
    query = "&".join(f"{key}={value}" for key, value in settings.items())
    return f"{url.replace('127.0.0.1', host)}?hostaddr=127.0.0.1&{query}"


def test_the_full_verification_of_a_real_certificate(tls_url: str, certificates: Path) -> None:
    full = {"sslmode": "verify-full", "sslrootcert": certificates / "ca.pem"}
    with jutsu_sql.connect(by_name(tls_url, HOST, **full)) as db, db.connection() as connection:
        assert connection._raw.pgconn.ssl_in_use
        assert db.run("connection.version")
    with pytest.raises(errors.ConnectionFailedError, match="does not match host name"):
        jutsu_sql.connect(by_name(tls_url, "db2.example", **full))
    strange = {**full, "sslrootcert": certificates / "other_ca.pem"}
    with pytest.raises(errors.ConnectionFailedError, match="certificate verify failed"):
        jutsu_sql.connect(by_name(tls_url, HOST, **strange))


def test_a_server_without_tls_is_refused_where_it_is_asked_for(
    postgres_url: str, certificates: Path
) -> None:
    url = by_name(postgres_url, HOST, sslmode="verify-full", sslrootcert=certificates / "ca.pem")
    with pytest.raises(errors.ConnectionFailedError, match="does not support SSL"):
        jutsu_sql.connect(url)


@pytest.mark.parametrize(
    ("conninfo", "is_weak"),
    [
        ("", False),
        ("dbname=x", False),
        ("host=/run/postgresql", False),
        ("host=localhost", False),
        ("host=127.0.0.9", False),
        ("host=::1", False),
        ("host=db.example hostaddr=127.0.0.1", False),
        ("host=db.example", True),
        ("host=10.0.0.1", True),
        ("host=localhost,db.example", True),
        ("host=localhost hostaddr=10.0.0.1", True),
        ("host=db.example sslmode=disable", True),
        ("host=db.example sslmode=require", True),
        ("host=db.example sslmode=verify-ca", False),
        ("host=db.example sslmode=verify-full", False),
        ("host=db.example sslrootcert=system", False),
        ("host=db.example gssencmode=require", False),
    ],
)
def test_what_is_weak(conninfo: str, is_weak: bool) -> None:
    assert bool(find_tls_weakness(conninfo)) is is_weak


def test_the_environment_of_libpq_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.example")
    assert find_tls_weakness("dbname=x")
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert not find_tls_weakness("dbname=x")


def test_a_weak_connection_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        with pytest.raises(errors.ConnectionFailedError):
            jutsu_sql.connect(f"postgresql://u:{SECRET}@db.invalid/d?connect_timeout=1")
    (record,) = (r for r in caplog.records if "certificate" in r.message)
    assert record.levelname == "WARNING"
    assert "sslmode=verify-full" in record.message
    assert SECRET not in caplog.text


# Timeouts


def milliseconds(url: str) -> list[str]:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    with jutsu_sql.connect(url) as db, db.connection() as connection:
        return [connection._raw.execute(f"SHOW {name}".encode()).fetchone()[0] for name in names]


def test_timeouts_are_set_on_every_connection(
    migrated_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert milliseconds(migrated_postgres) == ["0", "0", "0"]
    query = "statement_timeout=60&lock_timeout=0.25&idle_in_transaction_timeout=90"
    assert milliseconds(f"{migrated_postgres}?{query}") == ["1min", "250ms", "90s"]
    monkeypatch.setenv("JUTSU_LOCK_TIMEOUT", "3")
    assert milliseconds(migrated_postgres) == ["0", "3s", "0"]
    Path("config.yaml").write_text(
        "type: postgresql\npostgresql: {statement_timeout: 7, lock_timeout: 9}\n"
    )
    assert milliseconds(migrated_postgres) == ["7s", "3s", "0"]
    with pytest.raises(errors.ConfigError, match="lock_timeout is -1, not a number of seconds"):
        load_config("sqlite://", lock_timeout=-1)


def test_what_takes_too_long_is_a_clear_error(migrated_postgres: str) -> None:
    query = "statement_timeout=0.05&lock_timeout=0.01&idle_in_transaction_timeout=0.05"
    with (
        psycopg.connect(migrated_postgres) as other,
        jutsu_sql.connect(
            f"{migrated_postgres}?{query}", queries=Path(__file__).parent / "sql"
        ) as db,
    ):
        other.execute("LOCK TABLE series")
        with pytest.raises(errors.DatabaseLockedError, match="lock timeout"):
            db.run("series.summary")
        other.rollback()
        with pytest.raises(errors.StatementTimeoutError, match="statement timeout"):
            db.run("testing.nap")
        with (
            pytest.raises(errors.ConnectionFailedError, match="idle-in-transaction"),
            db.transaction() as tx,
        ):
            tx.run("series.summary")
            other.execute("SELECT pg_sleep(0.3)")
            tx.run("series.summary")


def test_sqlite_waits_for_locks_alone(migrated_sqlite: str) -> None:
    for name in ("statement_timeout", "idle_in_transaction_timeout"):
        with pytest.raises(errors.ConfigError, match=f"SQLite has no {name}"):
            jutsu_sql.connect(f"{migrated_sqlite}?{name}=5")


# Secrets


def plants(url: str, port: int) -> dict[str, dict[str, Any]]:
    """Every way to configure a password: environment, .env and config.yaml, of the URL or of it."""
    secret_url = f"postgresql://ann:{SECRET}@127.0.0.1:{port}/bars?connect_timeout=1"
    parts = {
        "DATABASE_TYPE": "postgresql",
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": str(port),
        "POSTGRES_USER": "ann",
        "POSTGRES_PASSWORD": SECRET,
        "POSTGRES_DATABASE": "bars",
    }
    yaml = (
        f"type: postgresql\npostgresql: {{host: 127.0.0.1, port: {port}, user: ann,"
        f" password: {SECRET}, database: bars}}\n"
    )
    return {
        "argument": {"args": ["--url", secret_url]},
        "password in the query": {
            "args": ["--url", f"postgresql://ann@127.0.0.1:{port}/bars?password={SECRET}"]
        },
        "DATABASE_URL": {"environ": {"DATABASE_URL": secret_url}},
        "POSTGRES_PASSWORD": {"environ": parts},
        "PGPASSWORD": {
            "environ": {
                "DATABASE_URL": f"postgresql://ann@127.0.0.1:{port}/bars",
                "PGPASSWORD": SECRET,
            }
        },
        ".env URL": {"files": {".env": f"DATABASE_URL={secret_url}\n"}},
        ".env parts": {"files": {".env": "".join(f"{k}={v}\n" for k, v in parts.items())}},
        "config.yaml": {"files": {"config.yaml": yaml}},
        "malformed URL": {"args": ["--url", f"postgresql://ann:{SECRET}@h:port/bars"]},
        "malformed option": {"args": ["--url", f"{secret_url}&sslmode={SECRET}"]},
        "unencoded URL": {"args": ["--url", f"postgresql://ann:{SECRET}/@@h/bars"]},
        "malformed .env": {"files": {".env": f"DATABASE_URL\n{SECRET} = = '\n"}},
        "malformed config.yaml": {"files": {"config.yaml": f"postgresql: {{password: {SECRET}"}},
        "URL as a path": {"environ": {"SQLITE_DATABASE": secret_url, "DATABASE_TYPE": "sqlite"}},
    }


COMMANDS = (
    ("info",),
    ("info", "--json"),
    ("doctor", "--all"),
    ("doctor", "--json", "--deep"),
    ("stats",),
    ("stats", "--json"),
    ("series",),
    ("loads",),
    ("audit",),
    ("migrate", "--status"),
    ("roles",),
    ("query", "series.summary"),
)


@pytest.mark.parametrize("way", plants("", 1))
def test_no_output_shows_a_secret(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at port 1; what a live connection says is tested below."""
    plant = plants("", 1)[way]
    for name, value in plant.get("environ", {}).items():
        monkeypatch.setenv(name, value)
    for name, content in plant.get("files", {}).items():
        Path(name).write_text(content)
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    try:
        for command in COMMANDS:
            result = CliRunner().invoke(main, [*command, *plant.get("args", [])])
            shown = [
                result.output,
                str(result.exception),
                *traceback.format_exception(result.exception),
            ]
            assert SECRET not in "".join(shown), command
    finally:
        logging.getLogger().removeHandler(handler)
    assert SECRET not in log.getvalue()


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace.get_tracer", provider.get_tracer)
    return exporter


def test_no_object_of_a_live_database_shows_a_secret(
    migrated_postgres: str,
    spans: InMemorySpanExporter,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Reprs, echo, stats, the slow log, spans, errors with their whole chain and their frames'
    text, and the process list.
    """
    told = {"slow_query_ms": 1e-6, "slow_query_params": True, "slow_query_plan": True, "otel": True}
    secret = load_config(migrated_postgres).password
    assert len(secret) > 8
    replica = migrated_postgres.replace(secret, SECRET)
    config = load_config(migrated_postgres, echo=True, replicas=[replica], **told)
    seen: list[object] = [config, config.display_url]
    with jutsu_sql.connect(config=config) as db, db.connection() as connection:
        seen += [db, db.describe(), connection, vars(db), examine(migrated_postgres)]
        db.run("series.summary")
        BarStore(db).read("A", "1D")
        try:
            db.run("bars.latest", series_id="x", n="y")
        except errors.DatabaseError as error:
            seen += traceback.format_exception(error)
        stats = db.stats()
        assert "password authentication failed" in stats.replicas[0].error
        seen += [stats, stats.to_dict(), stats.to_json(), stats.to_prometheus(), db.activity()]
        seen.append(connection._raw.execute(b"SELECT * FROM pg_stat_activity").fetchall())
    wrong = Config("postgresql", "bars", config.conninfo.replace(secret, SECRET))
    try:
        jutsu_sql.connect(config=wrong)
    except errors.ConnectionFailedError as error:
        seen += [error.args, *traceback.format_exception(error)]
    assert "password authentication failed" in str(seen[-1])
    seen += [span.to_json() for span in spans.get_finished_spans()]
    assert '"name": "bars.latest"' in str(seen[-1])
    seen += [vars(record) for record in caplog.records]
    printed = capfd.readouterr()
    everything = "\n".join(map(repr, seen)) + printed.out + printed.err + caplog.text
    assert "series.summary" in caplog.text  # the echo
    assert "slow query: query_name='series.summary'" in caplog.text
    assert secret not in everything
    assert SECRET not in everything


def test_no_command_on_a_live_database_shows_its_secret(
    migrated_postgres: str, caplog: pytest.LogCaptureFixture
) -> None:
    secret = load_config(migrated_postgres).password
    for command in COMMANDS:
        result = CliRunner().invoke(main, [*command, "--url", migrated_postgres])
        assert isinstance(result.exception, SystemExit | None), command
        assert secret not in result.output + result.stderr, command
    assert secret not in caplog.text


def test_no_process_is_started_with_the_secret(postgres_url: str) -> None:
    """What a command line holds, every user of the machine may read."""
    code = (
        "import sys; sys.addaudithook(lambda event, args:"
        " event == 'subprocess.Popen' and print(args));"
        "from jutsu_sql.cli import main; main(['info'], standalone_mode=False)"
    )
    environ = {**os.environ, "DATABASE_URL": f"postgresql://ann:{SECRET}@127.0.0.1:1/bars"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert SECRET not in done.stdout + done.stderr
    password = load_config(postgres_url).password.encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            assert password not in path.read_bytes()
