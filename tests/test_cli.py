"""The command line, on both engines: what it prints, what it changes, and how it exits."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import logging
import os
import re
import subprocess
import sys
from collections import namedtuple
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import numpy as np
import psycopg
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result
from pyarrow import parquet

import jutsu_sql
from jutsu_sql import Bars, BarStore
from jutsu_sql.cli import common, main, query_output
from jutsu_sql.queries import parse_value

COMMANDS = main.list_commands(click.Context(main))
DAYS = np.arange("2024-01-02", "2024-01-12", dtype="M8[D]")
CLOSES = 100.1 + np.arange(len(DAYS)) / 3


@pytest.fixture(autouse=True)
def bare_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration but what a test gives."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("DATABASE_", "POSTGRES_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("SQLITE_DATABASE", raising=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A SQLite file that is not there yet, and an empty PostgreSQL database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/market.db"
    url: str = request.getfixturevalue("postgres_database")
    return url


@pytest.fixture
def url(migrated_url: str) -> str:
    """A migrated database with ten days of two symbols, and hours of one."""
    with jutsu_sql.connect(migrated_url) as db:
        store = BarStore(db)
        for symbol, timeframe in (("AAPL", "1D"), ("MSFT", "1D"), ("MSFT", "1h")):
            store.write(bars(symbol, timeframe), source="test")
    return migrated_url


def bars(symbol: str, timeframe: str) -> Bars:
    ts = DAYS + (np.timedelta64(14, "h") if timeframe == "1h" else np.timedelta64(0, "h"))
    volume = np.full(len(DAYS), 1000.0)
    return Bars.from_arrays(symbol, timeframe, ts, CLOSES, CLOSES + 1, CLOSES - 1, CLOSES, volume)


def run(*args: str, status: int = 0, answer: str | None = None) -> Result:
    result = CliRunner().invoke(main, args, input=answer, catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result


def run_json(*args: str) -> Any:
    return json.loads(run(*args, "--json").stdout)


def count_bars(url: str) -> int:
    with jutsu_sql.connect(url, create=False) as db:
        return sum(series.bars for series in BarStore(db).series())


def python_m(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "jutsu_sql", *args]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "is_terminal", lambda stream: True)


# --- the frame ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("done", "shown"), [((12_345,), "12,345 bars"), ((1, 4), "25%")])
def test_progress_is_shown_to_a_terminal(
    done: tuple[int, ...],
    shown: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with common.progress_bar("a[b].csv") as progress:
        assert progress is not None
        progress(*done)
    written = re.sub(r"\x1b\[[\d;?]*\w", "", capsys.readouterr().err)
    assert "a[b].csv" in written
    assert shown in written


def test_help_is_immediate_and_names_every_command() -> None:
    code = (
        "import sys; from jutsu_sql.cli import main; main(['--help'], standalone_mode=False);"
        "heavy = {'numpy', 'pandas', 'psycopg', 'pyarrow', 'rich', 'yoyo'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_an_example_and_loads_no_heavy_library(name: str) -> None:
    code = (
        "import sys; from jutsu_sql.cli import main; main(sys.argv[1:], standalone_mode=False);"
        "heavy = {'pandas', 'pyarrow', 'rich'} & set(sys.modules); assert not heavy, heavy"
    )
    command = [sys.executable, "-c", code, name, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Example:" in done.stdout
    assert f"jutsu-sql {name}" in done.stdout.split("Example:")[1]


@pytest.mark.parametrize("name", ["migrate", "bars", "series", "delete", "query", "info"])
def test_no_library_of_data_frames_is_loaded_to_look(name: str, tmp_path: Path) -> None:
    args = {"bars": ["A", "1D"], "delete": ["--everything", "--yes"], "query": ["series.summary"]}
    code = (
        "import sys; from jutsu_sql.cli import main; main(sys.argv[1:], standalone_mode=False);"
        "heavy = {'pandas', 'pyarrow', 'rich'} & set(sys.modules); assert not heavy, heavy"
    )
    url = f"sqlite:///{tmp_path}/x.db"
    with jutsu_sql.connect(url) as db:
        db.migrate()
        BarStore(db).write(bars("A", "1D"), source="test")
    command = [sys.executable, "-c", code, name, *args.get(name, []), "--url", url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_version_of_the_module() -> None:
    done = python_m("--version")
    assert done.stdout == f"jutsu-sql, version {jutsu_sql.__version__}\n"


def test_a_misspelt_command_is_a_usage_error_with_the_nearest_name() -> None:
    assert "did you mean 'series'?" in run("serie", status=2).stderr
    assert "No such command" in run("xyzzy", status=2).stderr


@pytest.mark.parametrize("place", [(), ("series",), ("info", "--nonsense"), ("migrate",)])
def test_a_url_in_the_wrong_place_keeps_its_password(place: tuple[str, ...]) -> None:
    result = run(*place, "postgresql://app:pl4nted@db.example/market", status=2)
    assert "pl4nted" not in result.output


def test_ctrl_c_exits_as_a_shell_expects(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: BarStore) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(BarStore, "series", interrupt)
    run("series", "--url", url, status=130)


def test_a_bug_shows_its_traceback(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: BarStore) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(BarStore, "series", fail)
    with pytest.raises(ZeroDivisionError):
        run("series", "--url", url)


def test_a_closed_pipe_is_silent(tmp_path: Path) -> None:
    with jutsu_sql.connect(f"sqlite:///{tmp_path}/many.db") as db:
        db.migrate()
        ts = np.datetime64("2024-01-01", "us") + np.arange(20_000) * np.timedelta64(1, "m")
        one = np.ones(len(ts))
        many = Bars.from_arrays("A", "1m", ts, one, one, one, one, one)
        BarStore(db).write(many, source="test")
    for form in ("table", "csv", "json"):
        args = ["bars", "A", "1m", "--format", form, "--url", f"sqlite:///{tmp_path}/many.db"]
        command = [sys.executable, "-W", "error", "-m", "jutsu_sql", *args]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(10)
            process.stdout.close()
            assert process.stderr.read() == b""


def test_warnings_go_to_stderr_and_the_pool_is_quiet(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def warn(_: BarStore) -> list[Any]:
        logging.getLogger("jutsu_sql").warning("odd: password=pl4nted")
        logging.getLogger("psycopg.pool").warning("noise")
        return []

    monkeypatch.setattr(BarStore, "series", warn)
    before = list(logging.getLogger("jutsu_sql").handlers)
    result = run("series", "--url", url)
    assert result.stderr == "Warning: odd: password=***\n"
    assert logging.getLogger("jutsu_sql").handlers == before


def test_echo_of_the_configuration_shows_statements(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("type: sqlite\nsqlite: {database: e.db, echo: yes}\n")
    run("migrate")
    assert "SELECT" in run("series").stderr
    assert not (tmp_path / "data").exists()


# --- migrate --------------------------------------------------------------------------------------


def tables(url: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        listed = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return listed.fetchall()


def nothing_is_there(url: str) -> bool:
    if url.startswith("sqlite"):
        return not Path(url.removeprefix("sqlite:///")).exists()
    return not tables(url)


def test_a_look_at_an_empty_database_leaves_it_empty(empty_url: str) -> None:
    status = run("migrate", "--status", "--url", empty_url, status=1)
    states = [line.split() for line in status.stdout.splitlines()[1:]]
    assert [(name.split("-", 1)[1], state) for name, state in states] == [
        ("0001-bars", "pending"),
        ("0002-ledger", "pending"),
        ("0003-versions", "pending"),
        ("0004-unfinished-loads", "pending"),
        ("0005-readings", "pending"),
        ("0006-corporate-actions", "pending"),
        ("0007-coverage", "pending"),
        ("0008-rejected-beside", "pending"),
    ]
    preview = run("migrate", "--dry-run", "--url", empty_url).stdout
    assert preview.startswith("-- migration ")
    assert "CREATE TABLE IF NOT EXISTS bars" in preview
    pending = run_json("migrate", "--dry-run", "--url", empty_url)["pending"]
    assert [each["migration"] for each in pending] == [name for name, _ in states]
    assert all(each["sql"] in preview for each in pending)
    assert run_json("info", "--url", empty_url)["schema"] != "current"
    run("series", "--url", empty_url, status=1)
    run("query", "series.summary", "--url", empty_url, status=1)
    assert nothing_is_there(empty_url)


def test_migrate_is_told_previewed_applied_and_taken_back(empty_url: str) -> None:
    applied = run_json("migrate", "--url", empty_url)["applied"]
    assert run_json("migrate", "--url", empty_url) == {"applied": []}
    assert run_json("migrate", "--status", "--url", empty_url) == {
        "is_current": True,
        "migrations": [{"migration": name, "state": "applied"} for name in applied],
    }
    assert run_json("migrate", "--dry-run", "--url", empty_url) == {"pending": []}
    assert "Nothing to apply" in run("migrate", "--url", empty_url).stdout
    refused = run("migrate", "--rollback", "--url", empty_url, status=1)
    assert "--yes" in refused.stderr
    run("migrate", "--status", "--url", empty_url)
    assert run_json("migrate", "--rollback", "--yes", "--url", empty_url) == {
        "rolled_back": applied[::-1]
    }
    run("migrate", "--status", "--url", empty_url, status=1)
    assert (
        "Nothing to roll back" in run("migrate", "--rollback", "--yes", "--url", empty_url).stdout
    )


def test_the_ways_to_migrate_exclude_each_other() -> None:
    run("migrate", "--status", "--rollback", status=2)
    run("migrate", "--status", "--dry-run", status=2)


@pytest.mark.usefixtures("terminal")
def test_a_person_is_asked_before_all_bars_go(url: str) -> None:
    asked = run("migrate", "--rollback", "--url", url, answer="n\n", status=1)
    assert "delete all its bars?" in asked.stderr
    run("migrate", "--rollback", "--url", url, answer="", status=130)
    assert count_bars(url) == 30
    run("migrate", "--rollback", "--url", url, answer="y\n")
    run("migrate", "--status", "--url", url, status=1)


# --- series, bars ---------------------------------------------------------------------------------


def test_series(url: str) -> None:
    assert run("series", "--url", url).stdout.splitlines() == [
        "symbol  timeframe  bars  first                      last",
        "AAPL    1D           10  2024-01-02                 2024-01-11",
        "MSFT    1D           10  2024-01-02                 2024-01-11",
        "MSFT    1h           10  2024-01-02 14:00:00+00:00  2024-01-11 14:00:00+00:00",
    ]
    assert run_json("series", "--url", url)[2] == {
        "symbol": "MSFT",
        "timeframe": "1h",
        "bars": 10,
        "first": "2024-01-02T14:00:00+00:00",
        "last": "2024-01-11T14:00:00+00:00",
    }


def test_the_csv_of_bars_gives_every_double_back(url: str) -> None:
    text = run("bars", "MSFT", "60min", "--format", "csv", "--url", url).stdout
    header, *rows = csv.reader(text.splitlines())
    assert header == ["symbol", "timeframe", "ts", "open", "high", "low", "close", "volume"]
    assert rows[0][:3] == ["MSFT", "1h", "2024-01-02T14:00:00+00:00"]
    assert rows[0][-1] == "1000.0"
    assert [float(row[6]) for row in rows] == CLOSES.tolist()
    values = zip(*([float(value) for value in row[3:]] for row in rows), strict=True)
    back = Bars.from_arrays("MSFT", "1h", [row[2] for row in rows], *values)
    assert list(back) == list(bars("MSFT", "1h"))


def test_the_csv_of_bars_has_no_formula(url: str) -> None:
    with jutsu_sql.connect(url) as db:
        BarStore(db).write(bars("=A", "1h"), source="test")
        rows = csv.reader(
            run("bars", "=A", "1h", "--format", "csv", "--url", url).stdout.splitlines()
        )
        assert {row[0] for row in rows} == {"symbol", "'=A"}
        BarStore(db).delete("=A")


def test_bars_as_json_and_as_a_table(url: str) -> None:
    (first, *_), same = (
        run_json("bars", "AAPL", "1D", "--url", url),
        json.loads(run("bars", "AAPL", "1D", "--format", "json", "--url", url).stdout),
    )
    assert first == same[0]
    assert first["ts"] == "2024-01-02T00:00:00+00:00"
    assert first["close"] == CLOSES[0]
    table = run("bars", "AAPL", "daily", "--last", "1", "--url", url).stdout.splitlines()
    assert table[0].split() == ["ts", "open", "high", "low", "close", "volume"]
    assert table[1].split() == ["2024-01-11", "103.1", "104.1", "102.1", "103.1", "1000.0"]
    hourly = run("bars", "MSFT", "1h", "--last", "1", "--url", url).stdout
    assert "2024-01-11 14:00:00+00:00" in hourly


def test_a_range_of_bars_is_inclusive(url: str) -> None:
    def dates(*args: str) -> list[str]:
        return [bar["ts"][:10] for bar in run_json("bars", "MSFT", "1h", *args, "--url", url)]

    assert dates("--start", "2024-01-04", "--end", "2024-01-05") == ["2024-01-04", "2024-01-05"]
    assert dates("--last", "2", "--end", "2024-01-05") == ["2024-01-04", "2024-01-05"]
    range_of_one = ("--start", "2024-01-05", "--end", "2024-01-05")
    assert dates(*range_of_one, "--warmup", "1") == ["2024-01-04", "2024-01-05"]
    assert dates(*range_of_one, "--warmup", "9") == dates("--end", "2024-01-05")
    for wrong in (["--warmup", "1"], ["--warmup", "1", "--last", "1"]):
        assert "say --start" in run("bars", "MSFT", "1h", *wrong, "--url", url, status=2).stderr
    run("bars", "MSFT", "1h", *range_of_one, "--warmup", "0", "--url", url, status=2)
    run("bars", "MSFT", "1h", "--last", "2", "--start", "2024-01-04", "--url", url, status=2)
    run("bars", "MSFT", "1h", "--last", "0", "--url", url, status=2)
    naive = run("bars", "MSFT", "1h", "--start", "2024-01-04T10:00", "--url", url, status=1)
    assert "has no time zone" in naive.stderr
    assert "no timeframe" in run("bars", "MSFT", "1x", "--url", url, status=1).stderr


def test_resampled_bars_print_as_bars_do(url: str) -> None:
    weeks = run("resample", "AAPL", "1D", "weekly", "--format", "csv", "--url", url)
    header, *rows = csv.reader(weeks.stdout.splitlines())
    assert header == ["symbol", "timeframe", "ts", "open", "high", "low", "close", "volume"]
    assert [(row[1], row[2][:10], float(row[7])) for row in rows] == [
        ("1W", "2024-01-01", 6000.0),
        ("1W", "2024-01-08", 4000.0),
    ]
    assert "the bar of 2024-01-08 is partial" in weeks.stderr
    days = run_json("resample", "MSFT", "1h", "1D", "--tz", "Asia/Tokyo", "--url", url)
    assert [day["ts"][:10] for day in days][:2] == ["2024-01-02", "2024-01-03"]
    session = ("--session", "23:00-22:00", "--tz", "Asia/Tokyo")  # 14:00 UTC is 23:00 there
    days = run_json("resample", "MSFT", "1h", "1D", *session, "--url", url)
    assert [day["ts"][:10] for day in days][:2] == ["2024-01-03", "2024-01-04"]
    end = ("--end", "2024-01-07", "--url", url)
    assert run("resample", "AAPL", "1D", "1W", *end).stderr == ""


def test_what_cannot_be_resampled_is_told(url: str) -> None:
    for args, status, reason in (
        (("NOPE", "1D", "1W"), 1, "no bars of NOPE at 1D"),
        (("AAPL", "1D", "1h"), 1, "do not make"),
        (("MSFT", "1h", "1D", "--session", "9"), 2, "not of the form 09:30-16:00"),
        (("MSFT", "1h", "1D", "--tz", "Nowhere"), 1, "no time zone"),
    ):
        assert reason in run("resample", *args, "--url", url, status=status).stderr


def test_no_bar_in_the_range_is_no_failure(url: str) -> None:
    args = ("bars", "AAPL", "1D", "--start", "2030-01-01", "--url", url)
    assert run(*args).output == ""
    assert run_json(*args) == []
    assert run(*args, "--format", "csv").output.count("\n") == 1


def test_an_unknown_series_is_told_with_the_nearest(url: str) -> None:
    assert "did you mean AAPL?" in run("bars", "APPL", "1D", "--url", url, status=1).stderr
    other = run("bars", "MSFT", "5m", "--url", url, status=1).stderr
    assert other == "Error: there are no bars of MSFT at 5m: MSFT is stored at 1D, 1h\n"
    far = run("bars", "^N225", "1D", "--url", url, status=1).stderr
    assert "`jutsu-sql series` lists" in far


def test_what_a_terminal_would_obey_is_escaped(url: str) -> None:
    with jutsu_sql.connect(url) as db:
        BarStore(db).write(bars("\x1b[2J\nX", "1D"), source="test")
    assert r"\x1b[2J\nX  1D" in run("series", "--url", url).stdout


# --- delete ---------------------------------------------------------------------------------------


def test_delete_counts_first_and_then_deletes(url: str) -> None:
    some = ("delete", "--symbol", "MSFT", "--end", "2024-01-04", "--url", url)
    assert run_json(*some, "--dry-run") == {
        "would_delete": 6,
        "series": [
            {"symbol": "MSFT", "timeframe": "1D", "bars": 3},
            {"symbol": "MSFT", "timeframe": "1h", "bars": 3},
        ],
    }
    assert "Would delete 6 bars of 2 series." in run(*some, "--dry-run").stdout
    refused = run(*some, status=1)
    assert "Delete 6 bars of 2 series" in refused.stderr
    assert "--yes" in refused.stderr
    assert count_bars(url) == 30
    assert run_json(*some, "--yes")["deleted"] == 6
    assert count_bars(url) == 24
    assert run(*some, "--yes").stdout == "No bar matches.\n"
    assert run_json(*some, "--yes") == {"load_id": None, "deleted": 0}
    whole = ("delete", "--timeframe", "60min", "--url", url)
    assert run_json(*whole, "--dry-run")["would_delete"] == 7
    assert run(*whole, "--yes").stdout == "Deleted 7 bars.\n"


def test_delete_takes_everything_only_when_told(url: str) -> None:
    run("delete", "--yes", "--url", url, status=2)
    run("delete", "--everything", "--symbol", "AAPL", "--yes", "--url", url, status=2)
    run("delete", "--everything", "--url", url, status=1)
    assert count_bars(url) == 30
    run("delete", "--everything", "--yes", "--url", url)
    assert count_bars(url) == 0


@pytest.mark.usefixtures("terminal")
def test_a_person_is_asked_before_bars_go(url: str) -> None:
    args = ("delete", "--symbol", "AAPL", "--url", url)
    assert "nothing was changed" in run(*args, answer="n\n", status=1).stderr
    assert count_bars(url) == 30
    run(*args, answer="y\n")
    assert count_bars(url) == 20


# --- query ----------------------------------------------------------------------------------------


def series_id(url: str, symbol: str = "MSFT", timeframe: str = "1h") -> str:
    args = ("-p", f"symbol={symbol}", "-p", f"timeframe={timeframe}")
    return str(run_json("query", "series.find", *args, "--url", url)["series_id"])


def test_a_query_prints_what_its_kind_gives(url: str) -> None:
    which = f"series_id={series_id(url)}"
    at = ("query", "bars.at", "-p", which, "--url", url)
    assert run_json(*at, "-p", "ts=2024-01-02T14:00:00Z")["close"] == CLOSES[0]
    assert run(*at, "-p", "ts=2024-01-02T14:00:00Z").stdout.split()[0] == "open"
    assert run_json(*at, "-p", "ts=2030-01-01") is None
    assert run(*at, "-p", "ts=2030-01-01").stdout == ""
    latest = ("query", "bars.latest", "-p", which, "-p", "n=2", "--url", url)
    assert [row["ts"][:10] for row in run_json(*latest)] == ["2024-01-10", "2024-01-11"]
    assert len(run(*latest).stdout.splitlines()) == 3
    read = ("query", "bars.read", "-p", which, "-p", "start=2024-01-11", "-p", "end=2024-01-12")
    assert run_json(*read, "--url", url) == [
        {
            "ts": "2024-01-11T14:00:00+00:00",
            "open": CLOSES[-1],
            "high": CLOSES[-1] + 1,
            "low": CLOSES[-1] - 1,
            "close": CLOSES[-1],
            "volume": 1000.0,
        }
    ]
    assert "2024-01-11 14:00:00+00:00" in run(*read, "--url", url).stdout
    overlaps = ("query", "bars.overlaps", "-p", which, "-p", "first=2024-01-02", "-p")
    assert run(*overlaps, "last=2024-02-01", "--url", url).stdout.strip() in {"1", "True"}
    assert run_json(*overlaps, "last=2024-02-01", "--url", url) == 1


def test_a_query_that_writes_must_be_meant(url: str) -> None:
    args = ("query", "bars.delete", "-p", f"series_id={series_id(url)}")
    args = (*args, "-p", "start=2024-01-01", "-p", "end=2024-01-03", "--url", url)
    assert "--write" in run(*args, status=2).stderr
    assert count_bars(url) == 30
    assert run(*args, "--write").stdout == "1 rows.\n"
    assert run_json(*args, "--write") == {"rows": 0}
    assert count_bars(url) == 29
    assert run("query", "stage.create", "--write", "--url", url).stdout == "Done.\n"
    assert run_json("query", "stage.create", "--write", "--url", url) is None


def test_faults_of_a_query_call(url: str) -> None:
    near = run("query", "bars.latests", "--url", url, status=1).stderr
    assert "bars.latest" in near
    wrong = run("query", "bars.latest", "-p", "serie_id=1", "-p", "n=1", "--url", url, status=1)
    assert "did you mean series_id" in wrong.stderr
    assert "key=value" in run("query", "bars.latest", "-p", "n", "--url", url, status=2).stderr
    twice = run("query", "bars.latest", "-p", "n=1", "-p", "n=2", "--url", url, status=2)
    assert "given twice" in twice.stderr
    run("query", "--url", url, status=2)
    run("query", "bars.at", "--list", "--url", url, status=2)
    assert (
        "is not a directory" in run("query", "x", "--queries", "no", "--url", url, status=1).stderr
    )


def test_queries_of_ones_own(url: str, tmp_path: Path) -> None:
    own = tmp_path / "own" / "reports"
    own.mkdir(parents=True)
    text = "-- Bars of :symbol.\n-- kind: value\nSELECT count(*) FROM bars JOIN series USING"
    (own / "size.sql").write_text(f"{text} (series_id) WHERE symbol = :symbol\n")
    args = ("--queries", str(tmp_path / "own"), "--url", url)
    assert run_json("query", "reports.size", "-p", "symbol=MSFT", *args) == 20
    listed = {row["name"]: row for row in run_json("query", "--list", *args)}
    assert listed["reports.size"] == {
        "name": "reports.size",
        "kind": "value",
        "writes": False,
        "params": ["symbol"],
        "summary": "Bars of :symbol.",
    }
    assert listed["bars.delete"]["writes"]
    assert "reports.size" in run("query", "--list", *args).stdout


def test_a_plan_changes_nothing(url: str) -> None:
    args = ("-p", f"series_id={series_id(url)}", "-p", "start=2024-01-01", "-p", "end=2024-02-01")
    delete = ("query", "bars.delete", *args, "--url", url)
    plan = run(*delete, "--explain").stdout
    assert "bars" in plan
    assert run("query", "--explain", *delete[1:]).stdout == plan
    assert run("query", "--explain", *args, "bars.delete", "--url", url).stdout == plan
    wrong = run("query", "--explain", "analyse", *delete[1:], status=2)
    assert "alone or with analyze, not with 'analyse'" in wrong.stderr
    assert "give the NAME" in run("query", "--explain", "analyze", "--url", url, status=2).stderr
    if url.startswith("sqlite"):
        assert "measures nothing" in run(*delete, "--explain", "analyze", status=1).stderr
    else:
        assert "Execution Time" in run(*delete, "--explain", "analyze").stdout
        assert any("rows=10" in line for line in run_json(*delete, "--explain", "analyze"))
    assert count_bars(url) == 30
    script = run("query", "stage.create", "--explain", "--url", url, status=1)
    assert "is a script, which has no plan" in script.stderr


def test_rows_for_other_programs(url: str, tmp_path: Path) -> None:
    latest = ("query", "bars.latest", "-p", f"series_id={series_id(url)}", "--url", url)
    shown = run(*latest, "-p", "n=1", "--format", "csv", "--timing")
    close = CLOSES[-1]
    row = f"2024-01-11T14:00:00+00:00,{close},{close + 1},{close - 1},{close},1000.0"
    assert shown.stdout == f"ts,open,high,low,close,volume\n{row}\n"
    assert re.fullmatch(r"Time: [0-9.]+ ms\n", shown.stderr)
    none = ("query", "bars.latest", "-p", "series_id=999", "-p", "n=1", "--url", url)
    for args, count in (((*latest, "-p", "n=2"), 2), (none, 0)):
        table = parquet.read_table(io.BytesIO(run(*args, "--format", "parquet").stdout_bytes))
        assert table.num_rows == count
        assert str(table.schema.field("ts").type) == "timestamp[us, tz=UTC]"
        assert str(table.schema.field("close").type) == "double"
    loads = run("query", "loads.recent", "-p", "n=9", "--format", "parquet", "--url", url)
    observed = parquet.read_table(io.BytesIO(loads.stdout_bytes)).column("started_at")
    assert str(observed.type) == "timestamp[us, tz=UTC]"
    for form in ("csv", "parquet"):
        args = ("query", "stage.create", "--write", "--format", form, "--url", url)
        assert "gives no rows" in run(*args, status=2).stderr


def test_parquet_is_not_for_a_terminal(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_output, "is_terminal", lambda stream: True)
    args = ("query", "series.summary", "--format", "parquet", "--url", url)
    assert "> FILE.parquet" in run(*args, status=2).stderr


def test_the_difference_of_two_databases(url: str, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    with jutsu_sql.connect(other) as db:
        db.migrate()
        for symbol in ("AAPL", "MSFT"):
            BarStore(db).write(bars(symbol, "1D"), source="test")
    shown = [jutsu_sql.load_config(each).display_url for each in (url, other)]
    query = ("query", "series.matching", "-p", "symbol=null", "--engine-url", url)
    same = ("-p", "timeframe=1D", "--engine-url", url)
    assert run(*query, *same).stdout == ""
    assert run_json(*query, *same) == []
    differing = (*query, "-p", "timeframe=1h", "--engine-url", other)
    lines = run(*differing, status=1).stdout.splitlines()
    assert lines[:2] == [f"--- {shown[0]}", f"+++ {shown[1]}"]
    assert [line[0] for line in lines[2:]] == ["-"]
    (found,) = json.loads(run(*differing, "--json", status=1).stdout)
    assert found["database"] == shown[0]
    assert found["row"]["symbol"] == "MSFT"
    run(*query, "-p", "timeframe=1h", "--engine-url", f"sqlite:///{tmp_path}/no.db", status=2)
    run(*query, status=2)
    writes = ("query", "stage.create", "--engine-url", url, "--engine-url", url)
    assert "only what reads" in run(*writes, status=2).stderr


def test_values_are_what_the_query_casts_them_to(tmp_path: Path) -> None:
    text = "-- kind: one\n-- timestamps: at\nSELECT CAST(:code AS text) AS code,"
    text = f"{text} CAST(:n AS int) AS n, CAST(:x AS double precision) AS x,"
    text = f"{text} CAST(:at AS bigint) AS at"
    (tmp_path / "x.sqlite.sql").write_text(text)

    def given(*params: str, status: int = 0) -> Any:
        pairs = [part for each in params for part in ("-p", each)]
        args = ("query", "x", *pairs, "--queries", str(tmp_path), "--url", "sqlite://", "--json")
        done = run(*args, status=status)
        return done.stderr if status else list(json.loads(done.stdout).values())

    at = "at=2024-01-02"
    assert given("code=600519", "n=1", "x=2", at)[:3] == ["600519", 1, 2.0]
    assert given("code=2024-01-02", "n=null", "x=1e3", at)[:3] == ["2024-01-02", None, 1000.0]
    assert given('code="null"', "n=1", "x=0.5", at)[3] == "2024-01-02T00:00:00+00:00"
    assert given("code=null", "n=1", "x=0.5", "at=null")[::3] == [None, None]
    assert "n is cast to int" in given("code=a", "n=1.5", "x=1", at, status=2)
    assert "x is cast to double" in given("code=a", "n=1", "x=one", at, status=2)


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("query bars.lat", ["bars.latest"]),
        ("query bars.latest -p ", ["series_id=", "n="]),
        ("query bars.latest -p series_id=1 -p ", ["n="]),
        ("query -p series_id=1 bars.latest -p ", ["n="]),
        ("query bars.nothing -p ", []),
        ("query bars.lat --url nonsense", []),
        ("query --format p", ["parquet"]),
        ("query --explain an", ["analyze"]),
        ("query --explain bars.lat", ["bars.latest"]),
    ],
)
def test_completion(words: str, completed: list[str]) -> None:
    *args, incomplete = words.split(" ")
    complete = ShellComplete(main, {}, "jutsu-sql", "_JUTSU_SQL_COMPLETE")
    assert [item.value for item in complete.get_completions(args, incomplete)] == completed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_of_a_shell(shell: str) -> None:
    source = python_m(env={**os.environ, "_JUTSU_SQL_COMPLETE": f"{shell}_source"})
    assert source.returncode == 0, source.stderr
    if shell != "fish":
        assert "*= ]]" in source.stdout  # no space behind name=
    words = {"COMP_WORDS": "jutsu-sql query bars.latest -p ", "COMP_CWORD": "4"}
    asked = {**os.environ, **words, "_JUTSU_SQL_COMPLETE": f"{shell}_complete"}
    if shell == "fish":
        asked |= {"COMP_CWORD": ""}
    assert "series_id=" in python_m(env=asked).stdout


def test_the_list_of_queries_needs_no_database() -> None:
    names = [row["name"] for row in run_json("query", "--list", "--url", "postgresql://h:1/d")]
    assert "bars.latest" in names
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-1.5", -1.5),
        ("1e3", 1000.0),
        ("null", None),
        ("true", True),
        ("[1, 2]", [1, 2]),
        ('"600519"', "600519"),
        ("0005", "0005"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ('{"a": 1}', '{"a": 1}'),
        ("AAPL", "AAPL"),
        ("", ""),
        ("a=b", "a=b"),
        ("2024-01-02", date(2024, 1, 2)),
        ("2024-13-02", "2024-13-02"),
        ("2024-01-02T14:30Z", datetime(2024, 1, 2, 14, 30, tzinfo=UTC)),
        ("2024-01-02 14:30+05:30", datetime(2024, 1, 2, 9, tzinfo=UTC)),
        ("2024-01-02T99:30Z", "2024-01-02T99:30Z"),
    ],
)
def test_the_type_of_a_parameter(text: str, value: Any) -> None:
    parsed = parse_value(text)
    assert parsed == value
    assert type(parsed) is type(value)


# --- info -----------------------------------------------------------------------------------------


def test_info_of_a_migrated_database(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url.replace("postgres@", "postgres:pl4nted@"))
    facts = run_json("info")
    assert facts["schema"] == "current"
    assert facts["configured_by"] == "DATABASE_URL in the environment"
    assert facts["engine"].split()[0] in {"SQLite", "PostgreSQL"}
    assert facts["jutsu_sql"] == jutsu_sql.__version__
    assert facts["pool_size"] == 10
    shown = run("info").output
    assert "pl4nted" not in shown + json.dumps(facts)
    assert facts["database"] in shown


def test_info_of_a_configuration_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("type: sqlite\nsqlite: {database: mine.db, pool_size: 3}\n")
    facts = run_json("info", "--config", str(path))
    assert facts["pool_size"] == 3
    assert str(path) in facts["configured_by"]
    assert "jutsu-sql migrate" in facts["schema"]
    assert not (tmp_path / "mine.db").exists()
    assert "no configuration file" in run("info", "--config", "nowhere.yaml", status=1).stderr


# --- printing -------------------------------------------------------------------------------------


@dataclasses.dataclass
class Point:
    x: int
    y: float


Row = namedtuple("Row", "ts value")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Decimal("1.10"), "1.10"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (0.1, 0.1),
        (np.float64(0.1), 0.1),
        (np.int32(3), 3),
        (np.bool_(True), True),
        (np.array([1.5, np.nan]), [1.5, "NaN"]),
        (np.datetime64("2024-01-02T03:04:05.5"), "2024-01-02T03:04:05.500000+00:00"),
        (np.datetime64("NaT", "us"), None),
        (date(2024, 1, 2), "2024-01-02"),
        (datetime(2024, 1, 2, tzinfo=timezone(timedelta(hours=1))), "2024-01-02T00:00:00+01:00"),
        (Row(None, (1, 2)), {"ts": None, "value": [1, 2]}),
        ([Point(1, 2.0)], [{"x": 1, "y": 2.0}]),
        ({1: b"\x00\xff"}, {"1": "00ff"}),
        (timedelta(seconds=90), "0:01:30"),
        ("株", "株"),
    ],
)
def test_json_of_every_type(value: Any, plain: Any, capsys: pytest.CaptureFixture[str]) -> None:
    common.print_json(value)
    assert json.loads(capsys.readouterr().out) == plain


def test_a_piped_table_cuts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    common.print_table("t", ["n", "text"], [(1, "x" * 500), (-22, None)])
    assert capsys.readouterr().out == f"  n  text\n  1  {'x' * 500}\n-22\n"


@pytest.mark.usefixtures("terminal")
def test_a_table_on_a_terminal_is_framed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    common.print_table("the [title]", ["n", "text"], [(1, "[bold]" + "x" * 50)])
    shown = capsys.readouterr().out
    assert "the [title]" in shown
    assert "[bold]" in shown
    assert shown.count("x") - "text".count("x") == 50


# --- as a user runs it ----------------------------------------------------------------------------


def test_the_main_job_in_processes_of_its_own(empty_url: str) -> None:
    def go(*args: str, status: int = 0) -> str:
        done = python_m(*args, env={**os.environ, "DATABASE_URL": empty_url})
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    go("series", status=1)
    assert "is current" in go("migrate")
    assert json.loads(go("series", "--json")) == []
    assert "current" in go("info")
    go("bars", "AAPL", "1D", status=1)
    go("migrate", "--rollback", "--yes")
