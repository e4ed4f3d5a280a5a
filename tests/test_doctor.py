"""What `jutsu-sql doctor` looks for is planted, and each is found; a clean database has none."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from conftest import created_database, migrated_template

import jutsu_sql
from jutsu_sql import BarStore
from jutsu_sql.cli import main
from jutsu_sql.doctor import Finding, Severity, examine
from jutsu_sql.roles import grant, plan_grants
from jutsu_sql.scratch_server import scratch_server

BAR = {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1.0}
BARS = [{"symbol": "A", "timeframe": "1m", "ts": "2024-01-02T00:00Z", **BAR}]
SOUND = {"ok", "info"}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No configuration but the test's own."""
    for name in os.environ:
        if name.startswith(("DATABASE_", "POSTGRES_", "SQLITE_", "PG")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def wrong(findings: list[Finding]) -> dict[str, str]:
    """What is to be mended, by check."""
    return {f.check: f.found for f in findings if f.severity not in SOUND}


def execute(url: str, *statements: str) -> None:
    if url.startswith("sqlite"):
        with jutsu_sql.connect(url) as db, db.connection() as connection:
            for statement in statements:
                connection._raw.execute(statement)
        return
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


# A clean database


def test_a_clean_file(migrated_sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jutsu_sql.dialects.sqlite._find_version_weakness", lambda _: None)
    os.chmod("bars.db", 0o600)
    with jutsu_sql.connect(migrated_sqlite) as db:
        BarStore(db).write(BARS, source="test")
    findings = examine(migrated_sqlite, deep=True)
    assert {f.severity for f in findings} == {Severity.OK}, findings
    assert len({f.check for f in findings}) == len(findings) > 12


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server as it should be set up: the one that tests share gives up crash safety."""
    with scratch_server(settings={"track_commit_timestamp": "on"}) as running:
        yield running.url


@pytest.fixture(scope="module")
def template(server: str) -> Iterator[str]:
    with migrated_template(server) as name:
        yield name


@pytest.fixture
def postgres(server: str, template: str) -> Iterator[str]:
    with created_database(server, template) as url:
        yield url


@pytest.fixture
def loader(postgres: str) -> Iterator[str]:
    """The URL of a role that may do just what a loader has to."""
    role, password = f"loader_{secrets.token_hex(4)}", secrets.token_hex(8)
    with jutsu_sql.connect(postgres) as db:
        grant(db, plan_grants(db, {"loader": role}))
    execute(postgres, f"ALTER ROLE {role} LOGIN PASSWORD '{password}'")
    yield postgres.replace(
        postgres[len("postgresql://") : postgres.index("@")], f"{role}:{password}"
    )
    execute(postgres, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_clean_server(loader: str) -> None:
    with jutsu_sql.connect(loader) as db:
        BarStore(db).write(BARS, source="test")
    findings = examine(loader, deep=True)
    assert wrong(findings) == {}
    assert len({f.check for f in findings}) == len(findings) > 20
    # What the role may not look at is said, and by whom it could be.
    (skipped,) = (f for f in findings if f.check == "wal_growth")
    assert skipped.severity == "info"
    assert "pg_ls_waldir" in skipped.found
    assert "pg_monitor" in skipped.remedy


# Planted in both engines

PLANTED = {
    "orphan_bars": (
        "INSERT INTO bars VALUES (77, 1, {ts}, 1, 1, 1, 1, 1)",
        "bars of 1 series that do not exist, series_id 77",
    ),
    "orphan_loads": ("UPDATE series SET last_load_id = 88", "1 loads are named"),
    "loads_of_bars": ("UPDATE bars SET load_id = 99", "load_id 99 the first"),
    "unfinished_loads": ("UPDATE loads SET finished_at = NULL, started_at = {ts}", "load_id 1"),
    "clock": ("UPDATE loads SET finished_at = {future}", "load 1 ended in the future"),
    "snapshot_guard": ("{trigger}", "just the triggers"),
}
TEXTS = {
    "sqlite": {
        "ts": "0",
        "future": "4102444800000000",
        "trigger": "CREATE TRIGGER mine AFTER INSERT ON loads BEGIN SELECT 1; END",
    },
    "postgresql": {
        "ts": "'1970-01-01'",
        "future": "'2100-01-01'",
        "trigger": "ALTER TABLE bars DISABLE TRIGGER renew",
    },
}


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_what_is_planted_in_both_engines_is_found(
    engine: str, request: pytest.FixtureRequest
) -> None:
    """All at once: no check hides another's finding."""
    url = request.getfixturevalue("migrated_sqlite" if engine == "sqlite" else "postgres")
    with jutsu_sql.connect(url) as db:
        BarStore(db).write(BARS, source="test")
        BarStore(db).write([{**BARS[0], "symbol": "EMPTY"}], source="test")
        BarStore(db).delete("EMPTY")
    execute(url, *(statement.format(**TEXTS[engine]) for statement, _ in PLANTED.values()))
    findings = examine(url, deep=True)
    found = wrong(findings)
    for check, (_, says) in PLANTED.items():
        if check not in {"unfinished_loads", "clock"}:
            assert says in found[check], check
    assert any(f.check == "empty_series" and f.severity == "info" for f in findings)
    assert all(f.remedy for f in findings if f.severity not in SOUND)


@pytest.mark.parametrize("check", ["unfinished_loads", "clock"])
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_loads_out_of_time(check: str, engine: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("migrated_sqlite" if engine == "sqlite" else "postgres")
    with jutsu_sql.connect(url) as db:
        BarStore(db).write(BARS, source="test")
    statement, says = PLANTED[check]
    assert check not in wrong(examine(url))
    execute(url, statement.format(**TEXTS[engine]))
    assert says in wrong(examine(url))[check]


def test_migrations(tmp_path: Path, migrated_sqlite: str) -> None:
    assert "there is no database file" in wrong(examine("sqlite:///none.db"))["migrations"]
    assert not Path("none.db").exists()
    jutsu_sql.connect("sqlite:///empty.db").close()
    assert "lacks sqlite-0001-bars" in wrong(examine("sqlite:///empty.db"))["migrations"]
    execute(
        migrated_sqlite,
        "INSERT INTO _yoyo_migration SELECT 'x', 'sqlite-9999-later', applied_at_utc"
        " FROM _yoyo_migration LIMIT 1",
    )
    assert "sqlite-9999-later" in wrong(examine(migrated_sqlite))["migrations"]


# SQLite


def test_a_damaged_file(migrated_sqlite: str) -> None:
    with jutsu_sql.connect(migrated_sqlite) as db:
        BarStore(db).write(
            [
                {**BARS[0], "ts": datetime(2024, 1, 2, tzinfo=UTC) + timedelta(minutes=n)}
                for n in range(900)
            ],
            source="test",
        )
    content = bytearray(Path("bars.db").read_bytes())
    content[-4096 * 3 : -4096 * 2] = b"\xff" * 4096
    Path("bars.db").write_bytes(content)
    assert examine(migrated_sqlite, deep=True)[-1].severity == "error"
    assert "file_damage" in wrong(examine(migrated_sqlite, deep=True))


def test_a_log_that_has_grown_and_a_full_disk(
    migrated_sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "jutsu_sql.dialects.sqlite.SqliteDialect.describe",
        lambda _: {
            "engine": "SQLite",
            "driver": "sqlite3",
            "file_bytes": 2**30,
            "wal_bytes": 2**30,
            "disk_free_bytes": 2**20,
            "warning": "SQLite 3.40.1 can lose a commit",
        },
    )
    found = wrong(examine(migrated_sqlite))
    assert found["wal_file"] == "the write-ahead log has 1024 MiB"
    assert found["disk_space"] == "the disk has 1 MiB free"
    assert "can lose a commit" in found["library_version"]


def test_files_that_others_may_use(migrated_sqlite: str, postgres: str) -> None:
    os.chmod("bars.db", 0o666)
    assert "everybody may write" in wrong(examine(migrated_sqlite))["secrets"]
    Path(".env").write_text(f"DATABASE_URL={postgres}\n")
    os.chmod(".env", 0o644)
    found = wrong(examine())["secrets"]
    assert found.endswith(".env holds the password, and others may read it")
    os.chmod(".env", 0o600)
    assert "secrets" not in wrong(examine())


# The configuration


def test_a_configuration_that_contradicts_itself(
    migrated_sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "is the default" in wrong(examine())["configuration"]
    assert wrong(examine("mysql://u@h/db")).keys() == {"configuration"}
    late = f"{migrated_sqlite}?statement_timeout=5&lock_timeout=9"
    assert "never comes before" in wrong(examine(late))["configuration"]
    Path("config.yaml").write_text(
        "type: postgresql\npostgresql: {host: h, port: 1, user: u, password: '', database: d}\n"
    )
    monkeypatch.setenv("DATABASE_URL", migrated_sqlite)
    assert "config.yaml says postgresql://u@h:1/d" in wrong(examine())["configuration"]


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    found = wrong(examine("postgresql://ann:s3cret@db.invalid/bars?connect_timeout=1"))
    assert "cannot connect" in found["connection"]
    assert "sslmode=prefer does not verify the certificate of db.invalid" in found["tls"]
    assert "s3cret" not in str(found)


# PostgreSQL


def test_sessions_slots_settings_and_rights(postgres: str) -> None:
    slot = f"slot_{secrets.token_hex(4)}"
    with psycopg.connect(postgres) as idle:
        idle.execute("SELECT 1")
        pid, database = idle.info.backend_pid, idle.info.dbname
        execute(
            postgres,
            f"SELECT pg_create_physical_replication_slot('{slot}', true)",
            f"ALTER DATABASE {database} SET synchronous_commit = off",
            "GRANT CREATE ON SCHEMA public TO PUBLIC",
        )
        try:
            later = datetime.now(UTC) + timedelta(hours=1)
            findings = examine(f"{postgres}?pool_size=500", now=later)
        finally:
            execute(postgres, f"SELECT pg_drop_replication_slot('{slot}')")
    found = {check: [f.found for f in findings if f.check == check] for check in wrong(findings)}
    assert f"process {pid} of postgres left" in found["long_transactions"][0]
    assert found["replication_slots"] == [
        f"the replication slot {slot} is inactive, and keeps the log"
    ]
    assert found["server_settings"] == ["synchronous_commit is off"]
    assert any("postgres is a superuser" in text for text in found["role_rights"])
    assert any("everybody may create" in text for text in found["role_rights"])
    assert "the pool may grow to 520" in found["connections"][0]
    assert "s from ours" in found["clock_skew"][0]


def test_indexes_and_rows(postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as raw:
        raw.execute(
            "INSERT INTO bars SELECT 1, 1, to_timestamp(n), 1, 1, 1, 1, n / 2"
            " FROM generate_series(1, 120000) n"
        )
        raw.execute("DELETE FROM bars WHERE ts < to_timestamp(60000)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            raw.execute("CREATE UNIQUE INDEX CONCURRENTLY half ON bars (volume)")
        raw.execute("ALTER TABLE bars DROP CONSTRAINT bars_pkey")
        raw.execute("SELECT pg_stat_force_next_flush()")
    findings = examine(postgres)
    indexes = [f.found for f in findings if f.check == "indexes"]
    assert indexes == ["bars has no primary key", "the index half is invalid"]
    assert any("bars has 59999 dead rows" in f.found for f in findings)
    assert any("since its statistics were made" in f.found for f in findings)


def test_a_reader_who_may_not_read(postgres: str) -> None:
    execute(
        postgres,
        "CREATE ROLE stranger LOGIN PASSWORD 'x'",
        "GRANT SELECT ON _yoyo_migration TO stranger",
    )
    try:
        url = postgres.replace(postgres[len("postgresql://") : postgres.index("@")], "stranger:x")
        assert "may not read bar_revisions, bars" in wrong(examine(url))["role_rights"]
    finally:
        execute(postgres, "DROP OWNED BY stranger", "DROP ROLE stranger")


def test_damaged_keys_by_amcheck(postgres: str) -> None:
    (before,) = (f for f in examine(postgres, deep=True) if f.check == "key_damage")
    assert (before.severity, "bt_index_check" in before.found) == ("info", True)
    execute(postgres, "CREATE EXTENSION amcheck")
    (after,) = (f for f in examine(postgres, deep=True) if f.check == "key_damage")
    assert after.severity == "ok"


# The command


def run(*args: str) -> Any:
    return CliRunner().invoke(main, ["doctor", *args])


def test_the_exit_status_is_what_monitoring_expects(
    migrated_sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jutsu_sql.dialects.sqlite._find_version_weakness", lambda _: None)
    os.chmod("bars.db", 0o600)
    well = run("--url", migrated_sqlite)
    assert well.exit_code == 0
    assert "nothing wrong" in well.stderr
    execute(migrated_sqlite, "UPDATE bars_state SET triggers = ''")
    warned = run("--url", migrated_sqlite)
    assert (warned.exit_code, "snapshot_guard" in warned.stdout) == (1, True)
    assert "orphan_bars" not in warned.stdout
    assert "orphan_bars" in run("--all", "--url", migrated_sqlite).stdout
    execute(
        migrated_sqlite,
        "UPDATE series SET last_load_id = 1",
        "INSERT INTO bars VALUES (77, 1, 0, 1, 1, 1, 1, 1)",
    )
    failed = run("--json", "--url", migrated_sqlite)
    assert failed.exit_code == 2
    by_check = {each["check"]: each for each in json.loads(failed.stdout)}
    assert by_check["orphan_bars"]["severity"] == "error"
    assert by_check["orphan_bars"].keys() == {"check", "severity", "found", "remedy"}
    assert run("--url", "nonsense").exit_code == 2
