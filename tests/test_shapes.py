"""A sample of each vendor's shape, made here: what is recognised, and what is asked for."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from jutsu_sql.errors import BarsError, ConfigError, NaiveTimestampError, SourceError
from jutsu_sql.sources import FileBars, find_files, raw_stamps, read_file, refused_lines
from jutsu_sql.sources.numbers import decimal_mark
from jutsu_sql.sources.shapes import SHAPES

NEW_YORK = "America/New_York"

# name of the file, its text, options; shape, symbols, timeframe, first ts, first (o, h, l, c, v)
SAMPLES: dict[str, tuple[str, str, dict[str, Any], tuple[Any, ...]]] = {
    "yahoo-old": (
        "AAPL.csv",
        "Date,Open,High,Low,Close,Adj Close,Volume\n"
        "2024-01-02,187.15,188.44,183.89,185.64,184.9,82488700\n"
        "2024-01-03,184.22,185.88,183.43,184.25,183.5,58414500\n",
        {},
        ("yahoo", ["AAPL"], "1D", "2024-01-02", (187.15, 188.44, 183.89, 185.64, 82488700)),
    ),
    "yfinance-one-row": (
        "MSFT.csv",
        "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits\n"
        "2024-01-02 00:00:00-05:00,1,3,0.5,2,10,0.0,0.0\n"
        "2024-07-02 00:00:00-04:00,1,3,0.5,2,10,0.0,0.0\n"
        "2024-07-03 00:00:00-04:00,1,3,0.5,2,10,0.0,0.0\n",
        {"timeframe": "1D"},
        ("yahoo", ["MSFT"], "1D", "2024-01-02", (1, 3, 0.5, 2, 10)),
    ),
    "yfinance-three-rows": (
        "prices.csv",
        "Price,Close,High,Low,Open,Volume\nTicker,SPY,SPY,SPY,SPY,SPY\nDate,,,,,\n"
        "2024-01-02,2,3,0.5,1,10\n2024-01-03,2,3,0.5,1,10\n",
        {},
        ("yahoo", ["SPY"], "1D", "2024-01-02", (1, 3, 0.5, 2, 10)),
    ),
    "yfinance-three-rows-many-symbols": (
        "prices.csv",
        "Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume\n"
        "Ticker,SPY,IBM,SPY,IBM,SPY,IBM,SPY,IBM,SPY,IBM\nDate,,,,,,,,,,\n"
        "2024-01-02,2,20,3,30,0.5,5,1,10,10,100\n2024-01-03,2,20,3,30,0.5,5,1,10,10,100\n",
        {},
        ("yahoo", ["SPY", "IBM"], "1D", "2024-01-02", (1, 3, 0.5, 2, 10)),
    ),
    "stooq-web": (
        "aapl_us_d.csv",
        "Date,Open,High,Low,Close,Volume\r\n2024-01-02,1,3,0.5,2,10\r\n2024-01-03,1,3,0.5,2,10\r\n",
        {},
        ("stooq", ["AAPL.US"], "1D", "2024-01-02", (1, 3, 0.5, 2, 10)),
    ),
    "stooq-web-polish": (
        "pkn_w.csv",
        "Data,Otwarcie,Najwyzszy,Najnizszy,Zamkniecie,Wolumen\n2024-01-05,1,3,0.5,2,10\n"
        "2024-01-12,1,3,0.5,2,10\n",
        {},
        ("stooq", ["PKN"], "1W", "2024-01-01", (1, 3, 0.5, 2, 10)),
    ),
    "stooq-bulk": (
        "brk-b.us.txt",
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\r\n"
        "BRK-B.US,5,20240102,153500,1,3,0.5,2,10,0\r\nBRK-B.US,5,20240102,154000,1,3,0.5,2,10,0\r\n",
        {"tz": "Europe/Warsaw"},
        ("stooq", ["BRK-B.US"], "5m", "2024-01-02T14:35", (1, 3, 0.5, 2, 10)),
    ),
    "alpha-vantage-adjusted": (
        "daily_adjusted_IBM.csv",
        "timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient\n"
        "2024-01-03,1,3,0.5,2,1.9,10,0.0,1.0\n2024-01-02,1,3,0.5,2,1.9,10,0.0,1.0\n",
        {},
        ("alpha-vantage", ["IBM"], "1D", "2024-01-03", (1, 3, 0.5, 2, 10)),
    ),
    "alpha-vantage-intraday": (
        "intraday_5min_IBM.csv",
        "timestamp,open,high,low,close,volume\n2024-01-02 19:55:00,1,3,0.5,2,10\n"
        "2024-01-02 19:50:00,1,3,0.5,2,10\n",
        {},
        ("alpha-vantage", ["IBM"], "5m", "2024-01-03T00:55", (1, 3, 0.5, 2, 10)),
    ),
    "binance-us": (
        "BTCUSDT-1h-2025-01.csv",
        "1735689600000000,1,3,0.5,2,10,1735693199999999,1,1,1,1,0\n"
        "1735693200000000,1,3,0.5,2,10,1735696799999999,1,1,1,1,0\n",
        {},
        ("binance", ["BTCUSDT"], "1h", "2025-01-01T00:00", (1, 3, 0.5, 2, 10)),
    ),
    "binance-both-units": (
        "BTCUSDT-1d-2024-12.csv",
        "1735603200000,1,3,0.5,2,10,1735689599999,1,1,1,1,0\n"
        "1735689600000000,1,3,0.5,2,10,1735775999999999,1,1,1,1,0\n",
        {},
        ("binance", ["BTCUSDT"], "1D", "2024-12-31", (1, 3, 0.5, 2, 10)),
    ),
    "binance-futures-header": (
        "ETHUSDT-1mo-2024-01.csv",
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
        "taker_buy_volume,taker_buy_quote_volume,ignore\n"
        "1704067200000,1,3,0.5,2,10,1706745599999,1,1,1,1,0\n",
        {},
        ("binance", ["ETHUSDT"], "1M", "2024-01-01", (1, 3, 0.5, 2, 10)),
    ),
    "cryptodatadownload-old": (
        "Coinbase_ETHUSD_1h.csv",
        "Timestamps are UTC timezone,https://www.CryptoDataDownload.com\r\n"
        "Date,Symbol,Open,High,Low,Close,Volume ETH,Volume USD\r\n"
        "2019-10-17 01-PM,ETHUSD,1,3,0.5,2,10,20\r\n2019-10-17 12-PM,ETHUSD,1,3,0.5,2,10,20\r\n",
        {},
        ("cryptodatadownload", ["ETHUSD"], "1h", "2019-10-17T13:00", (1, 3, 0.5, 2, 10)),
    ),
    "cryptodatadownload-new": (
        "Binance_BTCUSDT_d.csv",
        "https://www.CryptoDataDownload.com\n"
        "unix,date,symbol,open,high,low,close,Volume BTC,Volume USDT,tradecount\n"
        "1646092800000,2022-03-01 00:00:00,BTC/USDT,1,3,0.5,2,10,20,5\n"
        "1646006400000,2022-02-28 00:00:00,BTC/USDT,1,3,0.5,2,10,20,5\n",
        {},
        ("cryptodatadownload", ["BTC/USDT"], "1D", "2022-03-01", (1, 3, 0.5, 2, 10)),
    ),
    "polygon-minute": (
        "2024-01-02.csv",
        "ticker,volume,open,close,high,low,window_start,transactions\n"
        "AAPL,10,1,2,3,0.5,1704205800000000000,4\nAAPL,10,1,2,3,0.5,1704205860000000000,4\n"
        "MSFT,10,1,2,3,0.5,1704205800000000000,4\n",
        {},
        ("polygon", ["AAPL", "MSFT"], "1m", "2024-01-02T14:30", (1, 3, 0.5, 2, 10)),
    ),
    "polygon-day": (
        "2024-01-02.csv",
        "ticker,volume,open,close,high,low,window_start,transactions\n"
        "AAPL,10,1,2,3,0.5,1704171600000000000,4\nMSFT,10,1,2,3,0.5,1704171600000000000,4\n",
        {"timeframe": "1D"},
        ("polygon", ["AAPL", "MSFT"], "1D", "2024-01-02", (1, 3, 0.5, 2, 10)),
    ),
    "databento-fixed": (
        "glbx.csv",
        "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"
        "1704205800000000000,33,1,118,4800250000000,4801000000000,4800000000000,4800500000000,10,ESH4\n"
        "1704205860000000000,33,1,118,9223372036854775807,4801000000000,4800000000000,"
        "4800500000000,10,ESH4\n",
        {},
        ("databento", ["ESH4"], "1m", "2024-01-02T14:30", (4800.25, 4801, 4800, 4800.5, 10)),
    ),
    "databento-pretty": (
        "glbx.csv",
        "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"
        "2024-01-02T14:30:00.000000000Z,33,1,118,4800.250000000,4801.000000000,4800.000000000,"
        "4800.500000000,10,ESH4\n",
        {},
        ("databento", ["ESH4"], "1m", "2024-01-02T14:30", (4800.25, 4801, 4800, 4800.5, 10)),
    ),
    "tradingview": (
        "NASDAQ_AAPL, 1D.csv",
        "time,open,high,low,close,Volume,RSI\n1704205800,1,3,0.5,2,10,\n1704292200,1,3,0.5,2,10,\n",
        {"tz": NEW_YORK},
        ("tradingview", ["AAPL"], "1D", "2024-01-02", (1, 3, 0.5, 2, 10)),
    ),
    "tradingview-intraday": (
        "BINANCE_BTCUSDT, 60_1a2b3.csv",
        "time,open,high,low,close\n2024-01-02T14:00:00Z,1,3,0.5,2\n2024-01-02T15:00:00Z,1,3,0.5,2\n",
        {},
        ("tradingview", ["BTCUSDT"], "1h", "2024-01-02T14:00", (1, 3, 0.5, 2, 0)),
    ),
    "metatrader4": (
        "EURUSD60.csv",
        "2024.01.02,14:00,1,3,0.5,2,10\n2024.01.02,15:00,1,3,0.5,2,10\n",
        {"tz": "Europe/Athens"},
        ("metatrader4", ["EURUSD"], "1h", "2024-01-02T12:00", (1, 3, 0.5, 2, 10)),
    ),
    "metatrader5-daily": (
        "EURUSD_Daily_202401010000_202402010000.csv",
        "<DATE>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\r\n"
        "2024.01.02\t1\t3\t0.5\t2\t10\t0\t5\r\n2024.01.03\t1\t3\t0.5\t2\t10\t0\t5\r\n",
        {},
        ("metatrader5", ["EURUSD"], "1D", "2024-01-02", (1, 3, 0.5, 2, 10)),
    ),
    "histdata-ascii": (
        "DAT_ASCII_EURUSD_M1_202407.csv",
        "20240701 170000;1.1;1.3;1.05;1.2;0\n20240701 170100;1.1;1.3;1.05;1.2;0\n",
        {},
        ("histdata", ["EURUSD"], "1m", "2024-07-01T22:00", (1.1, 1.3, 1.05, 1.2, 0)),
    ),
    "histdata-metatrader": (
        "DAT_MT_EURUSD_M1_202407.csv",
        "2024.07.01,17:00,1.1,1.3,1.05,1.2,0\n2024.07.01,17:01,1.1,1.3,1.05,1.2,0\n",
        {},
        ("histdata", ["EURUSD"], "1m", "2024-07-01T22:00", (1.1, 1.3, 1.05, 1.2, 0)),
    ),
    "ninjatrader": (
        "ES 03-24.Last.txt",
        "20240102 143100;1;3;0.5;2;10\r\n20240102 143200;1;3;0.5;2;10\r\n",
        {},
        ("ninjatrader", ["ES 03-24"], "1m", "2024-01-02T14:30", (1, 3, 0.5, 2, 10)),
    ),
    "nasdaq": (
        "HistoricalData_1704205800.csv",
        "Date,Close/Last,Volume,Open,High,Low\n01/03/2024,$2.00,10,$1.00,$3.00,$0.50\n"
        '01/02/2024,$1002.00,"10,000",$1001.00,"$1,003.00",$1000.50\n',
        {"symbol": "AAPL"},
        ("nasdaq", ["AAPL"], "1D", "2024-01-03", (1, 3, 0.5, 2, 10)),
    ),
    "investing": (
        "AAPL Historical Data.csv",
        '\ufeff"Date","Price","Open","High","Low","Vol.","Change %"\r\n'
        '"Jan 03, 2024","1,002.0","1,001.0","1,003.0","1,000.5","32.94M","0.1%"\r\n'
        '"Jan 02, 2024","1,002.0","1,001.0","1,003.0","1,000.5","-","0.1%"\r\n',
        {},
        ("investing", ["AAPL"], "1D", "2024-01-03", (1001, 1003, 1000.5, 1002, 32_940_000)),
    ),
    "investing-german": (
        "DAX.csv",
        '"Datum","Zuletzt","Eröffn.","Hoch","Tief","Vol.","+/- %"\n'
        '"03.01.2024","16.538,39","16.735,10","16.788,78","16.511,20","75,33M","-1,38%"\n'
        '"02.01.2024","16.769,36","16.828,94","16.963,45","16.700,74","68,06M","0,11%"\n',
        {},
        (
            "investing",
            ["DAX"],
            "1D",
            "2024-01-03",
            (16735.1, 16788.78, 16511.2, 16538.39, 75330000),
        ),
    ),
    "barchart-footer": (
        "AAPL.csv",
        "Symbol,Time,Open,High,Low,Latest,Change,%Change,Volume\n"
        "AAPL,01/03/2024,1,3,0.5,2,0.1,0.1%,10\nAAPL,01/02/2024,1,3,0.5,2,0.1,0.1%,10\n"
        '"Downloaded from Barchart.com as of 01-03-2024 05:00pm CST"\n\n\n',
        {},
        ("barchart", ["AAPL"], "1D", "2024-01-03", (1, 3, 0.5, 2, 10)),
    ),
    "kaggle-sp500": (
        "all_stocks_5yr.csv",
        "date,open,high,low,close,volume,Name\n2024-01-02,1,3,0.5,2,10,AAL\n"
        "2024-01-03,1,3,0.5,2,10,AAL\n2024-01-02,1,3,0.5,2,10,AAPL\n",
        {},
        ("kaggle", ["AAL", "AAPL"], "1D", "2024-01-02", (1, 3, 0.5, 2, 10)),
    ),
    "kaggle-huge": (
        "aapl.us.txt",
        "Date,Open,High,Low,Close,Volume,OpenInt\n2024-01-02,1,3,0.5,2,10,0\n"
        "2024-01-03,1,3,0.5,2,10,0\n",
        {},
        ("kaggle", ["AAPL.US"], "1D", "2024-01-02", (1, 3, 0.5, 2, 10)),
    ),
    "kaggle-bitcoin": (
        "btcusd_1-min_data.csv",
        "Timestamp,Open,High,Low,Close,Volume_(BTC),Volume_(Currency),Weighted_Price\n"
        "1704205800,1,3,0.5,2,10,20,2\n1704205860,NaN,NaN,NaN,NaN,NaN,NaN,NaN\n",
        {"symbol": "BTCUSD"},
        ("kaggle", ["BTCUSD"], "1m", "2024-01-02T14:30", (1, 3, 0.5, 2, 10)),
    ),
    "kaggle-crypto": (
        "coin_Bitcoin.csv",
        "SNo,Name,Symbol,Date,High,Low,Open,Close,Volume,Marketcap\n"
        "1,Bitcoin,BTC,2024-01-02 23:59:59,3,0.5,1,2,10,99\n"
        "2,Bitcoin,BTC,2024-01-03 23:59:59,3,0.5,1,2,10,99\n",
        {},
        ("kaggle", ["BTC"], "1D", "2024-01-02", (1, 3, 0.5, 2, 10)),
    ),
    "lean-equity": (
        "equity/usa/daily/spy.csv",
        "20240102 00:00,10000,30000,5000,20000,10\n20240103 00:00,10000,30000,5000,20000,10\n",
        {},
        ("lean-equity", ["SPY"], "1D", "2024-01-02", (1, 3, 0.5, 2, 10)),
    ),
    "lean-equity-minute": (
        "equity/usa/minute/spy/20240102_spy_minute_trade.csv",
        "34200000,10000,30000,5000,20000,10\n34260000,10000,30000,5000,20000,10\n",
        {},
        ("lean-equity", ["SPY"], "1m", "2024-01-02T14:30", (1, 3, 0.5, 2, 10)),
    ),
    "lean-crypto": (
        "btcusd.csv",
        "20240102 00:00,1,3,0.5,2,10\n20240103 00:00,1,3,0.5,2,10\n",
        {},
        ("lean", ["BTCUSD"], "1D", "2024-01-02", (1, 3, 0.5, 2, 10)),
    ),
    "freqtrade": (
        "BTC_USDT-1h.json",
        "[[1704205800000, 1, 3, 0.5, 2, 10], [1704209400000, 1.0, 3.0, 0.5, 2.0, 10.0]]",
        {},
        ("freqtrade", ["BTC_USDT"], "1h", "2024-01-02T14:30", (1, 3, 0.5, 2, 10)),
    ),
    "kraken-csv": (
        "XBTUSD_60.csv",
        "1704204000,1,3,0.5,2,10,5\n1704207600,1,3,0.5,2,10,5\n",
        {},
        ("kraken", ["XBTUSD"], "1h", "2024-01-02T14:00", (1, 3, 0.5, 2, 10)),
    ),
    "dukascopy-gmt": (
        "EURUSD.csv",
        "Gmt time,Open,High,Low,Close,Volume\n02.01.2024 14:00:00.000,1,3,0.5,2,10\n"
        "02.01.2024 15:00:00.000,1,3,0.5,2,10\n",
        {},
        ("dukascopy", ["EURUSD"], "1h", "2024-01-02T14:00", (1, 3, 0.5, 2, 10)),
    ),
    "nse-bhavcopy": (
        "cm02JAN2024bhav.csv",
        "SYMBOL,SERIES,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,TOTTRDQTY,TOTTRDVAL,TIMESTAMP,ISIN\n"
        "TCS,EQ,1,3,0.5,2,2,1,10,20,02-JAN-2024,X\nINFY,EQ,1,3,0.5,2,2,1,10,20,02-JAN-2024,Y\n",
        {},
        ("nse", ["TCS", "INFY"], "1D", "2024-01-02", (1, 3, 0.5, 2, 10)),
    ),
    "tushare": (
        "x.csv",
        ",ts_code,trade_date,open,high,low,close,pre_close,change,pct_chg,vol,amount\n"
        "0,000001.SZ,20240103,1,3,0.5,2,1,1,1,10,20\n1,000001.SZ,20240102,1,3,0.5,2,1,1,1,10,20\n",
        {},
        ("tushare", ["000001.SZ"], "1D", "2024-01-03", (1, 3, 0.5, 2, 10)),
    ),
    "plain-any-order-and-case": (
        "X.csv",
        "vol|CLOSE|low|High|Open|DateTime\n10|2|0.5|3|1|2024-01-02T14:30:00Z\n"
        "10|2|0.5|3|1|2024-01-02T14:45:00Z\n",
        {},
        ("csv", ["X"], "15m", "2024-01-02T14:30", (1, 3, 0.5, 2, 10)),
    ),
    "plain-decimal-comma": (
        "X.csv",
        "Date;Open;High;Low;Close;Volume\n2024-01-02;1,0;3,25;0,5;2,75;1.000\n"
        "2024-01-03;1,0;3,25;0,5;2,75;1.000\n",
        {},
        ("csv", ["X"], "1D", "2024-01-02", (1, 3.25, 0.5, 2.75, 1000)),
    ),
}


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write_file(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def check(parsed: FileBars, expected: tuple[Any, ...]) -> None:
    shape, symbols, timeframe, first, values = expected
    assert parsed.layout.shape == shape
    assert [each.symbol for each in parsed.bars.series] == symbols
    assert {each.timeframe for each in parsed.bars.series} == {timeframe}
    assert parsed.bars.ts[0] == np.datetime64(first)
    assert parsed.bars[0][3:] == values


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_of_each_shape_is_understood(write: Any, sample: str) -> None:
    name, text, options, expected = SAMPLES[sample]
    check(read_file(write(name, text), **options), expected)


def test_every_shape_has_a_sample() -> None:
    shapes = {expected[0] for *_, expected in SAMPLES.values()}
    apart = {"coinbase", "lean-quote"}  # below
    assert shapes | apart == set(SHAPES)


VARIANTS = {
    "crlf": lambda text: text.replace("\r\n", "\n").replace("\n", "\r\n"),
    "bom": lambda text: "\ufeff" + text.lstrip("\ufeff"),
    "blank-end": lambda text: text + "\n\n  \n",
    "no-end": lambda text: text.rstrip("\r\n"),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("sample", [name for name in SAMPLES if name != "freqtrade"])
def test_how_the_lines_end_changes_nothing(write: Any, sample: str, variant: str) -> None:
    name, text, options, expected = SAMPLES[sample]
    check(read_file(write(name, VARIANTS[variant](text)), **options), expected)


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_shape_can_be_named(write: Any, sample: str) -> None:
    name, text, options, expected = SAMPLES[sample]
    check(read_file(write(name, text), shape=expected[0], **options), expected)
    other = "coinbase" if expected[0] != "coinbase" else "yahoo"
    with pytest.raises(SourceError, match=f"does not look like {other}"):
        read_file(write(name, text), shape=other, **options)


# -- packed, and no text --------------------------------------------------------------------------


def test_a_folder_is_walked_and_an_archive_is_one_file_for_each_member(
    write: Any, tmp_path: Path
) -> None:
    name, text, _, expected = SAMPLES["histdata-ascii"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, text)
        archive.writestr(name.replace(".csv", ".txt"), "Gap of 61s found")
        archive.writestr(f"more/{name.replace('07', '08')}.gz", gzip.compress(text.encode()))
        archive.writestr("__MACOSX/x.csv", "")
    write("a/months.zip", packed.getvalue())
    write("a/b/AAPL.csv", SAMPLES["yahoo-old"][1])
    write("a/README.md", "no bars")
    files, others = find_files([tmp_path / "a"])
    assert [str(each).removeprefix(f"{tmp_path}/a/") for each in files] == [
        "b/AAPL.csv",
        f"months.zip!{name}",
        f"months.zip!more/{name.replace('07', '08')}.gz",
    ]
    assert [each.name for each in others] == ["README.md"]
    for file in files[1:]:
        check(read_file(file), expected)
    assert read_file(files[2]).layout.compression == "gzip"
    assert find_files([f"{tmp_path}/a/*/*.csv"])[0] == files[:1]
    with pytest.raises(SourceError, match="an archive of 2 files"):
        read_file(tmp_path / "a" / "months.zip")


def frame(**options: Any) -> pa.Table:
    ts = pa.array([1704205800, 1704205860]).cast(pa.timestamp("s")).cast(pa.timestamp("us", "UTC"))
    values = {"Open": [1.0, 1.0], "High": [3.0, 3.0], "Low": [0.5, 0.5], "Close": [2.0, 2.0]}
    return pa.table({"date": ts, **values, "Volume": pa.array([10, 10]), **options})


@pytest.mark.parametrize("kind", ["parquet", "feather", "arrow"])
def test_arrow_files_are_read_as_they_are(write: Any, kind: str) -> None:
    sink = io.BytesIO()
    table = frame()
    if kind == "parquet":
        pq.write_table(table, sink)
    elif kind == "arrow":
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    else:
        feather.write_feather(table, sink)
    parsed = read_file(write(f"X.{kind}", sink.getvalue()))
    check(parsed, ("csv", ["X"], "1m", "2024-01-02T14:30", (1, 3, 0.5, 2, 10)))
    assert json.loads(parsed.texts([1])[1])["Close"] == 2.0


def test_many_symbols_of_a_parquet_file_are_series(write: Any) -> None:
    sink = io.BytesIO()
    pq.write_table(frame(symbol=pa.array(["A", "B"]).dictionary_encode()), sink)
    parsed = read_file(write("x.parquet", sink.getvalue()), timeframe="1m")
    assert [each.symbol for each in parsed.bars.series] == ["A", "B"]
    assert parsed.bars.series_index.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("name", "content", "shape", "symbol"),
    [
        (
            "ETH-USD.json",
            {"candles": [
                {"start": str(1704067200 + 86400 * day), "low": "0.5", "high": "3", "open": "1",
                 "close": "2", "volume": "10"} for day in range(2)]},
            "coinbase", "ETH-USD",
        ),
        (
            "answer.json",
            {"error": [], "result": {"XBTUSD": [
                [1704067200 + 86400 * day, "1", "3", "0.5", "2", "2", "10", 5] for day in range(2)],
                "last": 1704067200}},
            "kraken", "XBTUSD",
        ),
        (
            "X.json",
            [{"Date": f"2024-01-0{day}", "open": 1, "high": 3, "low": 0.5, "close": 2, "volume": 10}
             for day in (1, 2)],
            "csv", "X",
        ),
        (
            "BTCUSDT.json",
            [[1704067200000 + 86400000 * day, "1", "3", "0.5", "2", "10", 0, "1", 1, "1", "1", "0"]
             for day in range(2)],
            "binance", "BTCUSDT",
        ),
    ],
)  # fmt: skip
def test_answers_of_apis_are_read(
    write: Any, name: str, content: Any, shape: str, symbol: str
) -> None:
    parsed = read_file(write(name, json.dumps(content, indent=1)))
    check(parsed, (shape, [symbol], "1D", "2024-01-01", (1, 3, 0.5, 2, 10)))
    if shape == "kraken":
        assert "the bar of 1704153600 was not complete yet" in parsed.layout.notes


@pytest.mark.parametrize("content", ["{}", "[]", "[1, 2]", "{", '{"Information": "limit"}'])
def test_json_without_bars_says_so(write: Any, content: str) -> None:
    with pytest.raises(SourceError, match="no rows of bars|begins like JSON"):
        read_file(write("X.json", content))


def dbn(version: int, *records: tuple[int, ...]) -> bytes:
    width = 22 if version == 1 else 71
    head = struct.pack("<16sHQQQ", b"GLBX.MDP3", 7, 0, 0, 0)
    if version == 1:
        head += struct.pack("<Q", len(records))
    head += struct.pack("<BBB", 1, 0, 0)
    if version > 1:
        head += struct.pack("<H", width)
    head = head.ljust(100, b"\0") + struct.pack("<IIII", 0, 0, 0, 0) + struct.pack("<I", 1)
    head += b"ESH4".ljust(width, b"\0") + struct.pack("<I", 1)
    head += struct.pack("<II", 20240101, 20240201) + b"118".ljust(width, b"\0")
    body = b"".join(struct.pack("<BBHIQqqqqQ", 14, 33, 1, *record) for record in records)
    return b"DBN" + struct.pack("<BI", version, len(head)) + head + body


@pytest.mark.parametrize("version", [1, 2, 3])
def test_databento_s_own_encoding_is_read(write: Any, version: int) -> None:
    prices = [price * 10**9 for price in (1, 3)] + [5 * 10**8, 2 * 10**9]
    content = dbn(version, (118, 1704205800 * 10**9, *prices, 10))
    parsed = read_file(write("x.dbn", content))
    check(parsed, ("databento", ["ESH4"], "1m", "2024-01-02T14:30", (1, 3, 0.5, 2, 10)))
    with pytest.raises(SourceError, match="cut off"):
        read_file(write("y.dbn", content[:-1]))


def test_lean_quotes_are_bids(write: Any) -> None:
    text = "20240102 00:00,1,3,0.5,2,7,1.1,3.1,0.6,2.1,7\n"
    parsed = read_file(write("xauusd.csv", text), timeframe="1D")
    check(parsed, ("lean-quote", ["XAUUSD"], "1D", "2024-01-02", (1, 3, 0.5, 2, 0)))


# -- what is asked for ----------------------------------------------------------------------------

ROW = "1,3,0.5,2,10\n"
HEADER = "date,open,high,low,close,volume\n"


@pytest.mark.parametrize(
    ("name", "text", "error", "message"),
    [
        ("prices.csv", f"{HEADER}2024-01-02,{ROW}2024-01-03,{ROW}", SourceError, "say --symbol"),
        ("X.csv", f"{HEADER}2024-01-02,{ROW}", SourceError, "say --timeframe"),
        ("X.csv", f"{HEADER}2024-01-02T14:30Z,{ROW}2024-01-02T14:37Z,{ROW}", SourceError,
         "mostly 7 min apart"),
        ("X_1m.csv", f"{HEADER}2024-01-02 14:30,{ROW}", NaiveTimestampError, "--tz"),
        ("X_1D.csv", f"{HEADER}01/02/2024,{ROW}", SourceError, "the month or the day first"),
        ("X_1D.csv", "date;open;high;low;close\n2024-01-02;1,234;1,235;1,233;1,234\n", SourceError,
         "--decimal"),
        ("X_1m.csv", "20240102 143100;1;3;0.5;2;10\n", SourceError, "--as histdata.*--as ninja"),
        ("spy.csv", "20240102 00:00,100,300,100,200,10\n", SourceError,
         "--as lean-equity.*--as lean "),
        ("X_1W.csv", f"{HEADER}2024-01-07,{ROW}2024-01-14,{ROW}", SourceError, "--stamp start"),
        ("X.csv", "1,2,3\n4,5,6\n", SourceError, "looks like data"),
        ("glbx.csv",
         "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume\n"
         "1704205800000000000,33,1,118,1,1,1,1,1\n1704205800000000000,33,1,119,1,1,1,1,1\n",
         SourceError, "2 instruments.*symbols mapped"),
        ("X_1D.csv", HEADER + "".join(
            f"2024-01-02 {hour:02}:00Z,{ROW}" for hour in range(12)), SourceError, "1 h apart"),
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_asked_for(
    write: Any, name: str, text: str, error: type[BarsError], message: str
) -> None:
    with pytest.raises(error, match=message):
        read_file(write(name, text))


def test_bars_side_by_side(write: Any) -> None:
    """A symbol without a bar on a date has empty cells there; every other row is one, also bad."""
    lines = [
        "Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume",
        "Ticker,A,B,A,B,A,B,A,B,A,B",
        "Date,,,,,,,,,,",
        "2024-01-05,2,20,3,30,1,10,2,20,5,50",
        "2024-01-06,,21,,30,,10,,20,,50",
        "2024-01-07,,,,,,,,,,",
        "2024-01-08,2,9",
        "2024-01-09,9,8,3,30,1,10,2,20,5,50",
        "2024-01-10,2,20,3,30,1,10,2,20,5,50",
    ]
    found = read_file(write("prices.csv", "\n".join(lines)), timeframe="1D")
    symbols = [found.bars.series[code].symbol for code in found.bars.series_index]
    rows = [(symbol, int(line)) for symbol, line in zip(symbols, found.lines, strict=True)]
    assert sorted(rows) == [
        *(("A", line) for line in (4, 6, 7, 8, 9)),
        *(("B", line) for line in (4, 5, 8, 9)),
    ]
    refused = refused_lines(found)
    assert sorted((each.line, each.reason) for each in refused) == [
        (6, "open, high, low, close, volume missing or not finite"),
        (7, "3 fields where the header has 11"),
        (8, "close 8.0 is below low 10.0"),
        (8, "close 9.0 is above high 3.0"),
    ]
    assert {each.text for each in refused if each.line == 8} == {lines[7]}


def test_options_answer_what_is_asked(write: Any) -> None:
    path = write("x.csv", "date;open;high;low;close\n2024-01-07;1,234;1,235;1,233;1,234\n")
    said = {"symbol": "X", "timeframe": "1W"}
    start = read_file(path, decimal=",", stamp="start", **said)
    end = read_file(path, decimal=".", stamp="end", **said)
    assert [str(each.bars.ts[0])[:10] for each in (start, end)] == ["2024-01-08", "2024-01-01"]
    assert (start.bars.close[0], end.bars.close[0]) == (1.234, 1234.0)


def test_names_that_are_none_are_errors(write: Any) -> None:
    path = write("X.csv", f"{HEADER}2024-01-02,{ROW}2024-01-03,{ROW}")
    with pytest.raises(SourceError, match="no shape 'yaho'; did you mean 'yahoo'"):
        read_file(path, shape="yaho")
    with pytest.raises(ConfigError, match="no calendar 'MARS'"):
        read_file(path, calendar="MARS")


@pytest.mark.parametrize(
    ("cells", "mark"),
    [
        (["1.5", "2"], "."),
        (["1,234.5"], "."),
        (["1.234,5"], ","),
        (["1,5", "1,25"], ","),
        (["0,123"], ","),
        (["1,234,567"], "."),
        (["1.234.567"], ","),
        (["12,5K"], ","),
        (["1,234", "0.5"], "."),
    ],
)
def test_the_decimal_mark_is_told_by_the_cells(cells: list[str], mark: str) -> None:
    assert decimal_mark(cells) == mark


def test_the_kept_reading_gives_stamps_back(write: Any) -> None:
    stamps = ["2024-03-08 14:30", "2024-03-11 13:30", "2024-03-12 13:30", "2024-11-04 14:30"]
    text = HEADER + "".join(f"{stamp}:00Z,{ROW}" for stamp in stamps)
    parsed = read_file(write("X_1D.csv", text), tz=NEW_YORK)
    raw = raw_stamps(parsed.reading, parsed.bars.ts)
    assert [str(each)[:16].replace("T", " ") for each in raw] == stamps
    assert len(json.loads(parsed.reading)["stamps"]) == 3
