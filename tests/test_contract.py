"""One contract for every engine and time zone: the same calls, the same answers."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import jutsu_sql
from jutsu_sql import Bars, BarStore, Database, errors

DAY = datetime(2024, 1, 2, tzinfo=UTC)


def record(
    symbol: str = "AAPL", timeframe: str = "1D", ts: Any = DAY, close: Any = 10.5, **other: Any
) -> dict[str, Any]:
    values = {"open": 10.0, "high": 11.0, "low": 9.0, "close": close, "volume": 100.0, **other}
    return {"symbol": symbol, "timeframe": timeframe, "ts": ts, **values}


def minutes(count: int, symbol: str = "AAPL", first: datetime = DAY) -> Bars:
    """Minute bars whose closes tell them apart."""
    us = np.datetime64(first.replace(tzinfo=None), "us") + np.arange(count) * np.timedelta64(1, "m")
    close = 100.0 + np.arange(count) % 50
    return Bars.from_arrays(symbol, "1m", us, close, close + 1, close - 1, close, close * 10)


def counts(report: Any) -> tuple[int, ...]:
    return (
        report.received,
        report.inserted,
        report.updated,
        report.unchanged,
        report.rejected,
    )


def test_what_is_written_is_read(store: BarStore) -> None:
    bars = minutes(500)
    assert counts(store.write(bars, source="test")) == (500, 500, 0, 0, 0)
    got = store.read("AAPL", "1m")
    assert list(got) == list(bars)
    assert got.ts.dtype == np.dtype("M8[us]")
    assert {got.close.dtype, got.volume.dtype} == {np.dtype(np.float64)}


def test_a_replay_changes_nothing(store: BarStore) -> None:
    store.write(minutes(500), source="test")
    assert counts(store.write(minutes(500), source="test")) == (500, 0, 0, 500, 0)


def test_a_correction_is_an_update(store: BarStore) -> None:
    store.write(minutes(10), source="test")
    corrected = minutes(12)
    corrected.close[3] += 0.25
    assert counts(store.write(corrected, source="test")) == (12, 2, 1, 9, 0)
    assert list(store.read("AAPL", "1m")) == list(corrected)


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
def test_every_column_counts_as_a_difference(store: BarStore, column: str) -> None:
    store.write([record()], source="test")
    value = {"open": 10.25, "high": 12.0, "low": 8.0, "close": 10.75, "volume": 7.0}[column]
    assert store.write([record(**{column: value})], source="test").updated == 1
    assert getattr(store.read("AAPL", "1D"), column).tolist() == [value]


def test_ignore_keeps_what_is_stored(store: BarStore) -> None:
    store.write([record()], source="test")
    batch = [record(close=10.75), record(ts=DAY + timedelta(days=1))]
    report = store.write(batch, source="test", on_conflict="ignore")
    assert counts(report) == (2, 1, 0, 1, 0)
    assert store.read("AAPL", "1D").close.tolist() == [10.5, 10.5]


def test_error_refuses_the_whole_load(store: BarStore) -> None:
    store.write([record()], source="test")
    batch = [record(ts=DAY + timedelta(days=d)) for d in (-1, 0, 1)]
    with pytest.raises(errors.BarConflictError, match=r"AAPL 1D 2024-01-02 00:00:00 UTC"):
        store.write(batch, source="test", on_conflict="error")
    assert len(store.read("AAPL", "1D")) == 1


def test_error_passes_where_nothing_is_met(store: BarStore) -> None:
    store.write([record(ts=DAY + timedelta(days=d)) for d in (0, 2)], source="test")
    between = [record(ts=DAY + timedelta(days=1))]
    assert store.write(between, source="test", on_conflict="error").inserted == 1


def test_an_unknown_policy_is_refused(store: BarStore) -> None:
    with pytest.raises(ValueError, match="on_conflict"):
        store.write([record()], source="test", on_conflict="replace")  # type: ignore[arg-type]


def test_some_series_overlap_and_some_do_not(store: BarStore) -> None:
    store.write(Bars.concat([minutes(50, "B"), minutes(50, "D")]), source="test")
    batch = Bars.concat([minutes(60, name) for name in ("D", "A", "C", "B")])
    assert counts(store.write(batch, source="test")) == (240, 140, 0, 100, 0)
    assert [row.bars for row in store.series()] == [60, 60, 60, 60]


def test_rows_in_any_order_land_in_key_order(store: BarStore) -> None:
    bars = Bars.concat([minutes(300, "B"), minutes(300, "A")])
    shuffled = bars[np.random.default_rng(7).permutation(len(bars))]
    store.write(shuffled, source="test")
    assert list(store.read(["B", "A"], "1m")) == list(bars)


def test_refused_rows_are_counted_and_the_rest_is_stored(
    store: BarStore, caplog: pytest.LogCaptureFixture
) -> None:
    batch = [record(), record(ts=DAY + timedelta(days=1), high=8.0), record(ts=DAY.replace(hour=5))]
    report = store.write(batch, source="test")
    assert counts(report) == (3, 1, 0, 0, 2)
    assert [(r.row, r.reason) for r in report.rejections] == [
        (1, "high 8.0 is below low 9.0"),
        (
            2,
            "2024-01-02 05:00:00 UTC is no session date, which a 1D bar is stamped with:"
            " say tz= (where the exchange is)",
        ),
    ]
    assert "2 rows refused" in caplog.text


def test_strict_refuses_the_whole_load(store: BarStore) -> None:
    with pytest.raises(errors.RejectedBarsError, match="row 1: volume -1.0 is negative") as caught:
        store.write([record(), record(ts=DAY + timedelta(1), volume=-1)], source="t", strict=True)
    assert [r.row for r in caught.value.rejections] == [1]
    assert store.series() == []


def test_one_load_row_a_call(store: BarStore, db: Database) -> None:
    store.write([record()], source="yahoo", uri="file:///x.csv", content_sha256="ab")
    store.write([record(close=10.75), record(), record(volume=-1)], source="messy")
    store.write([], source="empty")
    store.delete("AAPL")
    assert [tuple(row)[1:] for row in db.run("testing.loads")] == [
        ("write", "yahoo", "file:///x.csv", "ab", 1, 1, 0, 0, 0, 0),
        ("write", "messy", None, None, 3, 0, 0, 0, 3, 0),
        ("write", "empty", None, None, 0, 0, 0, 0, 0, 0),
        ("delete", "delete", None, None, 0, 0, 0, 0, 0, 1),
    ]


def test_a_failed_write_leaves_nothing(store: BarStore, monkeypatch: pytest.MonkeyPatch) -> None:
    from jutsu_sql.store import loads

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    store.write(minutes(5), source="test")
    monkeypatch.setattr(loads, "finish_load", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.write(minutes(50), source="test")
    with pytest.raises(KeyboardInterrupt):
        store.write(minutes(50, "NEW"), source="test")
    monkeypatch.undo()
    assert [(row.symbol, row.bars) for row in store.series()] == [("AAPL", 5)]
    assert store.write(minutes(50), source="test").inserted == 45


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, 2880),
        ("2024-01-02", "2024-01-02", 1440),
        (date(2024, 1, 3), None, 1440),
        (None, "2024-01-02T00:00Z", 1),
        ("2024-01-02T10:00+00:00", "2024-01-02T10:59:00+00:00", 60),
        (datetime(2024, 1, 2, 23, 59, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC), 2),
        (datetime(2024, 1, 2, 5, tzinfo=timezone(timedelta(hours=5))), "2024-01-02T00:00Z", 1),
        (np.datetime64("2024-01-03"), np.datetime64("2024-01-03"), 1440),
        ("1900-01-01", "2024-01-01", 0),
    ],
)
def test_both_bounds_are_inclusive(store: BarStore, start: Any, end: Any, expected: int) -> None:
    store.write(minutes(2880), source="test")
    assert len(store.read("AAPL", "1m", start, end)) == expected


@pytest.mark.parametrize("bound", [datetime(2024, 1, 2), "2024-01-02T10:00"])
def test_a_naive_bound_is_refused(store: BarStore, bound: Any) -> None:
    with pytest.raises(errors.NaiveTimestampError):
        store.read("AAPL", "1m", start=bound)


def test_a_reversed_range_is_refused(store: BarStore) -> None:
    with pytest.raises(errors.BarsError, match="after the end"):
        store.read("AAPL", "1m", "2024-02-01", "2024-01-01")


def test_reading_what_is_not_there(store: BarStore) -> None:
    store.write([record()], source="test")
    assert len(store.read("NOPE", "1D")) == 0
    assert len(store.read("AAPL", "1h")) == 0
    assert len(store.read(["NOPE", "NEITHER"], "1D")) == 0
    assert len(store.read(["NOPE", "AAPL"], "1D")) == 1
    assert len(store.latest("NOPE", "1D", 3)) == 0


def test_latest(store: BarStore) -> None:
    bars = minutes(100)
    store.write(bars, source="test")
    assert list(store.latest("AAPL", "1m", 3)) == list(bars[97:])
    assert list(store.latest("AAPL", "1m", 3, end="2024-01-02T00:10Z")) == list(bars[8:11])
    assert len(store.latest("AAPL", "1m", 0)) == 0
    assert len(store.latest("AAPL", "1m", 1000)) == 100
    with pytest.raises(errors.BarsError):
        store.latest("AAPL", "1m", -1)


def test_series(store: BarStore) -> None:
    store.write(Bars.concat([minutes(3, "B"), minutes(2, "A")]), source="test")
    store.write([record("B", "1d")], source="test")
    assert [tuple(row) for row in store.series()] == [
        ("A", "1m", 2, DAY, DAY + timedelta(minutes=1)),
        ("B", "1D", 1, DAY, DAY),
        ("B", "1m", 3, DAY, DAY + timedelta(minutes=2)),
    ]
    assert store.series()[0].first.utcoffset() == timedelta(0)  # type: ignore[union-attr]


def test_delete(store: BarStore) -> None:
    store.write(Bars.concat([minutes(100, "A"), minutes(100, "B")]), source="test")
    store.write([record("A")], source="test")
    assert store.delete("A", "1m", end="2024-01-02T00:09Z").deleted == 10
    assert store.delete(start="2024-01-02T01:00Z").deleted == 80
    assert store.delete(timeframe="daily").deleted == 1
    assert store.delete("NOPE").deleted == 0
    assert store.delete("B").deleted == 60
    with pytest.raises(errors.BarsError, match="everything=True"):
        store.delete()
    with pytest.raises(errors.BarsError, match="without filters"):
        store.delete("A", everything=True)
    assert store.delete(everything=True).deleted == 50
    assert sum(row.bars for row in store.series()) == 0


def test_timeframes_and_their_aliases_name_one_series(store: BarStore) -> None:
    store.write([record(timeframe="daily")], source="test")
    assert store.write([record(timeframe="1d")], source="test").unchanged == 1
    assert store.series()[0].timeframe == "1D"
    assert len(store.read("AAPL", "D")) == 1


def test_session_dates(store: BarStore) -> None:
    evening = [record(ts=datetime(2024, 1, 3, 1, 30, tzinfo=UTC))]
    store.write(evening, source="test", tz="America/New_York")
    assert store.read("AAPL", "1D").ts.tolist() == [datetime(2024, 1, 2)]


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2024, 3, 10, 7, 0, 0, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ],
)
def test_any_instant_to_the_microsecond(store: BarStore, db: Database, moment: datetime) -> None:
    store.write([record(timeframe="1m", ts=moment)], source="test")
    assert [bar.ts for bar in store.read("AAPL", "1m")] == [moment]
    series_id = db.run("series.find", symbol="AAPL", timeframe="1m").series_id
    (row,) = db.run("bars.latest", series_id=series_id, n=5)
    assert (row.ts, row.ts.utcoffset()) == (moment, timedelta(0))
    assert db.run("bars.at", series_id=series_id, ts=moment).close == 10.5


exact_decimals = st.decimals(min_value=-(10**9), max_value=10**9, allow_nan=False, places=6)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(prices=st.lists(exact_decimals, min_size=1, max_size=8))
def test_decimals_come_back_exactly(store: BarStore, prices: list[Decimal]) -> None:
    store.delete(symbol="DEC")
    rows = [
        SimpleNamespace(
            symbol="DEC",
            timeframe="1m",
            timestamp=DAY + timedelta(minutes=i),
            open=price,
            high=price,
            low=price,
            close=price,
            volume=i,
        )
        for i, price in enumerate(prices)
    ]
    assert store.write(rows, source="test").inserted == len(prices)
    assert store.read("DEC", "1m", as_decimal=True).close.tolist() == prices


def test_extreme_doubles_come_back(store: BarStore) -> None:
    extremes = [5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -0.0, 0.1 + 0.2, -1e-7]
    us = np.datetime64("2024-01-01", "us") + np.arange(len(extremes))
    x = np.array(extremes)
    store.write(Bars.from_arrays("X", "1m", us, x, x, x, x, np.abs(x)), source="test")
    assert store.read("X", "1m").close.tolist() == extremes


def test_symbols_may_be_any_text(store: BarStore) -> None:
    names = ["^VIX", "BRK-B", "ES=F", "BTC/USD", "ü 漢字", "a'b\"c", "%s", ":x", "$1", "x" * 300]
    store.write([record(name) for name in names], source="it's %s")
    assert sorted(row.symbol for row in store.series()) == sorted(names)
    for name in names:
        assert len(store.read(name, "1D")) == 1


# --- Database -------------------------------------------------------------------------------------


def test_kinds(db: Database, store: BarStore) -> None:
    store.write(minutes(3), source="test")
    found = db.run("series.find", symbol="AAPL", timeframe="1m")
    assert found.series_id == found[0]
    assert db.run("series.find", symbol="NOPE", timeframe="1m") is None
    rows = db.run("bars.latest", series_id=found.series_id, n=2)
    assert [row.close for row in rows] == [101.0, 102.0]
    assert rows[0]._fields == ("ts", "open", "high", "low", "close", "volume")
    everything = {"series_id": found.series_id, "start": DAY, "end": DAY + timedelta(days=1)}
    columns = db.run("bars.read", **everything)
    assert columns["close"].tolist() == [100.0, 101.0, 102.0]
    assert db.run("bars.delete", **everything) == 3
    assert len(db.run("bars.read", **everything)["close"]) == 0


def test_wrong_calls_fail_before_the_database(db: Database) -> None:
    with pytest.raises(errors.QueryNotFoundError, match=r"bars\.latest"):
        db.run("bars.latets", series_id=1, n=1)
    with pytest.raises(errors.QueryParameterError, match="'n'"):
        db.run("bars.latest", series_id=1)
    with pytest.raises(errors.QueryParameterError, match="'m'"):
        db.run("bars.latest", series_id=1, n=1, m=2)
    with pytest.raises(errors.QueryParameterError, match="series_id"):
        db.run("bars.latest", series_id=1, n=1, seriesid=1)


def test_a_naive_parameter_is_refused(db: Database) -> None:
    with pytest.raises(errors.NaiveTimestampError):
        db.run("bars.at", series_id=1, ts=datetime(2024, 1, 1))


def test_a_transaction_is_all_or_nothing(db: Database, store: BarStore) -> None:
    store.write(minutes(10), source="test")
    (series_id,) = [row.series_id for row in db.run("series.matching", symbol=None, timeframe=None)]
    span = {"start": DAY, "end": DAY + timedelta(minutes=4)}
    with pytest.raises(RuntimeError, match="no"), db.transaction() as tx:
        assert tx.run("bars.delete", series_id=series_id, **span) == 5
        raise RuntimeError("no")
    assert len(store.read("AAPL", "1m")) == 10
    with db.transaction() as tx:
        tx.run("bars.delete", series_id=series_id, **span)
    assert len(store.read("AAPL", "1m")) == 5


def test_a_nested_transaction_is_a_savepoint(db: Database, store: BarStore) -> None:
    store.write(minutes(10), source="test")
    (series_id,) = [row.series_id for row in db.run("series.matching", symbol=None, timeframe=None)]

    def delete_minute(tx: Any, minute: int) -> None:
        moment = DAY + timedelta(minutes=minute)
        assert tx.run("bars.delete", series_id=series_id, start=moment, end=moment) == 1

    with db.transaction() as tx:
        delete_minute(tx, 0)
        with pytest.raises(RuntimeError), tx.transaction() as inner:
            delete_minute(inner, 1)
            with inner.transaction() as innermost:
                delete_minute(innermost, 2)
            raise RuntimeError
        with tx.transaction() as inner:
            delete_minute(inner, 3)
    assert store.read("AAPL", "1m").close.tolist() == [101.0, 102.0, *range(104, 110)]


def test_driver_errors_become_ours(db: Database, store: BarStore) -> None:
    store.write([record()], source="test")
    block = {
        "series_id": np.array([1], dtype=np.int32),
        "load_id": np.array([1], dtype=np.int32),
        "ts": np.array(["2030-01-01"], dtype="M8[us]"),
        "open": np.array([1.0]),
        "high": np.array([0.5]),
        "low": np.array([1.0]),
        "close": np.array([1.0]),
        "volume": np.array([1.0]),
    }
    with pytest.raises(errors.IntegrityError) as caught, db.transaction() as tx:
        tx.bulk_load("bars.load", [block])
    assert caught.value.query_name == "bars.load"
    assert caught.value.sqlstate in {"23514", "SQLITE_CONSTRAINT_CHECK"}
    assert caught.value.__cause__ is not None
    assert not caught.value.retryable
    assert len(store.read("AAPL", "1D")) == 1


def test_the_check_refuses_what_validation_refuses(db: Database, store: BarStore) -> None:
    """Plain SQL by someone cannot store what the toolkit would refuse."""
    store.write([record()], source="test")
    (series_id,) = [row.series_id for row in db.run("series.matching", symbol=None, timeframe=None)]
    good = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.0, "volume": 1.0}
    inf, nan = float("inf"), float("nan")
    bad = [("high", 8.0), ("low", 12.0), ("open", 12.0), ("close", 8.0), ("volume", -1.0)]
    bad += [(name, nan) for name in good] + [("high", inf), ("low", -inf), ("volume", inf)]
    for name, value in bad:
        values = {**good, name: value}
        block = {
            "series_id": np.array([series_id], dtype=np.int32),
            "load_id": np.array([1], dtype=np.int32),
            "ts": np.array(["2030-01-01"], dtype="M8[us]"),
            **{key: np.array([x]) for key, x in values.items()},
        }
        with pytest.raises(errors.IntegrityError), db.transaction() as tx:
            tx.bulk_load("bars.load", [block])
        one = Bars.from_arrays("AAPL", "1D", block["ts"], *([x] for x in values.values()))
        assert len(one.validate().rejections) == 1, (name, value)


def test_many_threads_share_one_database(db: Database, store: BarStore) -> None:
    store.write(minutes(1000), source="test")
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for _ in range(5):
                assert len(store.read("AAPL", "1m")) == 1000
                store.write(minutes(20, f"T{number}"), source="test")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [row.bars for row in store.series()] == [1000, *[20] * 8]


def test_a_closed_database_says_so(database_url: str) -> None:
    db = jutsu_sql.connect(database_url)
    db.close()
    with pytest.raises(errors.ConnectionFailedError, match="closed"):
        db.run("series.summary")


def test_the_view_of_the_original(db: Database, store: BarStore) -> None:
    store.write([record(), record("MSFT", "1h", DAY)], source="schwab")
    assert [tuple(row) for row in db.run("testing.market_data")] == [
        (name, frame, 10.0, 11.0, 9.0, 10.5, 100.0, "schwab", True)
        for name, frame in (("AAPL", "1D"), ("MSFT", "1h"))
    ]


def test_a_block_must_have_just_the_columns_of_its_query(db: Database) -> None:
    block = {"series_id": np.array([1], dtype=np.int32)}
    expected = "bars.load loads the columns series_id,"
    with pytest.raises(errors.QueryParameterError, match=expected), db.transaction() as tx:
        tx.bulk_load("bars.load", [block])


def test_echo_logs_every_statement(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level("INFO", "jutsu_sql.sql"),
        jutsu_sql.connect(database_url, echo=True) as db,
    ):
        db.run("connection.version")
    assert any("connection.version\nSELECT" in message for message in caplog.messages)


def test_a_script_is_all_or_nothing(db: Database) -> None:
    with pytest.raises(errors.StatementError) as caught:
        db.run("testing.broken_script")
    assert caught.value.query_name == "testing.broken_script"
    assert not [row.name for row in db.run("testing.schema") if "half_done" in row.name]


def test_a_number_too_large_for_the_engine(db: Database) -> None:
    with pytest.raises(errors.DataError):
        db.run("bars.latest", series_id=1, n=2**70)
