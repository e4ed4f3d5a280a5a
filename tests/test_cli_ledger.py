"""The ledger from the shell, on both engines: loads, history, undo, refused rows, and imports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import jutsu_sql
from jutsu_sql import Bars, BarStore
from jutsu_sql.cli import common, main
from jutsu_sql.errors import RejectedBarsError, SourceError
from jutsu_sql.sources import RefusedLine, import_file

HEADER = "date,open,high,low,close,volume"
GOOD = f"{HEADER}\n2024-01-02,1,2,0.5,1.5,10\n2024-01-03,1.5,2,1,1.25,20\n"
BAD = f"""{HEADER}
2024-01-02,1,2,0.5,1.5,10

2024-01-03,1,2,0.5,"a,b",10
2024-01-05,1,2,0.5,1.5,10
2024-01-05,1,2,0.5,1.5,11
"""
BAD_LINES = [
    RefusedLine(4, "close 'a,b' is no number", '2024-01-03,1,2,0.5,"a,b",10'),
    RefusedLine(5, "contradicts line 6, of the same time", "2024-01-05,1,2,0.5,1.5,10"),
    RefusedLine(6, "contradicts line 5, of the same time", "2024-01-05,1,2,0.5,1.5,11"),
]


@pytest.fixture
def url(migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A migrated database, in a directory without a configuration."""
    monkeypatch.chdir(tmp_path)
    return migrated_url


@contextmanager
def opened(url: str) -> Iterator[BarStore]:
    with jutsu_sql.connect(url, create=False) as db:
        yield BarStore(db)


@pytest.fixture
def run(url: str) -> Any:
    def invoke(*args: str | Path, status: int = 0, answer: str | None = None) -> Result:
        words = [*map(str, args), "--url", url]
        result = CliRunner().invoke(main, words, input=answer, catch_exceptions=False)
        assert result.exit_code == status, result.output
        return result

    return invoke


@pytest.fixture
def run_json(run: Any) -> Any:
    return lambda *args, status=0: json.loads(run(*args, "--json", status=status).stdout)


@pytest.fixture
def load_file(run_json: Any) -> Any:
    """Import one file, and give its entry in the JSON."""

    def load(path: Path, *args: str, status: int = 0, symbol: str = "X") -> Any:
        words = ("import", path, "--timeframe", "1D", "--symbol", symbol, *args)
        (entry,) = run_json(*words, status=status)["files"]
        return entry

    return load


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(content: str, name: str = "X.csv") -> Path:
        path = tmp_path / name
        path.write_text(content)
        return path

    return write


def bars(*closes: float, symbol: str = "A", timeframe: str = "1D") -> Bars:
    ts = np.datetime64("2024-01-02", "us") + np.arange(len(closes)) * np.timedelta64(1, "D")
    x = np.array(closes)
    return Bars.from_arrays(symbol, timeframe, ts, x, x.copy(), x.copy(), x.copy(), x.copy())


def closes(url: str, symbol: str = "A") -> list[float]:
    with opened(url) as store:
        values: list[float] = store.read(symbol, "1D").close.tolist()
    return values


@pytest.fixture
def three_loads(url: str) -> list[int]:
    """Two bars, a correction and a third bar, and the deletion of the first."""
    with opened(url) as store:
        first = store.write(bars(1.0, 2.0), source="vendor", uri="file:///a.csv")
        second = store.write(bars(1.0, 2.5, 3.0), source="repair")
        third = store.delete("A", "1D", "2024-01-02", "2024-01-02")
    return [first.load_id, second.load_id, third.load_id]


# --- loads ----------------------------------------------------------------------------------------


def test_loads_come_newest_first(run: Any, run_json: Any, three_loads: list[int]) -> None:
    header, *rows = [line.split() for line in run("loads").stdout.splitlines()]
    assert header[:5] == ["load", "kind", "source", "finished", "received"]
    assert [row[:3] for row in rows] == [
        [str(three_loads[2]), "delete", "delete"],
        [str(three_loads[1]), "write", "repair"],
        [str(three_loads[0]), "write", "vendor"],
    ]
    assert [row[5:] for row in rows] == [
        ["0", "0", "0", "0", "0", "0", "1"],
        ["3", "1", "1", "1", "0", "0", "0"],
        ["2", "2", "0", "0", "0", "0", "0", "file:///a.csv"],
    ]
    assert len(run("loads", "-n", "2").stdout.splitlines()) == 3
    (last,) = run_json("loads", "-n", "1")
    assert (last["load_id"], last["kind"], last["rows_deleted"]) == (three_loads[2], "delete", 1)
    assert last["finished_at"].endswith("+00:00")
    run("loads", "-n", "0", status=2)


def test_no_loads(run: Any, run_json: Any) -> None:
    assert run_json("loads") == []
    assert run("loads").stdout.startswith("load  kind")


# --- history --------------------------------------------------------------------------------------


def test_history_has_every_version(run: Any, run_json: Any, three_loads: list[int]) -> None:
    old, new = run_json("history", "A", "daily", "2024-01-03")
    assert (old["load_id"], old["source"], old["close"]) == (three_loads[0], "vendor", 2.0)
    assert (old["superseded_by"], old["known_until"]) == (three_loads[1], new["known_from"])
    assert (new["close"], new["known_until"], new["superseded_by"]) == (2.5, None, None)
    same = run_json("history", "A", "1D", "2024-01-02T19:00-05:00")
    assert same == [old, new]
    (deleted,) = run_json("history", "A", "1D", "2024-01-02")
    assert deleted["superseded_by"] == three_loads[2]
    table = run("history", "A", "1D", "2024-01-03").stdout.splitlines()
    assert table[0].split()[:5] == ["load", "source", "observed_at", "known_from", "known_until"]
    assert [line.split()[0] for line in table[1:]] == [str(load) for load in three_loads[:2]]


@pytest.mark.usefixtures("three_loads")
def test_history_of_what_is_not_there(run: Any, run_json: Any) -> None:
    assert run_json("history", "A", "1D", "2024-02-01") == []
    none = run("history", "A", "1D", "2024-02-01").stdout
    assert none == "There has been no bar of A 1D at 2024-02-01.\n"
    assert "A is stored at 1D" in run("history", "A", "1h", "2024-02-01", status=1).stderr
    assert "no ISO 8601" in run("history", "A", "1D", "soon", status=1).stderr
    assert "no time zone" in run("history", "A", "1D", "2024-02-01T10:00", status=1).stderr
    assert "no timeframe" in run("history", "A", "1x", "2024-02-01", status=1).stderr


# --- as of ----------------------------------------------------------------------------------------


def test_bars_as_they_were_known(run: Any, run_json: Any, three_loads: list[int]) -> None:
    known = {row["load_id"]: row["finished_at"] for row in run_json("loads")}

    def at(time: str, *args: str) -> list[float]:
        return [bar["close"] for bar in run_json("bars", "A", "1D", "--as-of", time, *args)]

    assert at(known[three_loads[0]]) == [1.0, 2.0]
    assert at(known[three_loads[1]]) == [1.0, 2.5, 3.0]
    assert at(known[three_loads[2]]) == [2.5, 3.0]
    assert at(known[three_loads[1]], "--last", "2") == [2.5, 3.0]
    assert at(known[three_loads[0]], "--last", "9", "--end", "2024-01-02") == [1.0]
    assert at(known[three_loads[1]], "--start", "2024-01-03") == [2.5, 3.0]
    assert at(known[three_loads[0]], "--start", "2024-01-03", "--warmup", "1") == [1.0, 2.0]
    assert at(known[three_loads[2]], "--start", "2024-01-04", "--warmup", "2") == [2.5, 3.0]
    assert at("9999-12-31") == [2.5, 3.0]
    before = datetime.fromisoformat(known[three_loads[0]]) - timedelta(microseconds=1)
    assert at(before.isoformat()) == []
    naive = run("bars", "A", "1D", "--as-of", "2024-01-02T10:00", status=1)
    assert "no time zone" in naive.stderr
    unknown = run("bars", "B", "1D", "--as-of", "2024-01-02", status=1)
    assert "there are no bars of B" in unknown.stderr


# --- undo -----------------------------------------------------------------------------------------


def test_undo_says_what_the_load_was(
    run: Any, run_json: Any, url: str, three_loads: list[int]
) -> None:
    refused = run("undo", str(three_loads[1]), status=1).stderr
    assert f"Undo load {three_loads[1]} (write by repair, 2" in refused
    assert "UTC: 1 inserted, 1 updated, 0 deleted) in " in refused
    assert "--yes" in refused
    assert closes(url) == [2.5, 3.0]
    done = run("undo", str(three_loads[1]), "--yes").stdout
    assert done.startswith(f"Undid load {three_loads[1]} (write by repair, ")
    assert done.endswith(": 1 bars put back as they were, 0 brought back, 1 taken away.\n")
    assert closes(url) == [2.0]
    undone = run_json("loads", "-n", "1")[0]
    assert undone["kind"] == "undo"
    again = run_json("undo", str(undone["load_id"]), "--yes")
    assert again.pop("load_id") > undone["load_id"]
    assert again == {
        "undone": undone["load_id"],
        "restored": 1,
        "reinserted": 1,
        "deleted": 0,
    }
    assert closes(url) == [2.5, 3.0]
    assert "vendor from file:///a.csv" in run("undo", str(three_loads[0]), status=1).stderr


def test_undo_of_no_load(run: Any) -> None:
    assert "there is no load 17: `jutsu-sql loads`" in run("undo", "17", "--yes", status=1).stderr
    run("undo", "first", status=2)
    run("undo", "0", status=2)


def test_a_person_is_asked_before_a_load_is_undone(
    run: Any, url: str, three_loads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "is_terminal", lambda stream: True)
    args = ("undo", str(three_loads[2]))
    assert "nothing was changed" in run(*args, answer="n\n", status=1).stderr
    run(*args, answer="", status=130)
    assert closes(url) == [2.5, 3.0]
    run(*args, answer="y\n")
    assert closes(url) == [1.0, 2.5, 3.0]


# --- rejected -------------------------------------------------------------------------------------


def test_refused_rows_are_mended_and_imported(
    run: Any, run_json: Any, url: str, tmp_path: Path
) -> None:
    wrong = bars(1.0, 2.0, 3.0)
    wrong.high[1], wrong.volume[2] = 0.5, np.nan
    with opened(url) as store:
        load = str(store.write(wrong, source="program").load_id)
    first, second = run_json("rejected", load)
    assert (first["load_id"], first["position"], first["symbol"]) == (int(load), 1, "A")
    assert first["ts"] == "2024-01-03T00:00:00+00:00"
    assert first["reason"] == "high 0.5 is below low 2.0"
    assert json.loads(second["raw"])["volume"] == "nan"
    assert run_json("rejected") == [first, second]
    table = run("rejected", load).stdout.splitlines()
    assert table[0].split() == ["load", "position", "symbol", "timeframe", "ts", "reason", "raw"]
    assert first["reason"] in table[1]
    text = run("rejected", load, "--format", "csv")
    assert text.stderr == ""
    assert text.stdout.splitlines() == [
        "symbol,timeframe,ts,open,high,low,close,volume",
        "A,1D,2024-01-03T00:00:00+00:00,2.0,0.5,2.0,2.0,2.0",
        "A,1D,2024-01-04T00:00:00+00:00,3.0,3.0,3.0,3.0,nan",
    ]
    fixed = tmp_path / "fix.csv"
    fixed.write_text(text.stdout.replace("0.5", "2.0").replace("nan", "7"))
    run("import", fixed, "--symbol", "A", "--timeframe", "1D")
    assert closes(url) == [1.0, 2.0, 3.0]


def test_the_csv_of_several_series_says_so(run: Any, run_json: Any, url: str) -> None:
    with opened(url) as store:
        for symbol, timeframe in (("A", "1D"), ("A", "1h"), ("B", "1D")):
            wrong = bars(1.0, 2.0, symbol=symbol, timeframe=timeframe)
            wrong.volume[1] = -1
            store.write(wrong, source="program")
    text = run("rejected", "--format", "csv")
    assert len(text.stdout.splitlines()) == 4
    assert text.stderr.startswith("Warning: these are rows of 3 series")
    one = run("rejected", "--format", "csv", "--symbol", "A", "--timeframe", "60min")
    assert (len(one.stdout.splitlines()), one.stderr) == (2, "")
    assert [row["symbol"] for row in run_json("rejected", "--symbol", "B")] == ["B"]


def test_a_time_that_is_missing_stays_so(run: Any, url: str) -> None:
    wrong = bars(1.0, 2.0)
    wrong.ts[0] = np.datetime64("NaT", "us")
    with opened(url) as store:
        store.write(wrong, source="program")
    row = run("rejected", "--format", "csv").stdout.splitlines()[1]
    assert row == "A,1D,,1.0,1.0,1.0,1.0,1.0"


def test_refused_lines_of_a_file_are_shown_as_they_are(
    run: Any, run_json: Any, load_file: Any, file: Any
) -> None:
    load = load_file(file(BAD), status=3)["counts"]["load_id"]
    rows = run_json("rejected", str(load))
    assert [RefusedLine(row["position"], row["reason"], row["raw"]) for row in rows] == BAD_LINES
    assert [row["ts"] for row in rows] == [
        "2024-01-03T00:00:00+00:00",
        "2024-01-05T00:00:00+00:00",
        "2024-01-05T00:00:00+00:00",
    ]
    table = run("rejected", str(load)).stdout
    assert all(each.reason in table and each.text in table for each in BAD_LINES)
    text = run("rejected", str(load), "--format", "csv")
    assert text.stdout.count("\n") == 1
    assert text.stderr.startswith("Warning: 3 refused lines of files are left out")


def test_two_rows_of_one_line_may_be_refused(run_json: Any, file: Any) -> None:
    """Of symbols whose bars stand side by side."""
    text = (
        "Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume\n"
        "Ticker,A,B,A,B,A,B,A,B,A,B\nDate,,,,,,,,,,\n"
        "2024-01-02,2,20,3,30,1,10,2,20,5,50\n2024-01-03,9,8,3,30,1,10,2,20,5,50\n"
    )
    (done,) = run_json("import", file(text), "--timeframe", "1D", status=3)["files"]
    assert (done["counts"]["inserted"], done["counts"]["rejected"]) == (2, 2)
    rows = run_json("rejected", str(done["counts"]["load_id"]))
    assert [(row["symbol"], row["position"], row["reason"]) for row in rows] == [
        ("A", 5, "close 9.0 is above high 3.0"),
        ("B", 5, "close 8.0 is below low 10.0"),
    ]


def test_rejected_of_nothing(run: Any, run_json: Any, three_loads: list[int]) -> None:
    assert run_json("rejected") == run_json("rejected", str(three_loads[0])) == []
    assert "there is no load 99" in run("rejected", "99", status=1).stderr
    assert "no timeframe" in run("rejected", "--timeframe", "1x", status=1).stderr


# --- import ---------------------------------------------------------------------------------------


def test_a_file_that_is_loaded_is_skipped(run: Any, run_json: Any, file: Any) -> None:
    args = ("import", file(GOOD), "--timeframe", "1D")
    run(*args)
    load = run_json("loads")[0]["load_id"]
    again = run(*args)
    header, row, note = again.stdout.splitlines()
    names = ["rows", "inserted", "updated", "unchanged", "kept", "refused"]
    assert dict(zip(header.split()[3:], row.split()[3:], strict=True)) == dict(
        zip(names, ["2", "0", "0", "2", "0", "0"], strict=True)
    )
    assert note.endswith(f"X.csv: already loaded by load {load}; --force loads it again")
    (entry,) = run_json(*args)["files"]
    assert entry["counts"] == {
        "load_id": load,
        "received": 2,
        "inserted": 0,
        "updated": 0,
        "unchanged": 2,
        "kept": 0,
        "kept_from_partial": 0,
        "rejected": 0,
        "skipped": True,
    }
    assert len(run_json("loads")) == 1
    (forced,) = run_json(*args, "--force")["files"]
    assert (forced["counts"]["skipped"], forced["counts"]["unchanged"]) == (False, 2)
    assert len(run_json("loads")) == 2


def test_a_skipped_file_tells_what_was_refused(run: Any, load_file: Any, file: Any) -> None:
    path = file(BAD)
    first = load_file(path, status=3)
    again = load_file(path, status=3)
    assert again["refused"] == first["refused"]
    assert again["counts"]["skipped"]
    assert (again["counts"]["unchanged"], again["counts"]["rejected"]) == (1, 3)
    text = run("import", path, "--timeframe", "1D", status=3).stdout
    load = first["counts"]["load_id"]
    assert f"already loaded by load {load}, which refused 3 rows; --force" in text
    assert all(each.reason in text for each in BAD_LINES)
    strict = load_file(path, "--strict", status=1)
    assert "3 rows refused, nothing was written" in strict["error"]


@pytest.mark.parametrize(
    ("args", "symbol"),
    [
        ((), "Y"),
        (("--tz", "Asia/Tokyo"), "X"),
        (("--column", "close=open"), "X"),
        (("--date-format", "%Y-%m-%d"), "X"),
        (("--on-conflict", "ignore"), "X"),
    ],
)
def test_a_file_that_is_read_otherwise_is_not_skipped(
    load_file: Any, file: Any, args: tuple[str, ...], symbol: str
) -> None:
    path = file(GOOD)
    load_file(path)
    assert not load_file(path, *args, symbol=symbol)["counts"]["skipped"]
    assert load_file(path, *args, symbol=symbol)["counts"]["skipped"]


def test_what_touched_the_series_makes_a_file_worth_loading(
    run: Any, load_file: Any, file: Any, url: str
) -> None:
    path = file(GOOD)
    first = load_file(path)["counts"]["load_id"]
    run("delete", "--symbol", "X", "--end", "2024-01-02", "--yes")
    assert load_file(path)["counts"]["inserted"] == 1
    assert load_file(path)["counts"]["skipped"]
    load_file(file(GOOD.replace("1.25", "1.75"), "changed.csv"))
    back = load_file(path)
    assert (back["counts"]["updated"], closes(url, "X")) == (1, [1.5, 1.25])
    run("undo", str(back["counts"]["load_id"]), "--yes")
    assert closes(url, "X") == [1.5, 1.75]
    assert load_file(path)["counts"]["updated"] == 1
    assert first != back["counts"]["load_id"]


def test_an_error_for_stored_bars_is_not_skipped_over(load_file: Any, file: Any) -> None:
    path = file(GOOD)
    load_file(path, "--on-conflict", "error")
    again = load_file(path, "--on-conflict", "error", status=1)
    assert "is stored already" in again["error"]


def test_a_later_observation_is_kept(run: Any, load_file: Any, file: Any, url: str) -> None:
    new, old = file(GOOD), file(GOOD.replace("1.25", "1.75"), "old.csv")
    load_file(new, "--observed-at", "2024-01-04T21:00Z")
    args = ("--observed-at", "2024-01-03T12:00-05:00")
    counts = load_file(old, *args)["counts"]
    assert (counts["updated"], counts["unchanged"], counts["kept"]) == (0, 1, 1)
    assert counts["kept_from_partial"] == 1
    assert closes(url, "X") == [1.5, 1.25]
    shown = run("import", old, "--timeframe", "1D", "--symbol", "X", "--force", *args).stdout
    assert "1 stored bars were observed later and are kept; the file has 1 of them from" in shown


def test_a_file_that_was_kept_back_counts_when_it_is_observed_again(
    load_file: Any, file: Any, url: str
) -> None:
    load_file(file(GOOD), "--observed-at", "2024-01-04T21:00Z")
    old = file(GOOD.replace("1.25", "1.75"), "old.csv")
    assert load_file(old, "--observed-at", "2024-01-03T21:00Z")["counts"]["kept"] == 1
    assert load_file(old)["counts"]["updated"] == 1
    assert closes(url, "X") == [1.5, 1.75]


def test_the_files_of_one_series_are_each_skipped(load_file: Any, file: Any) -> None:
    parts = [file(GOOD.replace("2024-", f"{year}-"), f"{year}.csv") for year in (2022, 2023)]
    assert [load_file(part)["counts"]["inserted"] for part in parts] == [2, 2]
    assert [load_file(part)["counts"]["skipped"] for part in parts] == [True, True]


@pytest.mark.parametrize("time", ["2024-01-02", "2024-01-02T21:00", "soon"])
def test_an_observation_is_a_time_with_its_offset(run: Any, file: Any, time: str) -> None:
    wrong = run("import", file(GOOD), "--timeframe", "1D", "--observed-at", time, status=2)
    assert f"{time!r} is no ISO 8601 time with its offset" in wrong.stderr


def test_a_dry_run_takes_every_option(run: Any, run_json: Any, file: Any) -> None:
    args = ("--observed-at", "2024-01-02T21:00Z", "--force", "--dry-run")
    run("import", file(GOOD), "--timeframe", "1D", *args)
    assert run_json("loads") == []


def test_what_is_refused_as_a_whole_leaves_no_trace(url: str, file: Any) -> None:
    with opened(url) as store:
        all_bad = file(f"{HEADER}\n2024-01-02,1,2,0.5,x,1\n", "bad.csv")
        with pytest.raises(SourceError, match="no row can be stored: line 2"):
            import_file(store, all_bad, symbol="X", timeframe="1D")
        with pytest.raises(RejectedBarsError, match="3 rows refused"):
            import_file(store, file(BAD), symbol="X", timeframe="1D", strict=True)
        assert store.loads() == store.rejected() == store.series() == []


def test_a_good_file_is_validated_once(
    url: str, file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    validate, calls = Bars.validate, []

    def counted(self: Bars) -> Any:
        calls.append(len(self))
        return validate(self)

    monkeypatch.setattr(Bars, "validate", counted)
    with opened(url) as store:
        import_file(store, file(GOOD), symbol="X", timeframe="1D")
    assert calls == [2]


# --- a database that is not ready -----------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [("loads",), ("history", "A", "1D", "2024-01-02"), ("undo", "1", "--yes"), ("rejected",)],
    ids=" ".join,
)
def test_the_schema_must_be_there(args: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    words = [*args, "--url", f"sqlite:///{tmp_path}/empty.db"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    assert "jutsu-sql migrate" in result.stderr
