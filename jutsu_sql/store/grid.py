"""The bars that a series may have, numbered without holes: of dates, or of stretches of time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from jutsu_sql.instants import Micros
from jutsu_sql.timeframe import Timeframe, interval_end

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Grid:
    """Stretches in the order of time, ``counts[i]`` bars from ``starts[i]`` on, in a row.

    From ``1D`` up a stretch is one bar. The bars below the number ``due`` are over.
    """

    frame: Timeframe
    starts: Micros
    counts: Numbers
    due: int

    @cached_property
    def firsts(self) -> Numbers:
        """The number of the first bar of each stretch, and behind them that of all bars."""
        return np.concatenate([[0], np.cumsum(self.counts)])

    def number_of(self, us: Micros) -> Numbers:
        """The number of the first bar that starts at or after each moment."""
        return self.find(us)[0]

    def find(self, us: Micros) -> tuple[Numbers, npt.NDArray[np.bool_]]:
        """The number of each moment, as :meth:`number_of`, and whether a bar starts right there."""
        at = np.searchsorted(self.starts, us, side="right") - 1
        whole, rest = np.divmod(us - self.starts[at], self.frame.length_us)
        inside = np.minimum(whole + (rest > 0), self.counts[at])
        is_start = (at >= 0) & (rest == 0) & (inside == whole) & (whole < self.counts[at])
        return np.where(at < 0, 0, self.firsts[at] + inside), is_start

    def start_of(self, number: Numbers) -> Micros:
        """When bars start."""
        at = np.searchsorted(self.firsts, number, side="right") - 1
        return self.starts[at] + (number - self.firsts[at]) * self.frame.length_us

    def end_of(self, number: Numbers) -> Micros:
        """When bars end: a day at 00:00 UTC of the next, and none behind the start of the next."""
        ends = interval_end(self.start_of(number), self.frame)
        following = np.minimum(number + 1, self.firsts[-1] - 1)
        return np.where(following > number, np.minimum(ends, self.start_of(following)), ends)


def grid_of_dates(frame: Timeframe, starts: Micros, closes: Micros, now_us: int) -> Grid:
    """The sessions of a calendar, or its weeks or months, each with the last moment of it."""
    ones = np.ones(len(starts), dtype=np.int64)
    return Grid(frame, starts, ones, int(np.searchsorted(closes, now_us, side="right")))


def grid_of_hours(
    frame: Timeframe, opens: Micros, closes: Micros, now_us: int, phase_us: int | None = None
) -> Grid:
    """The intervals that a market is open in, from each opening on.

    With ``phase_us`` they start so long after multiples of their length since 1970 instead, as
    with vendors that count hours by the clock: the first and the last may lie partly outside.
    """
    width = frame.length_us
    starts = opens
    if phase_us is not None:
        starts = opens - (opens - phase_us) % width
        # Across a short break, one interval can belong to both sides.
        ends = starts - (starts - closes) // width * width
        starts = np.maximum(starts, np.concatenate([starts[:1], np.maximum.accumulate(ends)[:-1]]))
    counts = np.maximum(-((starts - closes) // width), 0)
    elapsed = np.clip((now_us - starts) // width, 0, counts)
    due = int(np.where(closes <= now_us, counts, elapsed).sum())
    kept = counts > 0
    return Grid(frame, starts[kept], counts[kept], due)


def phase_of(us: Micros, grid: Grid) -> int | None:
    """The phase that bars have, if it fits more of them than a grid from the openings on does."""
    phases, counts = np.unique(us % grid.frame.length_us, return_counts=True)
    _, is_on_grid = grid.find(us)
    return int(phases[counts.argmax()]) if counts.max(initial=0) > is_on_grid.sum() else None


__all__ = ["Grid", "grid_of_dates", "grid_of_hours", "phase_of"]
