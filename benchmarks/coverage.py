"""Print how long the coverage of a year of 5,000 daily series takes, which is to be 1 s at most.

``python coverage.py URL``. 1.25 M bars, of which one in 500 is missing, so that half of the series
have a hole; each is explained. The reference counts the bars of each series.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import date

import numpy as np

from jutsu_sql import Bars
from jutsu_sql.bars import Series
from jutsu_sql.bench import Scale, open_space
from jutsu_sql.calendars import open_calendar
from jutsu_sql.config import load_config

_SERIES = 5_000
_YEAR = date(2023, 1, 1), date(2023, 12, 31)
_ROUNDS = 5


def _year_of_bars() -> tuple[Bars, int]:
    """The bars, and how many are missing."""
    days = open_calendar("XNYS").sessions().days
    days = days[(days >= np.datetime64(_YEAR[0])) & (days <= np.datetime64(_YEAR[1]))]
    is_stored = np.random.default_rng(0).random((_SERIES, len(days))) > 1 / 500
    index, day = np.nonzero(is_stored)
    ones = np.ones(len(index))
    series = tuple(Series(f"S{code:04d}", "1D") for code in range(_SERIES))
    ts = days[day].astype("M8[us]")
    bars = Bars(series, index.astype(np.int32), ts, ones, ones, ones, ones, ones)
    return bars, is_stored.size - len(index)


def _best_s(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def main(url: str) -> None:
    with open_space(load_config(url), Scale.of("full")) as space:
        bars, missing = _year_of_bars()
        store = space.store
        store.write(bars, source="bench", calendar="XNYS", asked=(_YEAR[0], date(2023, 7, 1)))
        found = store.coverage(None, "1D", *_YEAR).series
        if sum(each.never_fetched + each.empty for each in found) != missing:
            raise SystemExit(f"not just the {missing:,} bars are missing that are")
        count_s = _best_s(store.series)
        coverage_s = _best_s(lambda: store.coverage(None, "1D", *_YEAR))
        print(f"count {count_s:.2f} s, coverage {coverage_s:.2f} s ({coverage_s / count_s:.1f}x)")


if __name__ == "__main__":
    main(sys.argv[1])
