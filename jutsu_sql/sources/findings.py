"""What the rows of a file say of themselves: their timeframe, their order, and what is odd."""

from __future__ import annotations

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
_SHOWN_ROWS = 3


def gaps_of(us: Micros, codes: npt.NDArray[np.int32]) -> Micros:
    """The distances between neighbours in time of one series, without the zeros."""
    same = codes[1:] == codes[:-1]
    gaps = np.diff(us)
    if (gaps[same] < 0).any() or not same.all():
        order = np.lexsort((us, codes))
        us, codes = us[order], codes[order]
        gaps, same = np.diff(us), codes[1:] == codes[:-1]
    gaps = gaps[same]
    return np.asarray(gaps[gaps != 0])


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
    gaps = np.diff(us)[codes[1:] == codes[:-1]]
    rising, falling = int((gaps > 0).sum()), int((gaps < 0).sum())
    if not falling:
        return "ascending"
    if not rising:
        return "descending"
    name, odd = ("ascending", falling) if rising > falling else ("descending", rising)
    return f"{name}, out of order in {odd} places"


def oddities(bars: Bars, timeframe: Timeframe) -> tuple[str, ...]:
    """What is odd about the rows that have values, counted: no reason to refuse any."""
    us = bars.ts.view(np.int64)
    has_time = us != np.iinfo(np.int64).min
    is_flat = (bars.open == bars.high) & (bars.high == bars.low) & (bars.low == bars.close)
    low = np.minimum(np.minimum(bars.open, bars.close), bars.low)
    notes = [
        _counted(int(is_flat.sum()), "flat: open, high, low and close are one"),
        _counted(int((low == 0).sum()), "with a price of 0"),
        _counted(int((low < 0).sum()), "with a price below 0"),
    ]
    empty = int((bars.volume == 0).sum())
    if empty == len(bars):
        notes.append("every volume is 0")
    else:
        notes.append(_counted(empty, "with a volume of 0"))
    notes.append(_counted(_jumps(bars), f"close more than {_JUMP:.0%} off the one before"))
    if timeframe.unit == "D":
        on_weekends = weekday(us[has_time].view("M8[us]").astype("M8[D]")) >= 5
        if not on_weekends.sum() * 7 >= len(on_weekends):  # around the clock is no oddity
            notes.append(_counted(int(on_weekends.sum()), "dated Saturday or Sunday"))
    elif not timeframe.is_session:
        notes.append(_counted(_off_grid(us[has_time], timeframe), f"off the grid of {timeframe}"))
    return tuple(note for note in notes if note)


def _off_grid(us: Micros, timeframe: Timeframe) -> int:
    # Longer bars may begin at a session's start, which moves with the clocks.
    step = min(timeframe.length_us, _HOUR_US)
    phases, counts = np.unique(us % step, return_counts=True)
    return int(counts.sum() - counts.max()) if len(phases) else 0


def _jumps(bars: Bars) -> int:
    order = np.lexsort((bars.ts, bars.series_index))
    close, code = bars.close[order], bars.series_index[order]
    with np.errstate(all="ignore"):
        moves = np.abs(close[1:] / close[:-1] - 1)
    return int(((moves > _JUMP) & np.isfinite(moves) & (code[1:] == code[:-1])).sum())


def _counted(count: int, what: str) -> str:
    return f"{count} {'bar' if count == 1 else 'bars'} {what}" if count else ""


def _length(us: int) -> str:
    for unit_us, unit in ((DAY_US, "d"), (_HOUR_US, "h"), (60 * SECOND_US, "min")):
        if us % unit_us == 0:
            return f"{us // unit_us} {unit}"
    return f"{us / SECOND_US:g} s"


__all__ = ["gaps_of", "oddities", "order_of", "require_gaps", "timeframe_of_gaps"]
