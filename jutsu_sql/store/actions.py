"""Splits and dividends: written as loads, and prices adjusted by them when they are read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from jutsu_sql.bars import PRICES, Bars, Series
from jutsu_sql.database import Connection, Database
from jutsu_sql.errors import BarsError
from jutsu_sql.instants import (
    DAY_US,
    MAX_US,
    MIN_US,
    datetime_from_us,
    instants_of_wall,
    us_from_bound,
    us_from_date,
    us_from_datetime,
)
from jutsu_sql.store.loads import recorded_load
from jutsu_sql.timeframe import parse_timeframe

_KINDS = ("split", "dividend")
_KNOWN_NOW = datetime_from_us(MAX_US)
# How far before a date its last close is looked for first: no exchange is closed for longer.
_CLOSED_US = 14 * DAY_US


class Action(NamedTuple):
    """A split of ``value`` new shares for one old, or a dividend of ``value`` a share."""

    symbol: str
    ex_date: date
    kind: str
    value: float


@dataclass(frozen=True, slots=True)
class ActionsReport:
    """What one write of corporate actions did; ``kept`` are stored ones of a later observation."""

    load_id: int
    received: int
    inserted: int
    updated: int
    unchanged: int
    kept: int


def write_actions(
    db: Database,
    actions: Iterable[Any],
    *,
    source: str,
    observed_at: datetime | None = None,
    uri: str | None = None,
) -> ActionsReport:
    """See :meth:`jutsu_sql.BarStore.write_actions`."""
    given = _by_key(actions)
    with recorded_load(db, "write", source, observed_at=observed_at, uri=uri) as (tx, load):
        tx.run("actions.lock")
        symbols = sorted({symbol for symbol, _, _ in given})
        stored = {
            (row.symbol, row.ex_date.date(), row.kind): row
            for rows in tx.run_all([_list_call(symbol, _KNOWN_NOW) for symbol in symbols])
            for row in rows
        }
        new = {key: value for key, value in given.items() if key not in stored}
        changed = {
            key: value
            for key, value in given.items()
            if key in stored and stored[key].value != value
        }
        later = {key for key in changed if stored[key].observed_at > load.observed_at}
        changed = {key: value for key, value in changed.items() if key not in later}
        tx.run_all(
            [
                (
                    "actions.supersede",
                    {
                        "symbol": symbol,
                        "ex_date": datetime_from_us(us_from_date(day)),
                        "kind": kind,
                        "load_id": load.load_id,
                    },
                )
                for symbol, day, kind in changed
            ]
        )
        _insert(tx, load.load_id, {**new, **changed})
        load.received, load.inserted = len(given), len(new)
        load.updated, load.kept = len(changed), len(later)
    return ActionsReport(
        load.load_id, load.received, load.inserted, load.updated, load.unchanged, load.kept
    )


_Key = tuple[str, date, str]


def _by_key(actions: Iterable[Any]) -> dict[_Key, float]:
    by_key: dict[_Key, float] = {}
    for row, given in enumerate(actions):
        pick: Any = itemgetter if isinstance(given, Mapping) else attrgetter
        try:
            symbol, ex_date, kind, value = pick(*Action._fields)(given)
            ex_date = date.fromisoformat(ex_date) if isinstance(ex_date, str) else ex_date
            number = float(value)
        except (KeyError, AttributeError, TypeError, ValueError) as error:
            raise BarsError(f"row {row}: {given!r} is no corporate action: {error}") from error
        if not isinstance(symbol, str) or not symbol:
            raise BarsError(f"row {row}: {symbol!r} is no symbol")
        if not isinstance(ex_date, date) or isinstance(ex_date, datetime):
            raise BarsError(f"row {row}: the ex-date {ex_date!r} is no date")
        if kind not in _KINDS:
            raise BarsError(f"row {row}: the kind is split or dividend, not {kind!r}")
        if not 0 < number < math.inf:
            raise BarsError(f"row {row}: the value of a {kind} is above 0, not {value!r}")
        key = symbol, ex_date, kind
        if key in by_key:
            raise BarsError(
                f"row {row}: a second {kind} of {symbol} on {ex_date}: add dividends of one date up"
            )
        by_key[key] = number
    return by_key


def _insert(tx: Connection, load_id: int, actions: Mapping[_Key, float]) -> None:
    if not actions:
        return
    symbols, days, kinds = zip(*actions, strict=True)
    tx.copy_into(
        "corporate_actions",
        {
            "symbol": symbols,
            "ex_date": np.array(days, dtype="M8[D]").astype("M8[us]"),
            "kind": kinds,
            "value": np.array(list(actions.values())),
            "load_id": np.full(len(actions), load_id, dtype=np.int32),
        },
    )


def read_actions(db: Database, symbol: str | None, as_of: Any) -> list[Any]:
    """See :meth:`jutsu_sql.BarStore.actions`."""
    moment = _KNOWN_NOW if as_of is None else datetime_from_us(us_from_bound(as_of, end=True))
    name, params = _list_call(symbol, moment)
    return [row._replace(ex_date=row.ex_date.date()) for row in db.run(name, **params)]


def _list_call(symbol: str | None, as_of: datetime) -> tuple[str, dict[str, Any]]:
    return "actions.list", {"symbol": symbol, "as_of": as_of}


def adjust_bars(db: Database, bars: Bars, adjust: str, as_of: Any) -> Bars:
    """The bars of a read, adjusted; see :meth:`jutsu_sql.BarStore.read`."""
    kinds = {"splits": _KINDS[:1], "all": _KINDS}.get(adjust)
    if kinds is None:
        raise ValueError(f'adjust is "splits" or "all", not {adjust!r}')
    columns = {name: getattr(bars, name).copy() for name in (*PRICES, "volume")}
    for code, series in enumerate(bars.series):
        frame = parse_timeframe(series.timeframe)
        if frame.is_session and frame.length_us > DAY_US:
            raise BarsError(
                f"an ex-date may fall inside a {frame} bar: read 1D with adjust=, and resample"
            )
        rows = slice(*np.searchsorted(bars.series_index, [code, code + 1]).tolist())
        ex_us, price_factors, volume_factors = _factors(db, series, kinds, as_of)
        steps = np.searchsorted(ex_us, bars.ts[rows].view(np.int64), "right")
        for name, column in columns.items():
            column[rows] *= (volume_factors if name == "volume" else price_factors)[steps]
    return Bars(bars.series, bars.series_index, bars.ts, **columns)


def _factors(
    db: Database, series: Series, kinds: Sequence[str], as_of: Any
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The ex-dates as instants; and before each of them, and after the last, the factors."""
    found = db.run("series.find", symbol=series.symbol, timeframe=series.timeframe)
    until_us = us_from_datetime(datetime.now(UTC))
    if as_of is not None:
        until_us = us_from_bound(as_of, end=True)
    by_date: dict[date, dict[str, float]] = {}
    for action in read_actions(db, series.symbol, as_of):
        if action.kind in kinds:
            by_date.setdefault(action.ex_date, {})[action.kind] = action.value
    ex_us = np.array([us_from_date(day) for day in by_date], dtype=np.int64)
    if found.timezone and not parse_timeframe(series.timeframe).is_session:
        ex_us = instants_of_wall(ex_us, found.timezone)
    ex_us = ex_us[: np.searchsorted(ex_us, until_us, "right")]
    price, volume = np.ones(len(ex_us) + 1), np.ones(len(ex_us) + 1)
    for row, (us, day) in enumerate(zip(ex_us.tolist(), by_date, strict=False)):
        ratio = by_date[day].get("split", 1.0)
        price[row], volume[row] = 1 / ratio, ratio
        if amount := by_date[day].get("dividend"):
            price[row] *= _dividend_factor(
                db, found.series_id, series, day, us, amount * ratio, as_of
            )
    return ex_us, _products(price), _products(volume)


def _products(factors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of each factor and all behind it."""
    return np.multiply.accumulate(factors[::-1])[::-1]


def _dividend_factor(
    db: Database, series_id: int, series: Series, day: date, us: int, amount: float, as_of: Any
) -> float:
    close = _close_before(db, series_id, us, as_of)
    if close is None:
        return 1.0  # there is no bar that it would be applied to
    if amount >= close:
        raise BarsError(
            f"the dividend of {series.symbol} on {day} is not less than the close before it"
            f" ({close:g}): correct the one or the other"
        )
    return 1 - amount / close


def _close_before(db: Database, series_id: int, us: int, as_of: Any) -> float | None:
    end = datetime_from_us(us - 1)
    if as_of is None:
        closes = db.run("bars.read_latest", series_id=series_id, end=end, n=1)["close"]
        return float(closes[-1]) if len(closes) else None
    known = datetime_from_us(us_from_bound(as_of, end=True))
    reach_us = _CLOSED_US
    while True:
        start_us = max(us - reach_us, MIN_US)
        span = {"start": datetime_from_us(start_us), "end": end, "as_of": known}
        closes = db.run("bars.read_as_of", series_id=series_id, **span)["close"]
        if len(closes):
            return float(closes[-1])
        if start_us == MIN_US:
            return None
        reach_us *= 16
