"""CSV files into bars: what is understood, what is refused by line, what stops the whole file."""

from __future__ import annotations

import gzip
import hashlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jutsu_sql.errors import (
    BarsError,
    ConfigError,
    JutsuSqlError,
    NaiveTimestampError,
    SourceError,
)
from jutsu_sql.interchange import VALUES
from jutsu_sql.sources import FileBars, data_file, read_file

HEADER = "date,open,high,low,close,volume"
NEW_YORK = "America/New_York"


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Read some text, or bytes, as a file of daily bars of X unless said otherwise."""

    def read_text(content: str | bytes, name: str = "x.csv", **options: Any) -> FileBars:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_file(path, **{"symbol": "X", "timeframe": "1D", **options})

    return read_text


def rows(*stamps: str, header: str = HEADER) -> str:
    return "\n".join([header, *(f"{stamp},1,2,0.5,1.5,10" for stamp in stamps), ""])


def times(parsed: FileBars) -> list[str]:
    return [str(ts)[:16] for ts in parsed.bars.ts]


def refused(parsed: FileBars) -> dict[int, str]:
    """Line to reason, as far as the parser tells; the rest is validation's."""
    reasons = {each.row: each.reason for each in parsed.bars.validate().rejections}
    assert parsed.faults.keys() <= reasons.keys()  # or the store would take the row
    reasons.update(parsed.faults)
    return {int(parsed.lines[row]): reason for row, reason in sorted(reasons.items())}


# -- rows and lines -------------------------------------------------------------------------------


def test_every_row_is_there_with_its_values_and_line(read: Any) -> None:
    parsed = read(f"{HEADER}\n2024-01-02,1,2,0.5,1.5,10\n2024-01-03,1.25,2e0,.5,1.5,0\n")
    assert parsed.bars.series == (("X", "1D"),)
    assert times(parsed) == ["2024-01-02T00:00", "2024-01-03T00:00"]
    assert [parsed.bars[1][3:], parsed.bars[0][3:]] == [
        (1.25, 2.0, 0.5, 1.5, 0.0),
        (1.0, 2.0, 0.5, 1.5, 10.0),
    ]
    assert parsed.lines.tolist() == [2, 3]
    assert parsed.lines.dtype == np.int64
    assert parsed.faults == {}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("is_finished", [True, False], ids=["finished", "unfinished"])
def test_lines_are_those_of_the_file(
    read: Any, end: str, bom: bytes, pack: Any, is_finished: bool
) -> None:
    lines = [
        "",  # 1
        HEADER,  # 2
        "",  # 3
        '"2024-01-02","1","2","0.5","1.5","10"',  # 4
        "2024-01-03,1,2",  # 5
        "",  # 6
        "   ",  # 7, as good as empty
        "2024-01-04,1,2,0.5,1.5,10,11",  # 8
        "2024-01-05,1,2,0.5,1.5,abc",  # 9
    ]
    content = bom + end.join(lines).encode() + (end.encode() if is_finished else b"")
    content = pack(content)
    parsed = read(content)
    assert parsed.lines.tolist() == [4, 5, 8, 9]
    assert refused(parsed) == {
        5: "3 fields where the header has 6",
        8: "7 fields where the header has 6",
        9: "volume 'abc' is no number",
    }
    assert parsed.texts([1, 2]) == {1: lines[4], 2: lines[7]}
    assert parsed.bars.ts[0] == np.datetime64("2024-01-02")
    assert np.isnat(parsed.bars.ts[1:3]).all()
    assert parsed.content_sha256 == hashlib.sha256(content).hexdigest()
    assert parsed.layout.compression == (None if pack is bytes else "gzip")
    assert parsed.layout.encoding == ("UTF-8 with a byte order mark" if bom else "UTF-8")


def test_blocks_join_without_a_seam(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    days = [datetime(2000, 1, 1) + timedelta(days=day) for day in range(400)]
    lines = [f"{day:%Y-%m-%d},1,2,0.5,{1 + i % 7 / 8},{i}" for i, day in enumerate(days)]
    lines[100:100] = ["", "2024-01-01,1"]
    content = "\r\n".join([HEADER, *lines])
    whole = read(content)
    for size in (7, 64, 1000):
        monkeypatch.setattr(data_file, "_CHUNK_BYTES", size)
        parsed = read(content)
        assert parsed.lines.tolist() == whole.lines.tolist()
        assert parsed.bars.ts.tolist() == whole.bars.ts.tolist()
        assert np.array_equal(parsed.bars.volume, whole.bars.volume, equal_nan=True)
        assert parsed.faults == whole.faults == {100: "2 fields where the header has 6"}
        assert parsed.texts([399, 100]) == {399: lines[400], 100: lines[101]}


def test_quotes_that_do_not_close_refuse_their_line_and_no_other(read: Any) -> None:
    lines = ["2024-01-02,1,2,0.5,1.5,10,", '2024-01-03,1,2,0.5,1.5,10,"two', 'lines"']
    lines += ['2024-01-04,1,2,0.5,1.5,10,"say ""so"", now"', "2024-01-05,1,2,0.5,1.5,10,"]
    parsed = read("\n".join([HEADER + ",note", *lines]))
    reason = "a quoted field does not end on its line"
    assert refused(parsed) == {3: reason, 4: reason}
    assert times(parsed)[3:] == ["2024-01-04T00:00", "2024-01-05T00:00"]


def test_a_file_may_hold_nothing_but_broken_rows(read: Any) -> None:
    parsed = read(f"{HEADER}\n1,2\n3,4\n")
    assert list(refused(parsed)) == [2, 3]
    assert parsed.layout.first is None


def test_progress_counts_the_bytes_on_the_disk(read: Any) -> None:
    seen: list[tuple[int, int]] = []
    packed = gzip.compress(rows("2024-01-02").encode())
    read(packed, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(packed), len(packed))
    assert seen == sorted(seen)


# -- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["abc", "1,5", "1_0", "0x10", "-", "1.2.3", "5K", "null", "1 2"])
def test_what_is_no_number_is_refused_with_its_text(read: Any, text: str) -> None:
    parsed = read(f'{HEADER}\n2024-01-02,1,2,0.5,1.5,10\n2024-01-03,1,2,0.5,"{text}",10\n')
    assert refused(parsed) == {3: f"close {text!r} is no number"}
    assert np.isnan(parsed.bars.close[1])


@pytest.mark.parametrize("text", ["", "  ", "nan", "inf", "-Infinity", "1e999"])
def test_what_is_no_finite_number_is_left_to_validation(read: Any, text: str) -> None:
    parsed = read(f"{HEADER}\n2024-01-02,1,2,0.5,{text},10\n")
    assert parsed.faults == {}
    assert refused(parsed)[2].startswith("close missing or not finite")


def test_blanks_around_a_number_are_none_of_it(read: Any) -> None:
    parsed = read("date , open, high, low, close, volume\n2024-01-02, 1 ,2, +0.5, 1.5 , 10\n")
    assert parsed.faults == {}
    assert parsed.bars[0][3:] == (1.0, 2.0, 0.5, 1.5, 10.0)


@pytest.mark.parametrize(
    "text",
    ["0.12345678901234567890", "9007199254740993", "1e-400", "1E-400", "0.10000000000000000001"],
)
def test_a_number_that_a_double_would_change_is_refused(read: Any, text: str) -> None:
    parsed = read(f"{HEADER}\n2024-01-02,1,2,0.5,1.5,{text}\n")
    assert refused(parsed) == {2: f"volume {text} has more digits than a double carries"}


@pytest.mark.parametrize(
    "text",
    ["139.7100067138672", "9007199254740992", "1234567.10000000", "0.000000000000000001", "1E-7"],
)
def test_a_long_number_that_a_double_gives_back_is_taken(read: Any, text: str) -> None:
    parsed = read(f"{HEADER}\n2024-01-02,1,2,0.5,1.5,{text}\n")
    assert parsed.faults == {}
    assert parsed.bars.as_decimal().volume[0] == Decimal(text)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**25))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_decimal_is_changed_unnoticed(read: Any, number: Decimal) -> None:
    parsed = read(f"{HEADER}\n2024-01-02,1,2,0.5,1.5,{number}\n")
    if parsed.faults:
        assert Decimal(repr(float(number))) != number
    else:
        assert parsed.bars.as_decimal().volume[0] == number


# -- the header -----------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "names",
    [
        ("Date", "Open", "High", "Low", "Close", "Volume"),
        ("<DATE>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<VOL>"),
        ('"time"', '"open"', '"high"', '"low"', '"close"', '"Volume"'),
        ("Date_Time", " open", " high", " low", " close", " vol"),
    ],
    ids=lambda names: names[0],
)
def test_columns_are_found_by_name(read: Any, delimiter: str, names: tuple[str, ...]) -> None:
    row = ("2024-01-02", "1", "2", "0.5", "1.5", "10")
    parsed = read(f"{delimiter.join(names)}\n{delimiter.join(row)}\n")
    assert parsed.bars[0][3:] == (1.0, 2.0, 0.5, 1.5, 10.0)
    assert times(parsed) == ["2024-01-02T00:00"]


def test_other_columns_are_ignored_and_named(read: Any) -> None:
    parsed = read(
        "Date,Open,High,Low,Close,Adj Close,Volume,Volume USD\n2024-01-02,1,2,0.5,1.5,9,10,9\n"
    )
    assert parsed.layout.ignored == ("Adj Close", "Volume USD")
    assert parsed.layout.columns["close"] == "Close"
    assert parsed.bars[0][3:] == (1.0, 2.0, 0.5, 1.5, 10.0)


def test_a_file_without_volumes_says_so(read: Any) -> None:
    parsed = read("DATE,OPEN,HIGH,LOW,CLOSE\n2024-01-02,1,2,0.5,1.5\n")
    assert parsed.bars.volume.tolist() == [0.0]
    assert parsed.layout.notes == ("no volume column: volumes are 0", "every volume is 0")


def test_a_column_map_wins_over_the_names(read: Any) -> None:
    text = "Day,Close,Open,High,Low,Last Price,Qty\n2024-01-02,9,1,2,0.5,1.5,10\n"
    columns = {"Time": "Day", "close": "last price", "volume": "Qty"}
    parsed = read(text, columns=columns)
    assert parsed.bars[0][3:] == (1.0, 2.0, 0.5, 1.5, 10.0)
    assert parsed.layout.columns["close"] == "Last Price"


def test_one_column_may_be_several_fields(read: Any) -> None:
    columns = dict.fromkeys(("open", "high", "low", "close"), "rate")
    parsed = read("date,rate\n2024-01-02,1.5\n", columns=columns)
    assert parsed.bars[0][3:] == (1.5, 1.5, 1.5, 1.5, 0.0)


@pytest.mark.parametrize(
    ("header", "columns", "parts"),
    [
        ("2024-01-02,1,2,0.5,1.5,10", {}, [":1:", "looks like data", "date,open,high"]),
        ("date,high,low,volume", {}, ["no column open, close", "'high'", "--column open=NAME"]),
        ("open,high,low,close", {}, ["no column time"]),
        ("Last update: today", {}, ["no column time, open, high, low, close", "'Last update"]),
        (
            "date,open,high,low,Close,close,volume",
            {},
            ["'Close' and 'close' could each be the close", '--column close="close"'],
        ),
        ("date,open,high,low,close,Vol,Volume", {}, ["'Vol' and 'Volume'", "--column volume="]),
        ("Date,Datetime,open,high,low,close", {}, ["'Datetime' and 'Date'", "--column time="]),
        ("timestamp,ts,open,high,low,close", {}, ["'timestamp' and 'ts'", "--column time="]),
        (HEADER + ",Last", {"close": "Lst"}, ["no column 'Lst'", "did you mean 'Last'?"]),
        (HEADER, {"close": "Settlement"}, ["no column 'Settlement'", "'volume'"]),
        (HEADER, {"clse": "close"}, ["no field 'clse'", "time, date, open"]),
        (HEADER + ",a,a", {"close": "a"}, ["2 columns 'a'"]),
        ("x" * 100_000, {}, ["longer than 64 KiB"]),
    ],
)
def test_a_header_that_does_not_do_says_what_to_do(
    read: Any, header: str, columns: dict[str, str], parts: list[str]
) -> None:
    with pytest.raises(SourceError) as caught:
        read(f"{header}\n2024-01-02,1,2,0.5,1.5,10\n", columns=columns)
    assert (caught.value.line, str(caught.value.path)[-5:]) == (1, "x.csv")
    for part in parts:
        assert part in str(caught.value)


def test_several_symbols_in_one_file_are_an_error(read: Any) -> None:
    header = "ticker," + HEADER
    assert (
        len(read(f"{header}\nA,2024-01-02,1,2,0.5,1.5,10\n,2024-01-03,1,2,0.5,1.5,1\n").bars) == 2
    )
    with pytest.raises(SourceError, match="several symbols \\(A, B"):
        read(f"{header}\nA,2024-01-02,1,2,0.5,1.5,10\nB,2024-01-02,1,2,0.5,1.5,10\n")


# -- times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "options", "expected"),
    [
        (["2024-01-31"], {}, "2024-01-31T00:00"),
        (["2024/1/31"], {}, "2024-01-31T00:00"),
        (["2024.01.31"], {}, "2024-01-31T00:00"),
        (["20240131"], {}, "2024-01-31T00:00"),
        (["18960526"], {}, "1896-05-26T00:00"),
        (["01/31/2024", "02/01/2024"], {}, "2024-01-31T00:00"),
        (["31/01/2024", "01/02/2024"], {}, "2024-01-31T00:00"),
        (["1/31/2024"], {}, "2024-01-31T00:00"),
        (["31.01.2024"], {}, "2024-01-31T00:00"),
        (["31-Jan-24"], {"date_format": "%d-%b-%y"}, "2024-01-31T00:00"),
        (["31-Jan-24"], {}, "2024-01-31T00:00"),
        (["31-Jan-2024"], {}, "2024-01-31T00:00"),
        (['"Jan 31, 2024"'], {}, "2024-01-31T00:00"),
        (["01/02/2024"], {"date_format": "%d/%m/%Y"}, "2024-02-01T00:00"),
        (["01/02/2024"], {"date_format": "%m/%d/%Y"}, "2024-01-02T00:00"),
        (["2024-01-31 00:00:00"], {}, "2024-01-31T00:00"),
        (["2024-01-31T00:00:00Z"], {}, "2024-01-31T00:00"),
        (["2024-01-31 00:00:00-05:00"], {}, "2024-01-31T00:00"),
        (["2024-01-31 00:00:00+0900"], {}, "2024-01-31T00:00"),
        (["2024-01-31 23:00:00+09"], {"tz": "Asia/Tokyo"}, "2024-01-31T00:00"),
        (["2024-01-31 14:30Z"], {"tz": NEW_YORK}, "2024-01-31T00:00"),
        (["2024-01-31T05:00:00.000Z"], {"tz": NEW_YORK}, "2024-01-31T00:00"),
        (["2024-01-31"], {"tz": NEW_YORK}, "2024-01-31T00:00"),
        (["2024-01-31 16:00"], {"tz": NEW_YORK}, "2024-01-31T00:00"),
        (["2024-02-01T04:00Z"], {"tz": NEW_YORK}, "2024-01-31T00:00"),
        (["1706659200"], {}, "2024-01-31T00:00"),
        (["2024-01-31"], {"timeframe": "1W"}, "2024-01-29T00:00"),
        (["2024-01-31"], {"timeframe": "1M"}, "2024-01-01T00:00"),
        (["2024-01-31T14:30:00Z"], {"timeframe": "1m"}, "2024-01-31T14:30"),
        (["2024-01-31T14:30:00.000000000Z"], {"timeframe": "1m"}, "2024-01-31T14:30"),
        (["2024-01-31 09:30:00-05:00"], {"timeframe": "1m"}, "2024-01-31T14:30"),
        (["2024-01-31 09:30:00 -0500"], {"timeframe": "1m"}, "2024-01-31T14:30"),
        (["2024-01-31 14:30:00 UTC"], {"timeframe": "1m"}, "2024-01-31T14:30"),
        (["31.01.2024 22:30:00.000 GMT+0800"], {"timeframe": "1m"}, "2024-01-31T14:30"),
        (["2024-01-31 09:30"], {"timeframe": "1m", "tz": NEW_YORK}, "2024-01-31T14:30"),
        (["2024/01/31 9:30"], {"timeframe": "1m", "tz": NEW_YORK}, "2024-01-31T14:30"),
        (["20240131 093000"], {"timeframe": "1m", "tz": NEW_YORK}, "2024-01-31T14:30"),
        (["20240131093000"], {"timeframe": "1m", "tz": NEW_YORK}, "2024-01-31T14:30"),
        (["202401310930"], {"timeframe": "1m", "tz": NEW_YORK}, "2024-01-31T14:30"),
        (["1/31/2024 9:30"], {"timeframe": "1m", "tz": NEW_YORK}, "2024-01-31T14:30"),
        (
            ["01/31/2024 02:30 PM"],
            {"timeframe": "1m", "tz": "UTC", "date_format": "%m/%d/%Y %I:%M %p"},
            "2024-01-31T14:30",
        ),
        (
            ["1430 20240131"],
            {"timeframe": "1m", "tz": "UTC", "date_format": "%H%M %Y%m%d"},
            "2024-01-31T14:30",
        ),
        (
            ["31 Jan 2024 09:30 -0500"],
            {"timeframe": "1m", "date_format": "%d %b %Y %H:%M %z"},
            "2024-01-31T14:30",
        ),
        (["1706711400"], {"timeframe": "1m"}, "2024-01-31T14:30"),
        (["1912010700000"], {"timeframe": "1m"}, "2030-08-03T18:05"),
        (["1706711400.0"], {"timeframe": "1m"}, "2024-01-31T14:30"),
        (["1706711400000"], {"timeframe": "1m"}, "2024-01-31T14:30"),
        (["1706711400000000"], {"timeframe": "1m"}, "2024-01-31T14:30"),
        (["1706711400000000000"], {"timeframe": "1m"}, "2024-01-31T14:30"),
        (["5400000"], {"timeframe": "1m", "date_format": "ms"}, "1970-01-01T01:30"),
        (["-5400"], {"timeframe": "1m", "date_format": "s"}, "1969-12-31T22:30"),
    ],
)
def test_times_in_every_usual_format(
    read: Any, texts: list[str], options: dict[str, str], expected: str
) -> None:
    parsed = read(rows(*texts), **options)
    assert parsed.faults == {}
    assert times(parsed)[0] == expected


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        ("20240131", "143000", "2024-01-31T14:30"),
        ("2024.01.31", "14:30:00", "2024-01-31T14:30"),
        ("20240131", "93000", "2024-01-31T09:30"),
    ],
)
def test_date_and_time_in_two_columns_are_joined(
    read: Any, date: str, time: str, expected: str
) -> None:
    text = f"<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<VOL>\n{date}\t{time}\t1\t2\t1\t2\t3\n"
    assert times(read(text, timeframe="1h", tz="UTC")) == [expected]


def test_a_mapped_date_or_time_stands_alone_and_both_are_joined(read: Any) -> None:
    text = "date,time,D,T,open,high,low,close\n1,2,2024-01-31,09:30,1,2,1,2\n"
    both = {"date": "D", "time": "T"}
    assert times(read(text, timeframe="1h", tz="UTC", columns=both)) == ["2024-01-31T09:30"]
    assert times(read(text, columns={"date": "D"})) == ["2024-01-31T00:00"]


@pytest.mark.parametrize(
    "bad", ["2024-02-30", "2024-13-01", "soon", "02/01/2024", "2024-01-03 25:00", "2024-01-03 09"]
)
def test_a_time_that_does_not_fit_the_rest_is_refused_by_line(read: Any, bad: str) -> None:
    parsed = read(rows("2024-01-02", bad, "2024-01-04"))
    assert refused(parsed) == {3: f"time {bad!r} does not read as YYYY-MM-DD"}
    assert times(parsed)[::2] == ["2024-01-02T00:00", "2024-01-04T00:00"]


def test_a_missing_time_is_refused_by_line(read: Any) -> None:
    assert refused(read(rows("2024-01-02", "", "2024-01-04"))) == {
        3: "the time is missing or outside the years 1 to 9999"
    }


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("02/29/2024", "02/30/2024"),
        ("29/02/2024", "30/02/2024"),
        ("20240229", "20240230"),
        ("2024.02.29", "2024.02.30"),
        ("20240229120000", "20240230120000"),
        ("2024-02-29 12:00", "2024-02-30 12:00"),
    ],
)
def test_no_format_takes_a_day_that_is_none(read: Any, good: str, bad: str) -> None:
    parsed = read(rows(good, bad, good), tz="UTC")
    assert [line for line, reason in refused(parsed).items() if "does not read" in reason] == [3]


def test_30_february_is_refused_where_a_format_is_given(read: Any) -> None:
    for date_format, bad in [("%d.%m.%Y", "30.02.2024"), ("%d-%b-%Y", "30-Feb-2024")]:
        good = datetime(2024, 2, 29).strftime(date_format)
        parsed = read(rows(good, bad), date_format=date_format)
        assert refused(parsed) == {3: f"time {bad!r} does not read as {date_format}"}


@pytest.mark.parametrize(
    ("texts", "stray"),
    [
        (["1706711400000", "1706711460000"], "1706711520"),
        (["1706711400", "1706711460"], "1706711520000"),
        (["1706711400", "1706711460"], "1706711520000000000"),
        (["1706711400000000000", "1706711460000000000"], "1706711520000000001"),
        (["1706711400", "1706711460"], "99999999999999999999"),
        (["1706711400", "1706711460"], "18446744073710"),  # in 64 bits of microseconds it is 1970
    ],
)
def test_a_stray_unit_is_refused_and_never_scaled(read: Any, texts: list[str], stray: str) -> None:
    parsed = read(rows(*texts, stray), timeframe="1m")
    assert list(refused(parsed)) == [4]
    assert times(parsed)[:2] == ["2024-01-31T14:30", "2024-01-31T14:31"]


@pytest.mark.parametrize(
    ("texts", "options", "parts"),
    [
        (["01/02/2024", "03/04/2024"], {}, ["'01/02/2024' may have the month or the day first"]),
        (["13/01/2024", "01/13/2024"], {}, ["'13/01/2024'", "'01/13/2024'", "--date-format"]),
        (["31 I 24"], {}, ["'31 I 24' is in no time format", "--date-format"]),
        (["946684800000"], {}, ["'946684800000' is in no time format", "ms for milliseconds"]),
        (["2024-01-31", "a", "b"], {}, ["'a' is in no time format"]),
        (["45292"], {}, ["'45292' is in no time format"]),
        (["2024-01-31"], {"date_format": "%d/%m/%Y"}, ["no time reads as '%d/%m/%Y'"]),
        (["2024-01-31"], {"date_format": "%Q"}, ["--date-format '%Q'", "bad directive"]),
        (["09:30"], {"date_format": "%H:%M"}, ["no year, or no day"]),
        (["2024-01-31T14:30Z"], {}, ["no session date", "--tz America/New_York"]),
        (["2024-01-31"], {"timeframe": "5m"}, ["2024-01-31 alone cannot stamp a 5m bar"]),
    ],
)
def test_times_that_cannot_be_understood_say_what_to_do(
    read: Any, texts: list[str], options: dict[str, str], parts: list[str]
) -> None:
    with pytest.raises(SourceError) as caught:
        read(rows(*texts), **options)
    for part in ["x.csv", *parts]:
        assert part in str(caught.value)


@pytest.mark.parametrize("timeframe", ["1m", "1D"])
def test_a_time_without_a_zone_needs_one(read: Any, timeframe: str) -> None:
    with pytest.raises(NaiveTimestampError, match=r"x\.csv: 2024-01-31 09:30:00 .*--tz"):
        read(rows("2024-01-31 09:30"), timeframe=timeframe)


def test_clocks_that_skip_or_repeat_refuse_the_row(read: Any) -> None:
    stamps = ["2024-03-10 01:30", "2024-03-10 02:30", "2024-11-03 00:30", "2024-11-03 01:30"]
    parsed = read(rows(*stamps), timeframe="30m", tz=NEW_YORK)
    assert refused(parsed) == {
        3: "the clocks of America/New_York skip 2024-03-10 02:30:00",
        5: "the clocks of America/New_York repeat 2024-11-03 01:30:00",
    }
    assert times(parsed)[0] == "2024-03-10T06:30"


def test_a_lone_date_among_times_is_refused(read: Any) -> None:
    parsed = read(rows("2019/02/15 14:00:00", "2019/02/18"), timeframe="1h", tz="UTC")
    assert refused(parsed) == {3: "the date 2019-02-18 alone cannot stamp a 1h bar"}


def test_the_bar_of_today_does_not_move_the_dates_of_the_others(read: Any) -> None:
    """A vendor that writes dates with a Z, and for the unfinished bar the time it was taken."""
    days = [f"2024-01-{day:02}T00:00:00Z" for day in range(2, 31)]
    parsed = read(rows(*days, "2024-01-31T15:12:03Z"), tz=NEW_YORK)
    assert times(parsed) == [f"2024-01-{day:02}T00:00" for day in range(2, 32)]


def test_a_zone_or_timeframe_that_is_none_is_an_error(read: Any) -> None:
    with pytest.raises(ConfigError, match="no time zone 'Mars'"):
        read(rows("2024-01-31"), tz="Mars")
    with pytest.raises(BarsError, match="no timeframe"):
        read(rows("2024-01-31"), timeframe="soon")


# -- files ----------------------------------------------------------------------------------------

GOOD = rows(*(f"2024-01-{day:02}" for day in range(1, 29)))
PACKED = gzip.compress(GOOD.encode(), mtime=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty|the file is empty"),
        (b"\n\r\n\n", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (gzip.compress(b"", mtime=0), "the file is empty"),
        (HEADER.encode(), r"x\.csv:1: there is a header, but no data rows"),
        (PACKED[:-9], "packed data is cut off"),
        (PACKED[:40], "packed data is cut off"),
        (PACKED[:40] + b"\xff" * 20 + PACKED[60:], "packed data is damaged"),
        (PACKED[:-8] + bytes(8), "packed data is damaged"),
        (GOOD.encode("utf-16"), "this is UTF-16, not UTF-8"),
        (b"\xfe\xff" + GOOD.encode("utf-16-be"), "this is UTF-16, not UTF-8"),
        (GOOD.encode("utf-32"), "this is UTF-32, not UTF-8"),
        (GOOD.encode("utf-16-le"), r"x\.csv:1: a NUL byte"),
        (GOOD.encode() + b"2024-01-29,1,\xe9,1,1,1\n", r"x\.csv:30: byte 0xe9 is no UTF-8.*iconv"),
        (GOOD.encode() + b"2024-01-29,1,\0,1,1,1\n", r"x\.csv:30: a NUL byte"),
        (b"PK\x03\x04" + bytes(100), "packed data is damaged"),
        (b"\x28\xb5\x2f\xfd" + bytes(100), "cannot be read"),
        (bytes(range(1, 256)) * 50, "no UTF-8"),
        (b"x" * 3_000_000, "longer than 1 MiB"),
    ],
)
def test_a_file_that_is_no_csv_says_why(read: Any, content: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read(content)


def test_a_path_that_is_no_file_says_why(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no such file"):
        read_file(tmp_path / "none.csv", symbol="X", timeframe="1D")
    with pytest.raises(SourceError, match="directory"):
        read_file(tmp_path, symbol="X", timeframe="1D")
    with pytest.raises(SourceError, match="pipe or device"):
        read_file("/dev/null", symbol="X", timeframe="1D")


def test_gzip_is_known_by_its_bytes(read: Any) -> None:
    assert len(read(PACKED, name="bars.txt").bars) == 28
    assert len(read(GOOD, name="bars.csv.gz").bars) == 28
    assert len(read(PACKED + gzip.compress(b"2024-01-29,1,2,0.5,1.5,10"), name="b").bars) == 29


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_make_it_fail_otherwise(read: Any, noise: bytes) -> None:
    for content in (noise, HEADER.encode() + b"\n" + noise, GOOD.encode() + noise):
        try:
            parsed = read(content, tz="UTC")
        except JutsuSqlError:
            continue
        assert len(parsed.lines) == len(parsed.bars) == len(set(parsed.lines.tolist()))
        parsed.bars.validate()


# -- there and back -------------------------------------------------------------------------------

_price = st.floats(0.001, 1e6) | st.decimals("0.01", 10**6, places=2).map(float)
_bar = st.tuples(_price, _price, st.floats(0, 1e12) | st.integers(0, 10**15).map(float))
_STYLES = {
    "iso": lambda moment: moment.isoformat(),
    "zulu": lambda moment: moment.strftime("%Y-%m-%d %H:%M:%SZ"),
    "slashes": lambda moment: moment.strftime("%Y/%m/%d %H:%M:%S+00:00"),
    "compact": lambda moment: moment.strftime("%Y%m%d %H%M%S UTC"),
    "epoch": lambda moment: str(int(moment.timestamp())),
    "epoch ms": lambda moment: str(int(moment.timestamp()) * 1000),
}


@given(
    st.lists(_bar, min_size=1, max_size=40),
    st.datetimes(datetime(2002, 1, 1), datetime(2100, 1, 1)),
    st.sampled_from(sorted(_STYLES)),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
    st.lists(st.integers(0, 3), min_size=41, max_size=41),
    st.permutations(["time", *VALUES]),
    st.sampled_from([1, 50, 2**20]),
    st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_bars_written_as_text_read_back_equal(
    read: Any,
    monkeypatch: pytest.MonkeyPatch,
    bars: list[tuple[float, float, float]],
    start: datetime,
    style: str,
    delimiter: str,
    end: str,
    gaps: list[int],
    order: list[str],
    block_bytes: int,
    is_quoted: bool,
) -> None:
    monkeypatch.setattr(data_file, "_CHUNK_BYTES", block_bytes)
    first = start.replace(microsecond=0, tzinfo=UTC)
    moments = [first + timedelta(minutes=minute) for minute in range(len(bars))]
    records = [
        {"open": a, "high": max(a, b), "low": min(a, b), "close": b, "volume": volume}
        for a, b, volume in bars
    ]
    lines, expected_lines, line = [delimiter.join(order)], [], 1
    for moment, record, gap in zip(moments, records, gaps, strict=False):
        lines += [""] * gap
        cells = {"time": _STYLES[style](moment), **{k: repr(v) for k, v in record.items()}}
        quote = '"' if is_quoted else ""
        lines.append(delimiter.join(f"{quote}{cells[name]}{quote}" for name in order))
        line += gap + 1
        expected_lines.append(line)
    parsed = read(end.join(lines), timeframe="1m")
    assert parsed.faults == {}
    assert parsed.lines.tolist() == expected_lines
    assert [bar.ts for bar in parsed.bars] == moments
    for name in VALUES:
        assert getattr(parsed.bars, name).tolist() == [record[name] for record in records]
    assert all(a < b for a, b in pairwise(parsed.bars.ts.tolist()))
