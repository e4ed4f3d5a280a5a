"""Bars of many symbols on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from jutsu_sql.bars import VALUES, Bars
from jutsu_sql.timeframe import parse_timeframe

if TYPE_CHECKING:
    import pandas as pd

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Panel:
    """Bars of ``m`` symbols at one timeframe, aligned on the ``n`` times that any of them has.

    ``ts`` is ``datetime64[us]`` (UTC, rising), of shape (n,). ``open``, ``high``, ``low``,
    ``close`` and ``volume`` are float64 of shape (n, m): a row is a time, a column a symbol.
    ``present``, a boolean (n, m), says where there is a bar; where there is none the values are
    NaN. No bar is made up, and none is carried forward.
    """

    symbols: tuple[str, ...]
    timeframe: str
    ts: npt.NDArray[np.datetime64]
    present: npt.NDArray[np.bool_]
    open: Matrix
    high: Matrix
    low: Matrix
    close: Matrix
    volume: Matrix

    def __len__(self) -> int:
        return len(self.ts)

    def __repr__(self) -> str:
        return f"<Panel {self.timeframe}: {len(self)} times of {len(self.symbols)} symbols>"

    def to_pandas(self) -> pd.DataFrame:
        """A data frame with an index of tz-aware times and columns of (field, symbol).

        ``frame["close"]`` is the closes of all symbols, ``frame["close", "AAPL"]`` those of one.
        """
        import pandas as pd

        index = pd.DatetimeIndex(self.ts, name="ts").tz_localize("UTC")
        fields = {
            name: pd.DataFrame(getattr(self, name), index, list(self.symbols)) for name in VALUES
        }
        frame: pd.DataFrame = pd.concat(fields, axis="columns", names=["field", "symbol"])
        return frame


def align_bars(bars: Bars, symbol: str | Sequence[str], timeframe: str) -> Panel:
    """The panel of bars that were read for these symbols and this timeframe."""
    symbols = [symbol] if isinstance(symbol, str) else symbol
    columns = {symbol: column for column, symbol in enumerate(dict.fromkeys(symbols))}
    mapping = np.array([columns[series.symbol] for series in bars.series], dtype=np.intp)
    ts = np.unique(bars.ts)
    shape = (len(ts), len(columns))
    # One index into the flat matrices: two would be gathered anew for every field.
    cells = np.searchsorted(ts, bars.ts) * len(columns)
    cells += mapping[bars.series_index]
    present = np.zeros(shape, dtype=np.bool_)
    present.ravel()[cells] = True
    fields = {}
    for name in VALUES:
        fields[name] = np.full(shape, np.nan)
        fields[name].ravel()[cells] = getattr(bars, name)
    return Panel(tuple(columns), str(parse_timeframe(timeframe)), ts, present, **fields)
