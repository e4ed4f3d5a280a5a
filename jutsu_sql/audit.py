"""What is wrong with stored bars though each is valid by itself, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jutsu_sql.bars import PRICES, VALUES, Bar, Bars, Series
from jutsu_sql.database import Connection, Database
from jutsu_sql.errors import BarsError
from jutsu_sql.instants import DAY_US, MAX_US, MIN_US, datetime_from_us
from jutsu_sql.store.scan import matching_series, scan_series
from jutsu_sql.timeframe import Timeframe, interval_end, parse_timeframe

__all__ = ["REMEDIES", "Finding", "Thresholds", "audit_bars"]

_Mask = npt.NDArray[np.bool_]
_SHOWN_ROWS = 20
# Neighbours on each side that a price is compared with; where there are fewer, it is not judged.
_NEIGHBOURS = 5
# Makes the median absolute deviation of a normal distribution its standard deviation.
_MAD_SCALE = 1.4826
# Of prices, this share has to fit a number of decimals before the others count as off tick.
_TICK_SHARE = 0.99
_MOST_DECIMALS = 9
# An exchange that closes on weekends has few bars there: special sessions, by day, and the Sunday
# evening of futures and currencies, 3 of 120 hours. One that never closes has a seventh a day.
_WEEKEND_SHARE_DAILY, _WEEKEND_SHARE_INTRADAY = 0.02, 0.05
_EVEN_SHARE = 0.5 / 7
_FEWEST_BARS = 20
_WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
# How far from the ratio of a split a night may take the price, and from its date a zone the bar.
_SPLIT_TOLERANCE = 0.04
_NEAR_SPLIT = timedelta(days=1)
_SPLITS = np.array([1.5, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50, 100])

REMEDIES = {
    "duplicate sessions": "delete the wrong one of each pair, or undo the load that brought it"
    " (`jutsu-sql history` names it), and import again with the --tz of the exchange",
    "stale runs": "fetch the range again: a feed that stands still repeats its last bar",
    "outliers": "compare with another source, and import the right bars: the old ones are kept",
    "zero volume": "nothing was traded, or the vendor has filled a gap: delete what it made up",
    "prices off tick": "import prices that are not adjusted or rounded, or say the step (--tick)",
    "mixed adjustments": "import the whole series again from one source, in one load; or, if all"
    " prices are raw, record the split (`jutsu-sql actions`)",
    "suspicious time zone": "undo the load, and import again with the --tz of the exchange",
}


class Thresholds(NamedTuple):
    """From where on something is a finding.

    ``stale_bars``: so many bars in a row with the same five values. ``outlier_mads``: a price is so
    many scaled median absolute deviations away from the median of the five before and the five
    behind; Iglewicz and Hoaglin (1993) take 3.5, for data whose tails are thinner than those of
    prices. ``tick``: the step of prices; without it, the decimals that 99 % of the bars fit into.
    """

    stale_bars: int = 5
    outlier_mads: float = 20.0
    tick: float | None = None


_USUAL = Thresholds()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a series.

    ``kind`` is a key of ``REMEDIES``. It is about so many ``bars``, of which ``rows`` has the first
    twenty; ``detail`` says what was measured.
    """

    kind: str
    symbol: str
    timeframe: str
    bars: int
    detail: str
    remedy: str
    rows: list[Bar]


def audit_bars(
    db: Database,
    symbol: str | Sequence[str] | None = None,
    timeframe: str | Sequence[str] | None = None,
    thresholds: Thresholds = _USUAL,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Finding]:
    """What is wrong with the bars of all series, or of some, by series.

    ``duplicate sessions``: a bar starts before the interval of the one before has ended, or, from
    ``1D`` up, has its five values, which no two sessions share. ``stale runs`` and ``outliers``:
    see :class:`Thresholds`; a price that stays where it has jumped is no outlier. ``zero volume``:
    of a series that has volumes. ``prices off tick``. ``mixed adjustments``: where one load follows
    another, the price changes by the ratio of a split. ``suspicious time zone``: more than 2 % of
    the sessions (5 % of the bars within the day) are on weekends, of an exchange that is not open
    on all days alike. Dates that are one day early turn a fifth of a year into Sundays.

    All series are read in one state, each once, in bounded memory. ``progress`` is called with the
    number of bars so far.

    Raises:
        BarsError: a threshold makes no sense, or there is no such series.
    """
    if thresholds.stale_bars < 2 or thresholds.outlier_mads <= 0 or (thresholds.tick or 1) <= 0:
        raise BarsError(f"{thresholds}: two stale bars at least, and numbers above 0")
    symbols = [symbol] if isinstance(symbol, str) else symbol
    texts = [timeframe] if isinstance(timeframe, str) else timeframe
    frames = None if texts is None else [str(parse_timeframe(text)) for text in texts]
    done = 0
    with db.read_transaction() as tx:
        ids = matching_series(tx, symbols, frames)
        if not ids and (symbols or frames):
            raise BarsError("there is no such series: `jutsu-sql series` lists them")
        for series, series_id in ids.items():
            audit = _SeriesAudit(series, thresholds)
            whole = (datetime_from_us(us) for us in (MIN_US, MAX_US))
            for window, judged in _windows(
                scan_series(tx, {series: series_id}, *whole),
                max(_NEIGHBOURS, thresholds.stale_bars),
            ):
                audit.look(window, judged)
                done += judged.stop - judged.start
                if progress is not None:
                    progress(done)
            yield from audit.findings()
            yield from _mixed_adjustments(tx, series, series_id)


def _windows(blocks: Iterable[Bars], context: int) -> Iterator[tuple[Bars, slice]]:
    """Each bar once in the slice to judge, with so many bars on both sides if there are."""
    window, start = Bars.empty(), 0
    for block in blocks:
        window = Bars.concat([window, block])
        stop = max(len(window) - context, start)
        yield window, slice(start, stop)
        first = max(stop - context, 0)
        window, start = window[first:], stop - first
    yield window, slice(start, len(window))


@dataclass(slots=True)
class _Tally:
    """So many bars, and the first of them."""

    bars: int = 0
    rows: list[Bar] = field(default_factory=list)

    def add(self, window: Bars, mask: _Mask) -> None:
        self.bars += int(mask.sum())
        self.rows += window[np.flatnonzero(mask)[: _SHOWN_ROWS - len(self.rows)]]

    def join(self, other: _Tally) -> None:
        self.bars += other.bars
        self.rows = sorted([*self.rows, *other.rows], key=lambda bar: bar.ts)[:_SHOWN_ROWS]


class _SeriesAudit:
    """The checks of one series, over its windows."""

    def __init__(self, series: Series, thresholds: Thresholds) -> None:
        self._series, self._thresholds = series, thresholds
        self._frame = parse_timeframe(series.timeframe)
        self._bars = 0
        self._found = {kind: _Tally() for kind in REMEDIES}
        self._by_decimals = [_Tally() for _ in range(_MOST_DECIMALS + 2)]
        self._weekdays = np.zeros(7, dtype=np.int64)

    def look(self, window: Bars, judged: slice) -> None:
        """Look at the bars of a window that are to be judged."""
        stale = _in_runs(_repeats(window), self._thresholds.stale_bars)
        weekday = (window.ts.view(np.int64) // DAY_US + 3) % 7  # 1970-01-01 was a Thursday
        masks = {
            "stale runs": stale,
            "duplicate sessions": _doubled(window, self._frame) & ~stale,
            "outliers": _outliers(window, self._thresholds.outlier_mads),
            "zero volume": window.volume == 0,
            "suspicious time zone": weekday >= 5,
        }
        if self._thresholds.tick is not None:
            masks["prices off tick"] = _off_tick(window, self._thresholds.tick)
        part = window[judged]
        for kind, mask in masks.items():
            self._found[kind].add(part, mask[judged])
        if self._thresholds.tick is None:
            decimals = _decimals(part)
            for number in np.unique(decimals).tolist():
                self._by_decimals[number].add(part, decimals == number)
        self._weekdays += np.bincount(weekday[judged], minlength=7)
        self._bars += len(part)

    def findings(self) -> Iterator[Finding]:
        """What was found."""
        found, thresholds = self._found, self._thresholds
        details = {
            "duplicate sessions": f"bars that share one {self._frame} interval or all values",
            "stale runs": f"the same five values {thresholds.stale_bars} bars in a row or more",
            "outliers": f"a price {thresholds.outlier_mads:g} MADs off its neighbours or more",
            "prices off tick": f"prices that are no multiple of {thresholds.tick}",
        }
        if found["zero volume"].bars < self._bars:
            details["zero volume"] = f"{found['zero volume'].bars / self._bars:.1%} of the bars"
        if (decimals := self._usual_decimals()) is not None:
            for tally in self._by_decimals[decimals + 1 :]:
                found["prices off tick"].join(tally)
            details["prices off tick"] = f"{_TICK_SHARE:.0%} of the bars have {decimals} decimals"
        if detail := self._weekend_detail():
            details["suspicious time zone"] = detail
        for kind, detail in details.items():
            if found[kind].bars:
                yield _finding(kind, self._series, found[kind], detail)

    def _usual_decimals(self) -> int | None:
        """The decimals that prices are quoted with; None if they have no step."""
        counts = np.cumsum([tally.bars for tally in self._by_decimals])
        usual = int(np.searchsorted(counts, _TICK_SHARE * self._bars))
        return usual if counts[-1] and usual <= _MOST_DECIMALS else None

    def _weekend_detail(self) -> str | None:
        if self._bars < _FEWEST_BARS or self._frame.length_us > DAY_US:
            return None
        shares = self._weekdays / self._bars
        daily = self._frame.is_session
        limit = _WEEKEND_SHARE_DAILY if daily else _WEEKEND_SHARE_INTRADAY
        if shares[5:].sum() <= limit or shares.min() >= _EVEN_SHARE:
            return None
        days = zip(_WEEKDAYS, shares, strict=True)
        return "weekends where others close: " + ", ".join(f"{s:.1%} {day}" for day, s in days)


def _repeats(window: Bars) -> _Mask:
    """For each bar, whether it has the five values of the one before."""
    same = np.zeros(len(window), dtype=np.bool_)
    same[1:] = True
    for name in VALUES:
        column = getattr(window, name)
        same[1:] &= column[1:] == column[:-1]
    return same


def _in_runs(same: _Mask, fewest: int) -> _Mask:
    """Whether each bar is in a run of so many that are the same as the one before."""
    run = np.cumsum(~same)
    is_long: _Mask = np.bincount(run)[run] >= fewest
    return is_long


def _doubled(window: Bars, frame: Timeframe) -> _Mask:
    """Whether a bar and one beside it are of one interval, or one session under two dates."""
    us = window.ts.view(np.int64)
    with_before = np.zeros(len(us), dtype=np.bool_)
    with_before[1:] = us[1:] < interval_end(us[:-1], frame)
    if frame.is_session:
        # Of sessions without trade or movement many are alike.
        with_before |= _repeats(window) & (window.volume > 0) & (window.high > window.low)
    doubled = with_before.copy()
    doubled[:-1] |= with_before[1:]
    return doubled


def _outliers(window: Bars, mads: float) -> _Mask:
    """Prices far off the median of their neighbours, which a lasting change of level moves too."""
    far = np.zeros(len(window), dtype=np.bool_)
    width = 2 * _NEIGHBOURS + 1
    if len(window) < width:
        return far
    around = np.delete(np.arange(width), _NEIGHBOURS)
    # Where nothing moves, a single step of the price is no outlier.
    moves = abs(np.diff(window.close))
    usual_move = np.median(moves[moves > 0]) if (moves > 0).any() else np.inf
    for name in PRICES:
        price = getattr(window, name)
        near = np.lib.stride_tricks.sliding_window_view(price, width)[:, around]
        middle = np.median(near, axis=1)
        spread = np.median(abs(near - middle[:, None]), axis=1)
        limit = mads * _MAD_SCALE * np.maximum(spread, usual_move)
        inner = slice(_NEIGHBOURS, len(price) - _NEIGHBOURS)
        far[inner] |= abs(price[inner] - middle) > limit
    return far


def _off_tick(window: Bars, tick: float) -> _Mask:
    """Whether a price is no multiple of ``tick``, but for what doubles cannot say."""
    off = np.zeros(len(window), dtype=np.bool_)
    for name in PRICES:
        steps = getattr(window, name) / tick
        off |= abs(steps - np.round(steps)) > 1e-9 * np.maximum(abs(steps), 1)
    return off


def _decimals(bars: Bars) -> npt.NDArray[np.int64]:
    """How many decimals the prices of each bar need: one more than the most if more."""
    prices = np.stack([getattr(bars, name) for name in PRICES], axis=1)
    decimals = np.full(len(bars), _MOST_DECIMALS + 1)
    for number in range(_MOST_DECIMALS, -1, -1):
        decimals[(np.round(prices, number) == prices).all(axis=1)] = number
    return decimals


def _mixed_adjustments(tx: Connection, series: Series, series_id: int) -> Iterator[Finding]:
    """Where a load begins, a change of prices by a split's ratio that is not a recorded split."""
    now = datetime_from_us(MAX_US)
    splits = [
        (action.ex_date, action.value)
        for action in tx.run("actions.list", symbol=series.symbol, as_of=now)
        if action.kind == "split"
    ]
    tally, details = _Tally(), []
    for row in tx.run("audit.shifts", series_id=series_id):
        change = row.open / row.close_before
        ratio = _nearest_split(change)
        is_recorded = any(
            abs(row.ts - day) <= _NEAR_SPLIT and abs(change * value - 1) <= _SPLIT_TOLERANCE
            for day, value in splits
        )
        if ratio is None or is_recorded:
            continue
        bar = Bars.of_one(
            series, tx.run("bars.read", series_id=series_id, start=row.ts, end=row.ts)
        )
        tally.add(bar, np.ones(1, dtype=np.bool_))
        details.append(
            f"from load {row.load_before} to load {row.load_id} prices change {ratio}"
            f" ({row.close_before:g} to {row.open:g})"
        )
    if details:
        yield _finding("mixed adjustments", series, tally, details[0])


def _nearest_split(change: float) -> str | None:
    """What a change of prices looks like, as ``x 2`` or ``/ 10``; None if like no split."""
    if change <= 0:
        return None
    factor = max(change, 1 / change)
    near = _SPLITS[np.argmin(abs(_SPLITS - factor))]
    if abs(factor / near - 1) > _SPLIT_TOLERANCE:
        return None
    return f"x {near:g}" if change > 1 else f"/ {near:g}"


def _finding(kind: str, series: Series, tally: _Tally, detail: str) -> Finding:
    return Finding(kind, *series, tally.bars, detail, REMEDIES[kind], tally.rows)
