"""What the rows of a file say of themselves: their timeframe, their order, and what is odd."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from jutsu_sql.bars import Bars
from jutsu_sql.calendars import weekday
from jutsu_sql.errors import BarsError
from jutsu_sql.instants import DAY_US, SECOND_US, Micros
from jutsu_sql.timeframe import Timeframe, parse_timeframe

_HOUR_US = 3600 * SECOND_US
_TELLING_ROWS = 10
# A gap that is shorter than the usual one in more cases than this is no slip.
_SLIP_SHARE = 0.02
_JUMP = 0.4
_BLOCK_ROWS = 2**17
_ODD_VALUES = (
    "flat: open, high, low and close are one",
    "with a price of 0",
    "with a price below 0",
    "with a volume of 0",
)


def gaps_of(us: Micros, codes: npt.NDArray[np.int32]) -> Micros:
    """The distances between neighbours in time of one series, without the zeros."""
    if not _is_rising(us, codes):
        order = np.lexsort((us, codes))
        us, codes = us[order], codes[order]
    gaps = np.diff(us)
    is_gap = (gaps != 0) & (codes[1:] == codes[:-1])
    return gaps if is_gap.all() else np.asarray(gaps[is_gap])


def _is_rising(us: Micros, codes: npt.NDArray[np.int32]) -> bool:
    same = codes[1:] == codes[:-1]
    return bool((us[1:] >= us[:-1])[same].all() and (codes[1:] >= codes[:-1]).all())


def timeframe_of_gaps(gaps: Micros) -> Timeframe:
    """The timeframe that rows are apart.

    Raises:
        BarsError: they do not tell.
    """
    if not len(gaps):
        raise BarsError("one row a series tells no timeframe: say --timeframe, as in 1m, 1h, 1D")
    values, counts = np.unique(gaps, return_counts=True)
    usual = int(values[np.argmax(counts)])
    shorter = int(counts[values < usual].sum())
    if usual >= DAY_US - _HOUR_US:
        days = round(float(np.median(gaps)) / DAY_US)
        for least, most, name in ((1, 4, "1D"), (6, 8, "1W"), (28, 31, "1M")):
            # Clocks that are set move midnights by an hour.
            if least <= days <= most and int(values[0]) >= least * DAY_US - _HOUR_US:
                return parse_timeframe(name)
    elif shorter <= _SLIP_SHARE * len(gaps) and usual % SECOND_US == 0 and DAY_US % usual == 0:
        return parse_timeframe(f"{usual // SECOND_US}s")
    raise BarsError(
        f"rows are mostly {_length(usual)} apart, and {shorter} of them {_length(int(values[0]))}"
        " or more: say --timeframe, as in 1m, 1h, 1D"
    )


def require_gaps(gaps: Micros, timeframe: Timeframe, why: str) -> None:
    """Refuse a timeframe that is longer than most rows are apart.

    Raises:
        BarsError: it is.
    """
    length_us = timeframe.length_us - (3 * DAY_US if timeframe.unit == "M" else 0)
    shorter = gaps < length_us - _HOUR_US if timeframe.is_session else gaps < length_us
    if len(gaps) >= _TELLING_ROWS and 2 * shorter.sum() > len(gaps):
        raise BarsError(
            f"rows are mostly {_length(int(np.median(gaps)))} apart, which {timeframe} bars ({why})"
            " cannot be: say --timeframe"
        )


def order_of(us: Micros, codes: npt.NDArray[np.int32]) -> str:
    """In which order the rows of each series stand, in words."""
    same = codes[1:] == codes[:-1]
    rising = int(((us[1:] > us[:-1]) & same).sum())
    falling = int(((us[1:] < us[:-1]) & same).sum())
    if not falling:
        return "ascending"
    if not rising:
        return "descending"
    name, odd = ("ascending", falling) if rising > falling else ("descending", rising)
    return f"{name}, out of order in {odd} places"


def oddities(bars: Bars, timeframe: Timeframe) -> tuple[str, ...]:
    """What is odd about the rows that have values, counted: no reason to refuse any."""
    counts = np.zeros(len(_ODD_VALUES), dtype=np.int64)
    for start in range(0, len(bars), _BLOCK_ROWS):
        counts += _odd_values(bars[start : start + _BLOCK_ROWS])
    notes = [
        "every volume is 0" if "volume" in what and count == len(bars) else _counted(count, what)
        for count, what in zip(counts.tolist(), _ODD_VALUES, strict=True)
    ]
    notes.append(_counted(_jumps(bars), f"close more than {_JUMP:.0%} off the one before"))
    us = bars.ts.view(np.int64)
    is_missing = np.isnat(bars.ts)
    us = us[~is_missing] if is_missing.any() else us
    if timeframe.unit == "D":
        on_weekends = weekday(us.view("M8[us]").astype("M8[D]")) >= 5
        if on_weekends.sum() * 4 < len(us):  # around the clock is no oddity
            notes.append(_counted(int(on_weekends.sum()), "dated Saturday or Sunday"))
    elif not timeframe.is_session:
        notes.append(_counted(_off_grid(us, timeframe), f"off the grid of {timeframe}"))
    return tuple(note for note in notes if note)


def _odd_values(bars: Bars) -> list[int]:
    low = np.minimum(np.minimum(bars.open, bars.close), bars.low)
    is_flat = (bars.open == bars.high) & (bars.high == bars.low) & (bars.low == bars.close)
    flags = (is_flat, low == 0, low < 0, bars.volume == 0)
    return [int(each.sum()) for each in flags]


def _off_grid(us: Micros, timeframe: Timeframe) -> int:
    # Longer bars may begin at a session's start, which moves with the clocks.
    step = min(timeframe.length_us, _HOUR_US)
    phases: Counter[int] = Counter()
    for start in range(0, len(us), _BLOCK_ROWS):
        found, counts = np.unique(us[start : start + _BLOCK_ROWS] % step, return_counts=True)
        phases.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))
    return phases.total() - max(phases.values(), default=0)


def _jumps(bars: Bars) -> int:
    """Moves from one bar to the next, in time, of more than a share that no market makes often."""
    close, code = bars.close, bars.series_index
    us = bars.ts.view(np.int64)
    if not _is_rising(us, code):
        order = np.lexsort((us, code))
        close, code = close[order], code[order]
    count = 0
    for start in range(0, len(close) - 1, _BLOCK_ROWS):
        before, now = slice(start, start + _BLOCK_ROWS), slice(start + 1, start + 1 + _BLOCK_ROWS)
        here, same = close[now], code[now] == code[before][: len(code[now])]
        with np.errstate(all="ignore"):
            moves = np.abs(here / close[before][: len(here)] - 1)
        count += int((same & (moves > _JUMP) & np.isfinite(moves)).sum())
    return count


def _counted(count: int, what: str) -> str:
    return f"{count} {'bar' if count == 1 else 'bars'} {what}" if count else ""


def _length(us: int) -> str:
    for unit_us, unit in ((DAY_US, "d"), (_HOUR_US, "h"), (60 * SECOND_US, "min")):
        if us % unit_us == 0:
            return f"{us // unit_us} {unit}"
    return f"{us / SECOND_US:g} s"


__all__ = ["gaps_of", "oddities", "order_of", "require_gaps", "timeframe_of_gaps"]
