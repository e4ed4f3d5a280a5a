"""What the files of each vendor look like: one small record a shape.

A new vendor is a record here and a sample in ``tests/samples``. Names of columns are in plain form:
lower case, blanks for underscores, no angle brackets. ``columns``, ``first``, ``prices``,
``below``, ``file``, ``folder`` and ``banner`` are regular expressions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

EPOCH = r"\d{10}|\d{13}|\d{16}|\d{19}"
_UTC_CRYPTO = {"stamp_tz": "UTC", "tz": "UTC", "calendar": "24/7"}
NEW_YORK = "America/New_York"
# Eastern standard time, all year long.
_EST = "Etc/GMT+5"
_KLINES = (
    "time open high low close volume close_time quote_volume count taker_buy_volume"
    " taker_buy_quote_volume ignore"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How one kind of file is recognised, and what it means.

    A file with a header has the shape if all names of ``header`` stand in it, and what ``below``
    says begins the lines after it. A file without one has it if its rows are as many cells as
    ``names``, the first like ``first`` and those of prices like ``prices``. With ``by_file`` the
    path must match ``file``, too, or a line above the header ``banner``. The groups ``symbol``,
    ``timeframe`` and ``date`` of ``file`` are what a name says; a ``folder`` in the path tells
    shapes with the same cells apart. ``columns`` finds fields that the usual names do not.

    ``stamp_tz`` is the zone that times without one are in; ``tz`` where the exchange is, and
    ``calendar`` its calendar, where every file of the shape has the same. ``stamp`` says which side
    of the interval is stamped. Prices are integers of 10 to the ``price_exponent``.
    """

    name: str
    title: str
    header: str = ""
    below: tuple[str, ...] = ()
    names: str = ""
    first: str = ""
    prices: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    file: str = ""
    folder: str = ""
    banner: str = ""
    by_file: bool = False
    stamp_tz: str | None = None
    tz: str | None = None
    calendar: str | None = None
    stamp: str = "start"
    month_first: bool | None = None
    units: tuple[str, ...] = ()
    price_exponent: int = 0
    timeframe: str | None = None
    timeframes: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    adjusted: str = "not said"
    notes: tuple[str, ...] = ()

    @property
    def required(self) -> frozenset[str]:
        return frozenset(self.header.split("|")) if self.header else frozenset()


# What is recognised last: any header that names its columns.
PLAIN = Shape(name="csv", title="columns by their names")

_SHAPES = (
    # -- stocks ----------------------------------------------------------------------------------
    Shape(
        name="yahoo",
        title="Yahoo Finance",
        header="date|open|high|low|close|adj close|volume",
        adjusted="for splits; 'Adj Close', for dividends too, is not taken",
    ),
    Shape(
        name="yahoo",
        title="yfinance, one header row",
        header="open|high|low|close|volume|dividends|stock splits",
        adjusted="for splits; for dividends too, unless auto_adjust=False",
    ),
    Shape(
        name="yahoo",
        title="yfinance, three header rows",
        header="price|open|high|low|close|volume",
        below=("ticker", "date|datetime"),
        columns={"time": "price"},
        adjusted="for splits; for dividends too, unless auto_adjust=False",
    ),
    Shape(
        name="stooq",
        title="Stooq, bulk download",
        header="ticker|per|date|time|open|high|low|close|vol|openint",
        columns={"timeframe": "per"},
        timeframes={"D": "1D", "W": "1W", "M": "1M"},
        adjusted="for splits",
    ),
    Shape(
        name="stooq",
        title="Stooq, web download",
        header="date|open|high|low|close",
        file=r"(?:^|/)(?P<symbol>[a-z0-9^.]+(?:_[a-z]{1,2})?)_(?P<timeframe>[dwm])\.csv$",
        by_file=True,
        timeframes={"d": "1D", "w": "1W", "m": "1M"},
        adjusted="for splits",
    ),
    Shape(
        name="stooq",
        title="Stooq, web download in Polish",
        header="data|otwarcie|najwyzszy|najnizszy|zamkniecie",
        columns={
            "time": "data",
            "open": "otwarcie",
            "high": "najwyzszy",
            "low": "najnizszy",
            "close": "zamkniecie",
            "volume": "wolumen",
        },
        file=r"(?:^|/)(?P<symbol>[a-z0-9^.]+(?:_[a-z]{1,2})?)_(?P<timeframe>[dwm])\.csv$",
        timeframes={"d": "1D", "w": "1W", "m": "1M"},
        adjusted="for splits",
    ),
    Shape(
        name="alpha-vantage",
        title="Alpha Vantage, adjusted",
        header="timestamp|open|high|low|close|adjusted close|volume|dividend amount",
        file=r"(?P<timeframe>daily|weekly|monthly)_adjusted_(?P<symbol>[A-Z0-9.-]+)\.csv$",
        stamp_tz=NEW_YORK,
        adjusted="no; 'adjusted_close' is not taken",
    ),
    Shape(
        name="alpha-vantage",
        title="Alpha Vantage",
        header="timestamp|open|high|low|close|volume",
        file=r"(?P<timeframe>daily|weekly|monthly|intraday_\d+min)_(?P<symbol>[A-Z0-9.-]+)\.csv$",
        by_file=True,
        timeframes={f"intraday_{n}min": f"{n}m" for n in (1, 5, 15, 30, 60)},
        stamp_tz=NEW_YORK,
        adjusted="daily, weekly and monthly: no; intraday: yes, unless adjusted=false",
    ),
    Shape(
        name="polygon",
        title="Polygon.io flat file of aggregates",
        header="ticker|volume|open|close|high|low|window start|transactions",
        columns={"time": "window start"},
        file=r"(?P<timeframe>day|minute)_aggs",
        units=("ns",),
        tz=NEW_YORK,
        adjusted="no",
    ),
    Shape(
        name="databento",
        title="Databento OHLCV",
        header="ts event|rtype|publisher id|instrument id|open|high|low|close|volume",
        columns={"time": "ts event", "timeframe": "rtype", "instrument": "instrument id"},
        prices=r"-?\d*\.\d+",
        timeframes={"32": "1s", "33": "1m", "34": "1h", "35": "1D", "36": "1D"},
        units=("ns",),
        adjusted="no",
    ),
    Shape(
        name="databento",
        title="Databento OHLCV, prices in units of 1e-9",
        header="ts event|rtype|publisher id|instrument id|open|high|low|close|volume",
        columns={"time": "ts event", "timeframe": "rtype", "instrument": "instrument id"},
        prices=r"-?\d+",
        price_exponent=-9,
        timeframes={"32": "1s", "33": "1m", "34": "1h", "35": "1D", "36": "1D"},
        units=("ns",),
        missing=("9223372036854775807",),
        adjusted="no",
    ),
    Shape(
        name="tradingview",
        title="TradingView chart export",
        header="time|open|high|low|close",
        file=r"(?:^|/)[A-Z][A-Z0-9_]*_(?P<symbol>[A-Z0-9.!]+), (?P<timeframe>\d*[SDWM]?)"
        r"(?:_[0-9a-f]+)?\.csv$",
        by_file=True,
        adjusted="for splits",
    ),
    Shape(
        name="nasdaq",
        title="Nasdaq historical quotes",
        header="date|close/last|volume|open|high|low",
        columns={"close": "close/last"},
        month_first=True,
        missing=("N/A",),
        adjusted="for splits",
    ),
    Shape(
        name="investing",
        title="Investing.com historical data",
        header="date|price|open|high|low",
        columns={"close": "price", "volume": r"vol\."},
        file=r"(?:^|/)(?P<symbol>[A-Z0-9.]+) Historical Data[^/]*\.csv$",
        missing=("-",),
        adjusted="for splits",
    ),
    Shape(
        name="investing",
        title="Investing.com historical data in German",
        header="datum|zuletzt|eröffn.|hoch|tief",
        columns={
            "time": "datum",
            "open": r"eröffn\.",
            "high": "hoch",
            "low": "tief",
            "close": "zuletzt",
            "volume": r"vol\.",
        },
        month_first=False,
        missing=("-",),
        adjusted="for splits",
    ),
    Shape(
        name="barchart",
        title="Barchart.com",
        header="time|open|high|low|volume|change",
        columns={"close": "last|latest"},
        month_first=True,
    ),
    Shape(
        name="nse",
        title="NSE India, security-wise archive",
        header="date|open price|high price|low price|close price|prev close price"
        "|total traded quantity",
        columns={
            "open": "open price",
            "high": "high price",
            "low": "low price",
            "close": "close price",
            "volume": "total traded quantity",
        },
        tz="Asia/Kolkata",
        timeframe="1D",
        adjusted="no",
    ),
    Shape(
        name="nse",
        title="NSE India, bhavcopy",
        header="symbol|series|open|high|low|close|last|prevclose|tottrdqty|timestamp",
        columns={"volume": "tottrdqty"},
        tz="Asia/Kolkata",
        timeframe="1D",
        adjusted="no",
    ),
    Shape(
        name="tushare",
        title="Tushare Pro",
        header="ts code|trade date|open|high|low|close|pre close|vol|amount",
        columns={"symbol": "ts code", "time": "trade date"},
        tz="Asia/Shanghai",
        adjusted="as it was asked for",
        notes=("volumes are in lots of 100 shares",),
    ),
    Shape(
        name="kaggle",
        title="Kaggle, prices with the name of the stock",
        header="date|open|high|low|close|volume|name",
        columns={"symbol": "name"},
        adjusted="for splits",
    ),
    Shape(
        name="kaggle",
        title="Kaggle, huge stock market dataset",
        header="date|open|high|low|close|volume|openint",
        file=r"(?:^|/)(?P<symbol>[a-z0-9_.-]+\.us)\.txt$",
        adjusted="for splits and dividends",
    ),
    Shape(
        name="kaggle",
        title="Kaggle, daily cryptocurrency prices",
        header="sno|name|symbol|date|high|low|open|close|volume|marketcap",
        **_UTC_CRYPTO,  # type: ignore[arg-type]
    ),
    Shape(
        name="kaggle",
        title="Kaggle, bitcoin by the minute",
        header="timestamp|open|high|low|close|volume (btc)|volume (currency)",
        columns={"volume": r"volume \(btc\)"},
        **_UTC_CRYPTO,  # type: ignore[arg-type]
    ),
    Shape(
        name="kaggle",
        title="Kaggle, NIFTY 50",
        header="date|symbol|series|prev close|open|high|low|last|close|vwap|volume|turnover",
        tz="Asia/Kolkata",
        timeframe="1D",
        adjusted="no",
    ),
    # -- crypto ----------------------------------------------------------------------------------
    Shape(
        name="binance",
        title="Binance klines",
        names=_KLINES,
        first=EPOCH,
        file=r"(?:^|/)(?P<symbol>[A-Z0-9_]+)-(?P<timeframe>\d+(?:s|m|h|d|w|mo))-\d{4}-\d\d",
        units=("ms", "us"),
        timeframes={"1mo": "1M"},
        adjusted="no",
        **_UTC_CRYPTO,  # type: ignore[arg-type]
    ),
    Shape(
        name="binance",
        title="Binance klines with a header",
        header="open time|open|high|low|close|volume|close time",
        columns={"time": "open time"},
        file=r"(?:^|/)(?P<symbol>[A-Z0-9_]+)-(?P<timeframe>\d+(?:s|m|h|d|w|mo))-\d{4}-\d\d",
        units=("ms", "us"),
        timeframes={"1mo": "1M"},
        adjusted="no",
        **_UTC_CRYPTO,  # type: ignore[arg-type]
    ),
    Shape(
        name="cryptodatadownload",
        title="CryptoDataDownload",
        header="date|symbol|open|high|low|close",
        columns={"time": "date", "volume": r"volume \(?(?!usdt?\b|eur|gbp|krw|jpy)\w+\)?|volume"},
        file=r"(?:^|/)[A-Za-z0-9]+_[A-Z0-9]+_(?P<timeframe>1?(?:d|h|m|hour|minute))\.csv$",
        banner="cryptodatadownload",
        by_file=True,
        **_UTC_CRYPTO,  # type: ignore[arg-type]
    ),
    Shape(
        name="cryptodatadownload",
        title="CryptoDataDownload",
        header="unix|date|symbol|open|high|low|close",
        columns={"time": "date", "volume": r"volume \(?(?!usdt?\b|eur|gbp|krw|jpy)\w+\)?|volume"},
        **_UTC_CRYPTO,  # type: ignore[arg-type]
    ),
    Shape(
        name="cryptodatadownload",
        title="CryptoDataDownload",
        header="unix timestamp|date|symbol|open|high|low|close",
        columns={"time": "date", "volume": r"volume \(?(?!usdt?\b|eur|gbp|krw|jpy)\w+\)?|volume"},
        **_UTC_CRYPTO,  # type: ignore[arg-type]
    ),
    Shape(
        name="freqtrade",
        title="freqtrade or ccxt",
        names="time open high low close volume",
        first=r"\d{13}",
        file=r"(?:^|/)(?P<symbol>[A-Z0-9]+(?:_[A-Z0-9]+)+)-(?P<timeframe>\d+[mhdwM])"
        r"(?:-futures)?\.(?:json|feather|parquet)$",
        units=("ms",),
        adjusted="no",
        **_UTC_CRYPTO,  # type: ignore[arg-type]
    ),
    Shape(
        name="freqtrade",
        title="freqtrade",
        header="date|open|high|low|close|volume",
        file=r"(?:^|/)(?P<symbol>[A-Z0-9]+(?:_[A-Z0-9]+)+)-(?P<timeframe>\d+[mhdwM])"
        r"(?:-futures)?\.(?:json|feather|parquet)$",
        by_file=True,
        adjusted="no",
        **_UTC_CRYPTO,  # type: ignore[arg-type]
    ),
    Shape(
        name="kraken",
        title="Kraken OHLC",
        names="time open high low close vwap volume count",
        first=r"\d{10}",
        units=("s",),
        adjusted="no",
        **_UTC_CRYPTO,  # type: ignore[arg-type]
    ),
    Shape(
        name="kraken",
        title="Kraken OHLCVT",
        names="time open high low close volume count",
        first=r"\d{10}",
        file=r"(?:^|/)(?P<symbol>[A-Z0-9]+)_(?P<timeframe>1|5|15|30|60|240|720|1440)\.csv$",
        units=("s",),
        adjusted="no",
        **_UTC_CRYPTO,  # type: ignore[arg-type]
    ),
    Shape(
        name="coinbase",
        title="Coinbase candles",
        header="start|low|high|open|close|volume",
        columns={"time": "start"},
        units=("s",),
        adjusted="no",
        **_UTC_CRYPTO,  # type: ignore[arg-type]
    ),
    # -- forex and platforms ---------------------------------------------------------------------
    Shape(
        name="metatrader5",
        title="MetaTrader 5 export",
        header="date|open|high|low|close|tickvol|vol|spread",
        columns={"volume": "tickvol"},
        file=r"(?:^|/)(?P<symbol>[A-Za-z0-9.#&]+)_(?P<timeframe>M\d+|H\d+|Daily|Weekly|Monthly)_",
        notes=("volumes are counts of ticks, of <TICKVOL>",),
    ),
    Shape(
        name="metatrader4",
        title="MetaTrader 4 history",
        names="date time open high low close volume",
        first=r"\d{4}\.\d\d\.\d\d",
        file=r"(?:^|/)(?P<symbol>[A-Za-z#&.]+)(?P<timeframe>1|5|15|30|60|240|1440|10080|43200)\.csv$",
        timeframes={"1440": "1D", "10080": "1W", "43200": "1M"},
        notes=("volumes are counts of ticks",),
    ),
    Shape(
        name="histdata",
        title="HistData.com, MetaTrader format",
        names="date time open high low close volume",
        first=r"\d{4}\.\d\d\.\d\d",
        file=r"DAT_MT_(?P<symbol>[A-Z]+)_(?P<timeframe>M1)_",
        by_file=True,
        stamp_tz=_EST,
        adjusted="no",
        notes=("bid prices",),
    ),
    Shape(
        name="histdata",
        title="HistData.com, ASCII",
        names="time open high low close volume",
        first=r"\d{8} \d{6}",
        file=r"DAT_(?:ASCII|NT)_(?P<symbol>[A-Z]+)_(?P<timeframe>M1)_",
        stamp_tz=_EST,
        adjusted="no",
        notes=("bid prices, times in EST without daylight saving",),
    ),
    Shape(
        name="ninjatrader",
        title="NinjaTrader export",
        names="time open high low close volume",
        first=r"\d{8} \d{6}",
        file=r"(?:^|/)(?P<symbol>[A-Z0-9 -]+)\.Last\.txt$",
        stamp_tz="UTC",
        stamp="end",
        notes=("times in UTC, of the end of the bar",),
    ),
    Shape(
        name="dukascopy",
        title="Dukascopy",
        header="local time|open|high|low|close|volume",
        columns={"time": "local time"},
        month_first=False,
        adjusted="no",
    ),
    Shape(
        name="dukascopy",
        title="Dukascopy, in GMT",
        header="gmt time|open|high|low|close|volume",
        columns={"time": "gmt time"},
        stamp_tz="UTC",
        month_first=False,
        adjusted="no",
    ),
    # -- LEAN ------------------------------------------------------------------------------------
    Shape(
        name="lean-equity",
        title="LEAN equity or option trades, prices times 10,000",
        names="time open high low close volume",
        first=r"\d{8} \d\d:\d\d|\d{1,8}",
        prices=r"\d{3,}",
        price_exponent=-4,
        file=r"(?:^|/)(?:(?P<date>\d{8})_)?(?P<symbol>[a-z][a-z0-9.]*)"
        r"(?:_(?P<timeframe>second|minute)_trade)?\.csv$",
        folder="equity|option",
        tz=NEW_YORK,
        timeframes={"second": "1s", "minute": "1m"},
        adjusted="no",
    ),
    Shape(
        name="lean",
        title="LEAN crypto, forex or CFD trades",
        names="time open high low close volume",
        first=r"\d{8} \d\d:\d\d|\d{1,8}",
        prices=r"\d+(?:\.\d+)?(?:[eE]-\d+)?",
        file=r"(?:^|/)(?:(?P<date>\d{8})_)?(?P<symbol>[a-z][a-z0-9.]*)"
        r"(?:_(?P<timeframe>second|minute)_trade)?\.csv$",
        folder="crypto|cryptofuture|forex|cfd",
        stamp_tz="UTC",
        timeframes={"second": "1s", "minute": "1m"},
        adjusted="no",
    ),
    Shape(
        name="lean-quote",
        title="LEAN quotes",
        names="time open high low close bid_size ask_open ask_high ask_low ask_close ask_size",
        first=r"\d{8} \d\d:\d\d|\d{1,8}",
        file=r"(?:^|/)(?:(?P<date>\d{8})_)?(?P<symbol>[a-z][a-z0-9.]*)"
        r"(?:_(?P<timeframe>second|minute)_quote)?\.csv$",
        stamp_tz="UTC",
        timeframes={"second": "1s", "minute": "1m"},
        adjusted="no",
        notes=("bid prices; those of the ask are not taken",),
    ),
)

SHAPES: Mapping[str, tuple[Shape, ...]] = {
    name: tuple(each for each in (*_SHAPES, PLAIN) if each.name == name)
    for name in dict.fromkeys(each.name for each in (*_SHAPES, PLAIN))
}

__all__ = ["PLAIN", "SHAPES", "Shape"]
