"""Which bars of some series are absent, and why: a byte for each that may be there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jutsu_sql.instants import Micros
from jutsu_sql.store.grid import Grid, Numbers

REASONS = ("never fetched", "empty", "rejected", "deleted")
NEVER, EMPTY, REJECTED, DELETED, STORED = range(5)


class Runs(NamedTuple):
    """Absent bars in a row, by series and time, each with one reason: numbers of the grid."""

    places: Numbers
    firsts: Numbers
    ends: Numbers
    reasons: Numbers


class Absences:
    """The bars of series on one grid, of each from a number up to, and without, another one.

    A series is its place among those.
    """

    def __init__(self, grid: Grid, lows: Numbers, highs: Numbers) -> None:
        self._grid, self._lows, self._highs = grid, lows, highs
        # Where the bars of each series begin on one axis, and behind them, where it ends.
        self._offsets = np.concatenate([[0], np.cumsum(highs - lows)])
        self._states = np.full(self._offsets[-1], NEVER, dtype=np.uint8)

    def store(self, places: Numbers, numbers: Numbers) -> None:
        """Bars that are there."""
        self._states[self._offsets[places] + numbers - self._lows[places]] = STORED

    def claim(self, places: Numbers, starts: Micros, ends: Micros) -> None:
        """What was asked for: whatever is absent there was not to be had."""
        edges = [self._within(places, self._grid.number_of(us)) for us in (starts, ends)]
        size = len(self._states)
        opened, closed = (np.bincount(each, minlength=size + 1) for each in edges)
        is_claimed = np.cumsum(opened - closed)[:size] > 0
        self._states[is_claimed & (self._states == NEVER)] = EMPTY

    def label(self, places: Numbers, us: Micros, reason: int) -> None:
        """Say of bars that start at some times why they are absent, if they are."""
        numbers, is_expected = self._grid.find(us)
        known = is_expected & (numbers >= self._lows[places]) & (numbers < self._highs[places])
        at = self._within(places[known], numbers[known])
        self._states[at[self._states[at] != STORED]] = reason

    def counts(self) -> Numbers:
        """How many bars of each series there are by state, ``NEVER`` to ``STORED``."""
        states = STORED + 1
        places = np.repeat(np.arange(len(self._lows)), self._highs - self._lows)
        cells = np.bincount(places * states + self._states, minlength=states * len(self._lows))
        return cells.reshape(-1, states)

    def runs(self) -> Runs:
        """The absent bars in rows of one reason."""
        is_first = np.ones(len(self._states), dtype=np.bool_)
        is_first[1:] = self._states[1:] != self._states[:-1]
        is_first[self._offsets[:-1][self._lows < self._highs]] = True
        firsts = np.flatnonzero(is_first)
        ends = np.append(firsts[1:], len(self._states))
        is_absent = self._states[firsts] != STORED
        firsts, ends = firsts[is_absent], ends[is_absent]
        places = np.searchsorted(self._offsets, firsts, side="right") - 1
        back = self._lows[places] - self._offsets[places]
        return Runs(places, firsts + back, ends + back, self._states[firsts])

    def _within(self, places: Numbers, numbers: Numbers) -> npt.NDArray[np.int64]:
        """Where numbers are on the axis; those outside their series, at its nearer end."""
        numbers = np.clip(numbers, self._lows[places], self._highs[places])
        return self._offsets[places] + numbers - self._lows[places]


__all__ = ["DELETED", "EMPTY", "NEVER", "REASONS", "REJECTED", "STORED", "Absences", "Runs"]
