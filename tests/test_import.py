"""Files into the store: one load a file, refusals by line, and the command around it."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import jutsu_sql
from jutsu_sql import BarStore, Database
from jutsu_sql.cli import main
from jutsu_sql.errors import BarConflictError, RejectedBarsError, SourceError
from jutsu_sql.sources import ImportReport, RefusedLine, import_file

HEADER = "date,open,high,low,close,volume"
GOOD = f"{HEADER}\n2024-01-02,1,2,0.5,1.5,10\n2024-01-03,1.5,2,1,1.25,20\n"
BAD = """date,open,high,low,close,volume
2024-01-02,1,2,0.5,1.5,10
2024-01-03,1,2,0.5,abc,10

2024-01-04,1,0.5,2,1.5,10
2024-01-05,1,2,0.5,1.5,10
2024-01-05,1,2,0.5,1.5,11
2024-01-02,1,2,0.5,1.5,10
2024-01-08,1,2
"""
BAD_LINES = [
    RefusedLine(3, "close 'abc' is no number", "2024-01-03,1,2,0.5,abc,10"),
    RefusedLine(5, "high 0.5 is below low 2.0", "2024-01-04,1,0.5,2,1.5,10"),
    RefusedLine(6, "contradicts line 7, of the same time", "2024-01-05,1,2,0.5,1.5,10"),
    RefusedLine(7, "contradicts line 6, of the same time", "2024-01-05,1,2,0.5,1.5,11"),
    RefusedLine(8, "repeats line 2", "2024-01-02,1,2,0.5,1.5,10"),
    RefusedLine(9, "3 fields where the header has 6", "2024-01-08,1,2"),
]


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(content: str | bytes, name: str = "X.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def import_daily(store: BarStore, path: Path, **options: Any) -> ImportReport:
    return import_file(store, path, symbol="X", timeframe="1D", **options)


# -- the store ------------------------------------------------------------------------------------


def test_a_file_is_one_load_that_says_where_it_came_from(
    store: BarStore, db: Database, file: Any
) -> None:
    path = file(gzip.compress(GOOD.encode()), "a b.csv.gz")
    first, again = import_daily(store, path), import_daily(store, path, force=True)
    assert (first.report.inserted, again.report.unchanged) == (2, 2)
    assert first.refused == again.refused == []
    uri, loads = path.as_uri(), db.run("testing.loads")
    digest = loads[0].content_sha256
    assert [tuple(row)[1:] for row in loads] == [
        ("write", "csv", uri, digest, 2, 2, 0, 0, 0, 0),
        ("write", "csv", uri, digest, 2, 0, 0, 2, 0, 0),
    ]
    assert len(bytes.fromhex(digest)) == 32
    bars = store.read("X", "1D")
    assert [str(ts)[:10] for ts in bars.ts] == ["2024-01-02", "2024-01-03"]
    assert bars.close.tolist() == [1.5, 1.25]


def test_refused_rows_are_listed_by_line_and_counted(store: BarStore, file: Any) -> None:
    done = import_daily(store, file(BAD))
    assert done.refused == BAD_LINES
    assert (done.report.received, done.report.inserted, done.report.rejected) == (7, 1, 6)
    assert len(store.read("X", "1D")) == 1


def test_what_is_refused_as_a_whole_writes_nothing(
    store: BarStore, db: Database, file: Any
) -> None:
    with pytest.raises(RejectedBarsError, match="6 rows refused.*line 3: close 'abc'.*1 more"):
        import_daily(store, file(BAD), strict=True)
    all_bad = file(f"{HEADER}\n2024-01-02,1,2,0.5,x,1\n\n2024-01-03,1\n", "bad.csv")
    with pytest.raises(SourceError, match=r"bad\.csv: no row.*line 2: close 'x' .*; line 4: 2 fie"):
        import_daily(store, all_bad)
    with pytest.raises(SourceError, match="empty"):
        import_daily(store, file("", "empty.csv"))
    assert db.run("testing.loads") == []
    assert store.series() == []


def test_strict_takes_a_good_file(store: BarStore, file: Any) -> None:
    assert import_daily(store, file(GOOD), strict=True).report.inserted == 2


def test_conflicts_are_the_store_s_matter(store: BarStore, file: Any) -> None:
    import_daily(store, file(GOOD))
    changed = file(GOOD.replace("1.25", "1.75"), "changed.csv")
    with pytest.raises(BarConflictError):
        import_daily(store, changed, on_conflict="error")
    assert import_daily(store, changed, on_conflict="ignore").report.unchanged == 2
    assert store.read("X", "1D").close.tolist() == [1.5, 1.25]
    assert import_daily(store, changed).report.updated == 1
    assert store.read("X", "1D").close.tolist() == [1.5, 1.75]


def test_many_blocks_keep_their_order(store: BarStore, file: Any) -> None:
    minutes = np.datetime64("2024-01-02T14:30") + np.arange(100_000)
    stamps = np.datetime_as_string(minutes, unit="s", timezone="UTC").tolist()
    lines = [f"{stamp},1,2,0.5,1.5,{row}" for row, stamp in enumerate(stamps)]
    path = file("\n".join([HEADER, *lines]))
    done = import_file(store, path, symbol="X", timeframe="1m", tz="Asia/Tokyo")
    assert done.report.inserted == 100_000
    bars = store.read("X", "1m")
    assert (bars.ts == minutes).all()
    assert (bars.volume == np.arange(100_000)).all()


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def run(migrated_sqlite: str) -> Any:
    """Run ``jutsu-sql import`` on a migrated SQLite file."""

    def run_import(*args: str | Path) -> Result:
        words = ["import", *map(str, args), "--url", migrated_sqlite, "--timeframe", "d"]
        return CliRunner().invoke(main, words)

    return run_import


@pytest.fixture
def stored(migrated_sqlite: str) -> Any:
    def read(symbol: str) -> int:
        with jutsu_sql.connect(migrated_sqlite) as database:
            return len(BarStore(database).read(symbol, "1D"))

    return read


def test_import_prints_what_it_did(run: Any, file: Any, stored: Any) -> None:
    result = run(file(GOOD), "--symbol", "AAPL")
    assert (result.exit_code, result.stderr) == (0, "")
    header, row, understood = result.stdout.splitlines()
    counts = ["inserted", "updated", "unchanged", "kept", "refused"]
    assert header.split() == ["file", "symbol", "timeframe", "rows", *counts]
    assert row.split()[1:] == ["AAPL", "1D", "2", "2", "0", "0", "0", "0"]
    assert understood.endswith("names date, open, high, low, close, volume")
    assert stored("AAPL") == 2
    again = run(file(GOOD), "--symbol", "AAPL", "--force")
    assert again.exit_code == 0
    assert again.stdout.splitlines()[1].split()[1:] == ["AAPL", "1D", "2", "0", "0", "2", "0", "0"]


def test_import_lists_what_it_refuses_and_exits_with_3(
    run: Any, file: Any, stored: Any, caplog: pytest.LogCaptureFixture
) -> None:
    result = run(file(BAD))
    assert (result.exit_code, result.stderr) == (3, "")
    assert "6 rows refused" in result.stdout
    for each in BAD_LINES:
        assert f"{each.line}  {each.reason}" in result.stdout
        assert each.text in result.stdout
    assert stored("X") == 1
    assert caplog.records == []  # the store's warning counts rows, not lines
    assert logging.getLogger("jutsu_sql").level == logging.NOTSET


def test_import_shows_twenty_refused_lines_and_json_all(run: Any, file: Any) -> None:
    path = file(GOOD + "bad\n" * 30)
    result = run(path)
    assert (result.exit_code, result.stdout.count("1 fields where")) == (3, 20)
    assert "and 10 more" in result.stdout
    (entry,) = json.loads(run(path, "--json", "--force").stdout)["files"]
    assert [each["line"] for each in entry["refused"]] == list(range(4, 34))
    assert entry["refused"][0] == {
        "line": 4,
        "reason": "1 fields where the header has 6",
        "text": "bad",
    }
    assert entry["counts"] == {
        "load_id": 2,
        "received": 32,
        "inserted": 0,
        "updated": 0,
        "unchanged": 2,
        "kept": 0,
        "kept_from_partial": 0,
        "rejected": 30,
        "skipped": False,
    }
    assert entry["layout"]["columns"]["close"] == "close"
    assert (entry["symbol"], entry["timeframe"], entry["error"]) == ("X", "1D", None)


def test_a_failing_file_does_not_stop_the_others(run: Any, file: Any, stored: Any) -> None:
    result = run(file(GOOD, "A.csv"), file("", "B.csv"), "none.csv", file(GOOD, "C.csv.gz"))
    assert result.exit_code == 1
    assert [line.split(": ", 2)[0] for line in result.stderr.splitlines()] == ["Error"] * 2
    assert "B.csv: the file is empty" in result.stderr
    assert "none.csv: there is no such file" in result.stderr
    assert (stored("A"), stored("B"), stored("C")) == (2, 0, 2)


def test_a_failing_file_is_in_the_json(run: Any, file: Any) -> None:
    result = run(file(GOOD, "A.csv"), file("", "B.csv"), "--json")
    assert (result.exit_code, result.stderr) == (1, "")
    first, second = json.loads(result.stdout)["files"]
    assert (first["error"], first["counts"]["inserted"]) == (None, 2)
    assert (second["error"][-17:], second["counts"]) == ("the file is empty", {})


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("AAPL.csv", "AAPL"),
        ("BRK-B.csv.gz", "BRK-B"),
        ("000001.SZ.CSV", "000001.SZ"),
        ("^GSPC.txt", "^GSPC"),
        ("table.csv", None),
        ("AAPL (1).csv", None),
        (".csv", None),
    ],
)
def test_a_file_s_name_is_its_symbol_only_if_it_looks_so(
    run: Any, file: Any, name: str, symbol: str | None
) -> None:
    (entry,) = json.loads(run(file(GOOD, name), "--json").stdout)["files"]
    assert entry["symbol"] == symbol
    assert bool(entry["error"]) == (symbol is None)


def test_chunks_of_one_series_go_under_one_symbol(run: Any, file: Any, stored: Any) -> None:
    later = GOOD.replace("2024-", "2025-")
    assert run(file(GOOD, "a.csv"), file(later, "b.csv"), "--symbol", "X").exit_code == 0
    assert stored("X") == 4


def test_a_dry_run_opens_no_database(file: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/none.db"
    words = ["import", str(file(BAD)), "--timeframe", "1D", "--url", url, "--dry-run"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 3
    for part in (
        "X: by the name",
        "1D: as told",
        "7, of which 6",
        "YYYY-MM-DD: dates",
        "2024-01-02   1.0",
        "line 2",
    ):
        assert part in result.stdout
    assert not (tmp_path / "none.db").exists()
    (entry,) = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)["files"]
    assert (entry["counts"], entry["first"][0]["close"]) == ({"received": 7}, 1.5)
    strict = CliRunner().invoke(main, [*words, "--strict"])
    assert (strict.exit_code, "6 rows refused" in strict.stderr) == (1, True)


def test_a_dry_run_shows_the_layout_of_what_cannot_be_stored(run: Any, file: Any) -> None:
    result = run(file(f"{HEADER}\n2024-01-02,x,x,x,x,x\n"), "--dry-run")
    assert result.exit_code == 1
    assert "column 'close'" in result.stdout
    assert "no row can be stored: line 2: open 'x' is no number; high" in result.stderr


def test_options_reach_the_parser(run: Any, file: Any, stored: Any) -> None:
    text = "Day|O|High|Low|Close|Last\n31-Jan-24 14:30|1|2|0.5|9|1.5\n"
    columns = ("--column", "time=Day", "--column", "open=O", "--column", "close=Last")
    rest = ("--date-format", "%d-%b-%y %H:%M", "--tz", "America/New_York", "--symbol", "Y")
    assert run(file(text), *columns, *rest).exit_code == 0
    assert stored("Y") == 1


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("--column", "close"), 2, "'close' is not FIELD=NAME"),
        (("--column", "=close"), 2, "'=close' is not FIELD=NAME"),
        (("--tz", "Mars"), 1, "there is no time zone 'Mars'"),
        (("--timeframe", "soon"), 1, "'soon' is no timeframe"),
        (("--on-conflict", "merge"), 2, "'merge' is not one of"),
        (("--column", "close=Last"), 1, "there is no column 'Last'"),
    ],
)
def test_a_wrong_option_stores_nothing(
    file: Any, migrated_sqlite: str, stored: Any, words: tuple[str, ...], status: int, message: str
) -> None:
    args = ["import", str(file(GOOD)), "--url", migrated_sqlite, "--timeframe", "1D", *words]
    result = CliRunner().invoke(main, args)
    assert (result.exit_code, stored("X")) == (status, 0)
    assert message in result.stderr


def test_a_database_that_is_not_migrated_is_an_error(file: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    jutsu_sql.connect(url).close()
    words = ["import", str(file(GOOD)), "--timeframe", "1D", "--url", url]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    assert "migrate" in result.stderr


def test_an_interrupt_keeps_whole_files_only(
    run: Any, file: Any, stored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second file's transaction is under way when the key is pressed."""
    whole = Database.transaction
    seen = []

    def interrupted(self: Database) -> Any:
        @contextmanager
        def transaction() -> Iterator[Any]:
            with whole(self) as tx:
                yield tx
                seen.append(tx)
                if len(seen) == 2:
                    raise KeyboardInterrupt

        return transaction()

    monkeypatch.setattr(Database, "transaction", interrupted)
    result = run(file(GOOD, "A.csv"), file(GOOD, "B.csv"), file(GOOD, "C.csv"))
    assert result.exit_code == 130
    assert "A.csv" in result.stdout
    assert "B.csv" not in result.stdout
    assert (stored("A"), stored("B"), stored("C")) == (2, 0, 0)


def test_help_tells_the_exit_statuses_and_an_example() -> None:
    text = CliRunner().invoke(main, ["import", "--help"]).stdout
    for part in ("Exit status", "3  the files are stored", "jutsu-sql import AAPL.csv"):
        assert part in text
