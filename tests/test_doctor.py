"""What `jutsu-sql doctor` looks for is planted, and each is found; a clean database has none."""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from conftest import created_database, migrated_template
from faults.cluster import wait_for

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


def execute(url: str, *statements: str) -> list[Any]:
    """Run some statements; gives what rows the last one has."""
    if url.startswith("sqlite"):
        with jutsu_sql.connect(url) as db, db.connection() as connection:
            for statement in statements:
                rows = connection._raw.execute(statement)
            return list(rows)
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


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
    settings = {"track_commit_timestamp": "on", "max_prepared_transactions": "2"}
    with scratch_server(settings=settings) as running:
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


def test_a_file_that_is_mostly_free(migrated_sqlite: str) -> None:
    blob = f"CREATE TABLE big AS SELECT zeroblob({65 * 2**20}) AS x"
    execute(migrated_sqlite, "PRAGMA journal_mode = OFF", blob, "DROP TABLE big")
    (found,) = (f for f in examine(migrated_sqlite) if f.check == "free_pages")
    assert (found.severity, found.found) == ("info", "65 MiB of the file are free")
    assert "VACUUM" in found.remedy


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


def test_sessions_that_wait_and_transactions_that_nobody_ends(postgres: str) -> None:
    with psycopg.connect(postgres) as holder, psycopg.connect(postgres) as waiter:
        pids = waiter.info.backend_pid, holder.info.backend_pid
        holder.execute(LOCK)
        blocked = threading.Thread(target=waiter.execute, args=[LOCK])
        blocked.start()
        with psycopg.connect(postgres) as other:
            other.execute("SELECT 1")
            other.execute("PREPARE TRANSACTION 'forgotten'")
        wait_for(postgres, WAITS.format(pids[0]))
        findings = examine(postgres, now=datetime.now(UTC) + timedelta(hours=1))
        holder.rollback()
        blocked.join()
        execute(postgres, "ROLLBACK PREPARED 'forgotten'")
    found = [f.found for f in findings if f.check == "long_transactions"]
    assert any(f"process {pids[0]} waits" in text and f"by {pids[1]}" in text for text in found)
    assert any("the prepared transaction forgotten is open" in text for text in found)


LOCK = "LOCK TABLE bars IN SHARE ROW EXCLUSIVE MODE"  # which lets the doctor read
WAITS = "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = {} AND wait_event_type = 'Lock'"


def test_a_synchronous_standby_that_is_not_there(server: str, postgres: str) -> None:
    execute(server, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", RELOAD)
    try:
        wait_for(postgres, "SELECT current_setting('synchronous_standby_names') = 'nobody'")
        findings = examine(postgres)
    finally:
        execute(server, "ALTER SYSTEM RESET synchronous_standby_names", RELOAD)
        wait_for(postgres, "SELECT current_setting('synchronous_standby_names') = ''")
    assert "no synchronous standby is connected: COMMITs wait" in wrong(findings)["replication"]


RELOAD = "SELECT pg_reload_conf()"


def test_a_server_that_gets_no_fixes(postgres: str) -> None:
    later = datetime(2040, 1, 1, tzinfo=UTC)
    assert "gets no fixes since 20" in wrong(examine(postgres, now=later))["server_version"]


# What would take a gigabyte, an hour or another server, as what the server would say of it: what
# stands before pg_catalog in the search path hides the catalog's own.
SAID = {
    "a standby that is late": (
        "replication",
        "the standby far_away is 90 s behind",
        "VIEW pg_stat_replication AS SELECT 'far_away' AS application_name,"
        " interval '90 s' AS replay_lag, '0/1'::pg_lsn AS replay_lsn, 'async' AS sync_state",
    ),
    "a standby without a clock": (
        "replication",
        "the standby far_away is far behind",
        "FUNCTION pg_current_wal_lsn() RETURNS pg_lsn RETURN '0/50000000'::pg_lsn",
        "VIEW pg_stat_replication AS SELECT 'far_away' AS application_name, NULL::interval AS"
        " replay_lag, '0/1'::pg_lsn AS replay_lsn, 'async' AS sync_state",
    ),
    "this is a standby that stands still": (
        "replication",
        "this standby replayed nothing for 9",
        "FUNCTION pg_is_in_recovery() RETURNS bool RETURN true",
        "FUNCTION pg_last_wal_receive_lsn() RETURNS pg_lsn RETURN '0/2'::pg_lsn",
        "FUNCTION pg_last_wal_replay_lsn() RETURNS pg_lsn RETURN '0/1'::pg_lsn",
        "FUNCTION pg_last_xact_replay_timestamp() RETURNS timestamptz"
        " RETURN now() - interval '95 s'",
    ),
    "a slot that is lost": (
        "replication_slots",
        "the replication slot gone is lost",
        "VIEW pg_replication_slots AS SELECT 'gone' AS slot_name, 'lost' AS wal_status,"
        " false AS temporary, false AS active",
    ),
    "archiving that fails": (
        "wal_growth",
        "archiving fails since 2024-01-02 00:00:00+00 at 000000010000000000000001",
        "VIEW pg_stat_archiver AS SELECT '2024-01-02Z'::timestamptz AS last_failed_time,"
        " '2024-01-01Z'::timestamptz AS last_archived_time,"
        " '000000010000000000000001' AS last_failed_wal",
        "FUNCTION current_setting(text) RETURNS text RETURN CASE $1 WHEN 'archive_mode' THEN 'on'"
        " ELSE pg_catalog.current_setting($1) END",
    ),
    "a log that grows": (
        "wal_growth",
        "pg_wal has 4096 MB",
        "FUNCTION pg_ls_waldir() RETURNS TABLE (size bigint) LANGUAGE SQL RETURN 4294967296",
    ),
    "old transaction ids": (
        "transaction_ids",
        "the oldest transaction id is 1500000000 old",
        "FUNCTION age(xid) RETURNS int RETURN 1500000000",
    ),
    "a server that is full": (
        "connections",
        "of 1 connections of the server are in use",
        "FUNCTION current_setting(text) RETURNS text RETURN CASE $1 WHEN 'max_connections' THEN '4'"
        " ELSE pg_catalog.current_setting($1) END",
    ),
    "an old version": (
        "server_version",
        "PostgreSQL 14.1 is older than 15",
        "FUNCTION current_setting(text) RETURNS text RETURN CASE $1"
        " WHEN 'server_version_num' THEN '140001' WHEN 'server_version' THEN '14.1'"
        " ELSE pg_catalog.current_setting($1) END",
    ),
    "a new version": (
        "server_version",
        "PostgreSQL 99.1 is newer than",
        "FUNCTION current_setting(text) RETURNS text RETURN CASE $1"
        " WHEN 'server_version_num' THEN '990001' WHEN 'server_version' THEN '99.1'"
        " ELSE pg_catalog.current_setting($1) END",
    ),
}


@pytest.mark.parametrize("what", SAID)
def test_what_a_server_would_say(what: str, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check, says, *planted = SAID[what]
    assert all(says not in f.found for f in examine(postgres))
    execute(
        postgres,
        "CREATE SCHEMA planted",
        "SET search_path = planted, public, pg_catalog",
        *(f"CREATE {each}" for each in planted),
    )
    monkeypatch.setenv("PGOPTIONS", "-c search_path=public,planted,pg_catalog")
    findings = examine(postgres)
    assert any(says in f.found for f in findings if f.check == check), findings


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
