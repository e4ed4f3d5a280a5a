"""As-of joins: what a slow series had shown at each bar of a fast one, and nothing later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from jutsu_sql.bars import VALUES, Bars, Series
from jutsu_sql.database import Database
from jutsu_sql.instants import DAY_US, MAX_US, MIN_US, datetime_from_us
from jutsu_sql.store.loads import find_series
from jutsu_sql.store.read import bounds
from jutsu_sql.timeframe import known_from, parse_timeframe

if TYPE_CHECKING:
    import pandas as pd

# A session may close this long before or after the midnight in UTC that ends its date.
_ZONE_MARGIN_US = 2 * DAY_US


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AsOfJoin:
    """Each bar of ``fast`` beside the last bar of ``slow`` that was complete by then.

    ``known_at`` (``datetime64[us]``, UTC, one a bar of ``fast``) is when that bar is known, and so
    the moment that the row speaks of: acting on it earlier is look-ahead. ``row`` (int64) is the
    row of ``slow``, -1 where none was complete. ``slow`` has just the bars from the first to
    the last that a row speaks of.
    """

    fast: Bars
    slow: Bars
    known_at: npt.NDArray[np.datetime64]
    row: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.fast)

    def __repr__(self) -> str:
        return f"<AsOfJoin {self.fast!r} with {self.slow!r}>"

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """A column of ``slow``, one value a bar of ``fast``: NaN (for ``ts``: NaT) without one."""
        column = getattr(self.slow, name)
        missing = np.datetime64("NaT", "us") if name == "ts" else np.nan
        joined = np.full(len(self), missing, dtype=column.dtype)
        has_slow = self.row >= 0
        joined[has_slow] = column[self.row[has_slow]]
        return joined

    def to_pandas(self) -> pd.DataFrame:
        """The columns of ``fast``, then ``known_at`` and ``slow_ts``, ``slow_open``, ..."""
        import pandas as pd

        frame = self.fast.to_pandas()
        frame["known_at"] = pd.DatetimeIndex(self.known_at).tz_localize("UTC")
        frame["slow_ts"] = pd.DatetimeIndex(self["ts"]).tz_localize("UTC")
        for name in VALUES:
            frame[f"slow_{name}"] = self[name]
        return frame


def join_as_of(
    db: Database,
    fast: tuple[str, str],
    slow: tuple[str, str],
    start: Any,
    end: Any,
    *,
    tz: str | None,
    close: str | time | None,
) -> AsOfJoin:
    """See :meth:`jutsu_sql.BarStore.join_as_of`."""
    fast_frame, slow_frame = parse_timeframe(fast[1]), parse_timeframe(slow[1])
    names = Series(fast[0], str(fast_frame)), Series(slow[0], str(slow_frame))
    span = bounds(start, end)
    with db.read_transaction() as tx:
        ids = find_series(tx, names)
        quick = slow_bars = Bars.empty()
        if names[0] in ids:
            quick = Bars.of_one(names[0], tx.run("bars.read", series_id=ids[names[0]], **span))
        known_us = known_from(quick.ts.view(np.int64), fast_frame, tz, close)
        if names[1] in ids and len(quick):
            # Whatever starts before this is complete at the first bar; of that, the last will do.
            first_us = known_us[0].item() - slow_frame.length_us - _ZONE_MARGIN_US
            span = {
                "start": datetime_from_us(max(first_us, MIN_US)),
                "end": datetime_from_us(min(known_us[-1].item(), MAX_US)),
            }
            columns = tx.run("bars.read_warm", series_id=ids[names[1]], n=1, **span)
            slow_bars = Bars.of_one(names[1], columns)
    complete_us = known_from(slow_bars.ts.view(np.int64), slow_frame, tz, close)
    row = np.searchsorted(complete_us, known_us, "right") - 1
    if len(row):
        # Nothing but what a row speaks of: no bar that is not complete yet.
        unused = max(row[0].item(), 0)
        slow_bars = slow_bars[unused : row[-1].item() + 1]
        row = np.maximum(row - unused, -1)
    return AsOfJoin(quick, slow_bars, known_us.view("M8[us]"), row)
