"""Yahoo's charts (``/v8/finance/chart/SYMBOL``) as a source of raw bars, splits and dividends.

Yahoo publishes no description of them: what is said here is what its answers show.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

import jutsu_sql
from jutsu_sql.bars import PRICES, VALUES, Bars, Series
from jutsu_sql.errors import SourceError
from jutsu_sql.instants import (
    DAY_US,
    SECOND_US,
    Micros,
    local_from_utc,
    us_from_date,
    us_from_datetime,
)
from jutsu_sql.sources.http import HttpClient
from jutsu_sql.store import Action
from jutsu_sql.store.source import Answer, Interval, Prices, Source

_URL = "https://query2.finance.yahoo.com"
_AGENT = f"Mozilla/5.0 (compatible; jutsu_sql/{jutsu_sql.__version__})"
_REQUESTS_PER_S = 2

# By timeframe: Yahoo's name, how far back it goes, and the longest range of one request.
_DAY = timedelta(days=1)
_INTERVALS: dict[str, tuple[str, timedelta | None, timedelta | None]] = {
    "1m": ("1m", 29 * _DAY, 7 * _DAY),
    "5m": ("5m", 59 * _DAY, None),
    "15m": ("15m", 59 * _DAY, None),
    "30m": ("30m", 59 * _DAY, None),
    "1h": ("60m", 729 * _DAY, None),
    "1D": ("1d", None, None),
}
# By the exchange's name in the answers; of others nothing is said.
_CALENDARS = {
    **dict.fromkeys(("NMS", "NGM", "NCM", "NYQ", "ASE", "PCX", "BTS", "SNP", "DJI", "NIM"), "XNYS"),
    "CCC": "24/7",
    "LSE": "XLON",
    "GER": "XETR",
    "PAR": "XPAR",
    "AMS": "XAMS",
    "MIL": "XMIL",
    "EBS": "XSWX",
    "STO": "XSTO",
    "TOR": "XTSE",
    "JPX": "XTKS",
    "HKG": "XHKG",
    "ASX": "XASX",
}
# What it says of a range before the first bar of a symbol, or in the future.
_EMPTY = "Data doesn't exist"


class YahooSource(Source):
    """Bars of Yahoo Finance from ``1m`` to ``1D``; :meth:`BarStore.resample` makes longer ones.

    **Raw prices.** Yahoo divides all prices, volumes and dividends by every split since, and
    ``adjclose`` by the dividends, too. ``adjclose`` is not taken. The splits up to now are fetched
    as well, what they did is taken back, and they are given as corporate actions with the
    dividends: ``adjust=`` brings them in when bars are read. So a later split changes no stored
    bar. A split that Yahoo lacks cannot be taken back, and one that Yahoo has announced but not
    applied yet would be taken back too early: look at the audit around it.

    **Digits.** Yahoo's prices are 32-bit floats, in which 187.15 comes as 187.14999389648438. They
    are rounded to the seven significant digits that such a float says.

    The symbols are Yahoo's (``BRK-B``, ``VOD.L``, ``BTC-USD``, ``EURUSD=X``).
    """

    name = "yahoo"
    prices: Prices = "raw"
    parallel = 4

    def __init__(self, url: str = _URL, *, client: HttpClient | None = None) -> None:
        self._url = url.rstrip("/")
        self._client = client or HttpClient(per_s=_REQUESTS_PER_S, headers={"User-Agent": _AGENT})

    def offers(self, symbol: str, timeframe: str) -> Sequence[Interval] | None:
        """See :meth:`Source.offers`."""
        del symbol
        _, reach, _ = _interval(timeframe)
        now = datetime.now(UTC)
        return None if reach is None else [(now - reach, now + _DAY)]

    def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Answer:
        """See :meth:`Source.fetch`."""
        interval, _, longest = _interval(timeframe)
        # A session date lies up to a day off the moments that are stamped.
        margin = _DAY if timeframe == "1D" else timedelta()
        now = datetime.now(UTC)
        # Later splits have changed the prices of this range as well; a little more brings them in.
        until = max(end, now) if now - end < _DAY else end
        charts = [
            chart
            for first, last in _windows(start - margin, until + margin, longest)
            if (chart := self._chart(symbol, interval, first, last)) is not None
        ]
        if not charts:
            return Answer(Bars.empty())
        later = self._chart(symbol, "1mo", start, now) if until < now else None
        try:
            answer = _answer(Series(symbol, timeframe), charts, later)
        except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError) as error:
            raise SourceError(f"{symbol}: Yahoo's charts have another shape: {error!r}") from error
        us = answer.bars.ts.view(np.int64)
        inside = (us_from_datetime(start) <= us) & (us < us_from_datetime(end))
        return replace(answer, bars=answer.bars[inside])

    def close(self) -> None:
        """See :meth:`Source.close`."""
        self._client.close()

    def _chart(self, symbol: str, interval: str, start: datetime, end: datetime) -> Any:
        """One chart, or None if Yahoo says that there is nothing in the range."""
        reply = self._client.get(
            f"{self._url}/v8/finance/chart/{quote(symbol, safe='')}",
            {
                "interval": interval,
                "period1": math.floor(start.timestamp()),
                "period2": math.ceil(end.timestamp()),
                "events": "div,split",
                "includePrePost": "false",
            },
        )
        answer = reply.json()
        chart = answer.get("chart") if isinstance(answer, dict) else None
        if not isinstance(chart, dict):
            raise SourceError(f"{symbol}: {reply.place} answered {reply.status} and no chart")
        if chart.get("error"):
            reason = str(chart["error"].get("description", chart["error"]))
            if reason.startswith(_EMPTY):
                return None
            raise SourceError(f"{symbol}: Yahoo says: {reason}")
        return (chart.get("result") or [{}])[0]


def _interval(timeframe: str) -> tuple[str, timedelta | None, timedelta | None]:
    if timeframe not in _INTERVALS:
        raise SourceError(
            f"{timeframe} bars are not taken from Yahoo: {', '.join(_INTERVALS)} are, and longer"
            " ones can be made of them by `jutsu-sql resample`"
        )
    return _INTERVALS[timeframe]


def _windows(start: datetime, end: datetime, longest: timedelta | None) -> Iterator[Interval]:
    while start < end:
        stop = end if longest is None else min(end, start + longest)
        yield start, stop
        start = stop


def _answer(series: Series, charts: Sequence[Any], later: Any) -> Answer:
    """What charts say, and one of later months, which is there for its splits."""
    for chart in charts:
        if chart["meta"]["symbol"].upper() != series.symbol.upper():
            raise SourceError(f"{series.symbol}: Yahoo answered of {chart['meta']['symbol']}")
    meta = charts[0]["meta"]
    tz = meta["exchangeTimezoneName"]
    actions = _actions(series.symbol, [*charts, *([later] if later else [])], tz)
    columns, notes = _columns(charts, series.timeframe, tz)
    bars = _without_splits(Bars.of_one(series, columns), actions, tz)
    return Answer(bars, tz, _CALENDARS.get(meta.get("exchangeName")), actions, notes=notes)


def _columns(
    charts: Sequence[Any], timeframe: str, tz: str
) -> tuple[dict[str, npt.NDArray[Any]], list[str]]:
    """The columns of all charts, and what was left out of them."""
    stamps = _joined(charts, lambda chart: chart.get("timestamp") or [])
    us: Micros = (stamps * SECOND_US).astype(np.int64)
    rows = {
        name: _joined(charts, lambda chart, name=name: _quote(chart).get(name) or [])
        for name in VALUES
    }
    if any(len(column) != len(us) for column in rows.values()):
        raise ValueError("columns differ in length")
    rows["volume"] = np.where(np.isnan(rows["volume"]), 0, rows["volume"])
    is_bar = ~np.all([np.isnan(rows[name]) for name in PRICES], axis=0)
    notes = []
    if nulls := int((~is_bar).sum()):
        notes.append(f"{nulls} times without a price are no bars")
    if timeframe == "1D":
        us = local_from_utc(us, tz) // DAY_US * DAY_US
    else:
        is_bar &= ~_is_live(us, charts[-1]["meta"], timeframe)
    # The session that is running may come twice: as a day, and as the moment of its last trade.
    _, last = np.unique(us[is_bar][::-1], return_index=True)
    kept = np.flatnonzero(is_bar)[::-1][last]
    columns = {name: rows[name][kept] for name in VALUES}
    columns |= {name: _seven_digits(columns[name]) for name in PRICES}
    return {"ts": us[kept].view("M8[us]"), **columns}, notes


def _joined(charts: Iterable[Any], column: Any) -> npt.NDArray[np.float64]:
    values = [value for chart in charts for value in column(chart)]
    return np.array(values, dtype=np.float64)  # None becomes NaN


def _quote(chart: Any) -> dict[str, Any]:
    quotes: list[dict[str, Any]] = chart["indicators"]["quote"]
    return quotes[0] if quotes else {}


def _is_live(us: Micros, meta: Any, timeframe: str) -> npt.NDArray[np.bool_]:
    """The row that is no interval but the last trade: off the grid, or at the close and after."""
    regular = meta["currentTradingPeriod"]["regular"]
    minutes = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60}[timeframe]
    since_open = (us - regular["start"] * SECOND_US) % DAY_US
    is_off = since_open % (minutes * 60 * SECOND_US) != 0
    is_off |= since_open >= (regular["end"] - regular["start"]) * SECOND_US
    return np.asarray(is_off & (us == meta.get("regularMarketTime", 0) * SECOND_US))


def _seven_digits(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.array([float(f"{value:.7g}") for value in values.tolist()])


def _actions(symbol: str, charts: Iterable[Any], tz: str) -> list[Action]:
    """Splits, and dividends in the money of their day, by date."""
    splits: dict[date, dict[int, float]] = {}
    dividends: dict[date, dict[int, float]] = {}
    for chart in charts:
        events = chart.get("events", {})
        # The moment tells an event that two charts have from another one of the same date.
        for split in events.get("splits", {}).values():
            ratio = split["numerator"] / split["denominator"]
            splits.setdefault(_day(split["date"], tz), {})[split["date"]] = ratio
        for dividend in events.get("dividends", {}).values():
            day = _day(dividend["date"], tz)
            dividends.setdefault(day, {})[dividend["date"]] = dividend["amount"]
    ratios = {day: math.prod(found.values()) for day, found in sorted(splits.items())}
    actions = [Action(symbol, day, "split", ratio) for day, ratio in ratios.items()]
    for day, found in dividends.items():
        since = math.prod(ratio for at, ratio in ratios.items() if at > day)
        amount = float(f"{sum(found.values()) * since:.7g}")
        actions.append(Action(symbol, day, "dividend", amount))
    return sorted(actions, key=lambda action: (action.ex_date, action.kind))


def _day(moment_s: int, tz: str) -> date:
    local = local_from_utc(np.array([moment_s * SECOND_US], dtype=np.int64), tz)
    day: date = local.view("M8[us]")[0].astype("M8[D]").item()
    return day


def _without_splits(bars: Bars, actions: Iterable[Action], tz: str) -> Bars:
    """The bars as they were quoted: what later splits did to them is taken back."""
    us = bars.ts.view(np.int64)
    if bars.series[0].timeframe != "1D":
        us = local_from_utc(us, tz)
    factors = np.ones(len(bars))
    for action in actions:
        if action.kind == "split":
            factors[us < us_from_date(action.ex_date)] *= action.value
    if (factors == 1).all():
        return bars
    columns = {name: _seven_digits(getattr(bars, name) * factors) for name in PRICES}
    # Shares are whole ones.
    volume = np.where(factors == 1, bars.volume, np.rint(bars.volume / factors))
    return Bars.of_one(bars.series[0], {"ts": bars.ts, **columns, "volume": volume})


def open_yahoo(argument: str, *, tz: str | None, calendar: str | None) -> YahooSource:
    """The entry point of ``yahoo``; the argument is the address of a server that answers alike."""
    del tz, calendar  # Yahoo says where a symbol is traded
    return YahooSource(argument or _URL)


__all__ = ["YahooSource", "open_yahoo"]
