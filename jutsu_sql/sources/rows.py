"""The rows of one file, gathered part by part: every one of them, a bad one too.

A value that cannot be read is NaN and a time null, so that the store's own validation refuses and
counts the row, and every refusal can name its line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jutsu_sql.bars import VALUES
from jutsu_sql.interchange import PRICES, Doubles, doubles_of_arrow
from jutsu_sql.sources.numbers import doubles_of_texts, scaled
from jutsu_sql.sources.recognise import Recognised


class _Column:
    """An array that grows in place: joining parts would hold all of them twice."""

    def __init__(self, kind: Any) -> None:
        self._array = np.empty(0, dtype=kind)
        self._rows = 0

    def add(self, part: npt.NDArray[Any]) -> None:
        rows = self._rows + len(part)
        if rows > len(self._array):
            self._array.resize(max(rows, len(self._array) * 3 // 2), refcheck=False)
        self._array[self._rows : rows] = part
        self._rows = rows

    def drop_last(self) -> None:
        self._rows -= 1

    def take(self) -> npt.NDArray[Any]:
        """The array; the column is empty then."""
        array, self._array = self._array, self._array[:0].copy()
        array.resize(self._rows, refcheck=False)
        self._rows = 0
        return array


@dataclass(slots=True)
class Rows:
    """What the columns of a file hold, in its order.

    ``decimal`` is the decimal mark of texts. ``missing_volumes`` counts the rows whose volume is
    written as none, and is 0 here.
    """

    recognised: Recognised
    decimal: str = "."
    count: int = 0
    faults: dict[int, str] = field(default_factory=dict)
    missing_volumes: int = 0
    symbols: dict[str, int] = field(default_factory=dict)
    timeframes: set[str] = field(default_factory=set)
    _lines: _Column = field(default_factory=lambda: _Column(np.int64))
    _codes: _Column = field(default_factory=lambda: _Column(np.int32))
    _values: dict[str, _Column] = field(
        default_factory=lambda: {name: _Column(np.float64) for name in VALUES}
    )
    _times: list[Any] = field(default_factory=list)

    def add(self, columns: dict[str, Any], lines: npt.NDArray[np.int64]) -> None:
        """Some rows: an Arrow array for each field that is there, and where each row stands."""
        for name in VALUES:
            self._values[name].add(self._doubles(name, columns.get(name), len(lines)))
        parts = [columns[name] for name in ("date", "time") if name in columns]
        times = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, " ")
        is_text = pa.types.is_string(times.type)
        self._times.append(pc.ascii_trim_whitespace(times) if is_text else times)
        self._codes.add(self._symbol_codes(columns, len(lines)))
        if "timeframe" in columns:
            known = columns["timeframe"].unique().drop_null()
            self.timeframes.update(map(str, known.to_pylist()))
        self._lines.add(lines)
        self.count += len(lines)

    def add_fault(self, row: int, reason: str) -> None:
        """Say what is wrong with a row, besides what was said before."""
        self.faults[row] = f"{self.faults[row]}; {reason}" if row in self.faults else reason

    def drop_last(self) -> None:
        """Take the last row out again."""
        for column in (self._lines, self._codes, *self._values.values()):
            column.drop_last()
        self._times[-1] = self._times[-1][:-1]
        if not len(self._times[-1]):
            self._times.pop()
        self.count -= 1
        self.faults.pop(self.count, None)

    @property
    def first_time(self) -> Any:
        """What the first row has for a time: a text, or something else."""
        return self._times[0][0].as_py()

    def lines(self) -> npt.NDArray[np.int64]:
        """The line of each row, from 1; they are let go."""
        return self._lines.take()

    def times(self) -> Any:
        """The time of each row as it is written, null where there is none; they are let go."""
        times, self._times = self._times, []
        return pa.chunked_array(times)

    def codes(self) -> npt.NDArray[np.int32]:
        """Which of ``symbols`` each row is of, -1 for none; they are let go."""
        return self._codes.take()

    def values(self) -> dict[str, Doubles]:
        """The prices and volumes; they are let go."""
        return {name: column.take() for name, column in self._values.items()}

    def _doubles(self, name: str, column: Any, rows: int) -> Doubles:
        if column is None:
            return np.zeros(rows)
        shape = self.recognised.shape
        if pa.types.is_string(column.type):
            numbers, faults = doubles_of_texts(column, name, self.decimal, shape.missing)
            for row, reason in faults.items():
                self.add_fault(self.count + row, reason)
            if name == "volume" and shape.missing:
                # A price that is missing is refused; a volume that is missing is 0, and told.
                missing = pc.is_in(pc.ascii_trim_whitespace(column), pa.array(shape.missing))
                none = np.asarray(missing.fill_null(False).to_numpy(zero_copy_only=False))
                numbers[none] = 0.0
                self.missing_volumes += int(none.sum())
        else:
            numbers = np.array(doubles_of_arrow(pa.chunked_array([column]), name))
        if shape.price_exponent and name in PRICES:
            numbers = scaled(numbers, shape.price_exponent)
        return numbers

    def _symbol_codes(self, columns: dict[str, Any], rows: int) -> npt.NDArray[np.int32]:
        column = columns.get("symbol", columns.get("instrument"))
        if column is None:
            return np.full(rows, -1, dtype=np.int32)
        encoded = column.cast(pa.string()).dictionary_encode()
        names: Sequence[str] = encoded.dictionary.to_pylist()
        mapping = [
            self.symbols.setdefault(name, len(self.symbols)) if name.strip() else -1
            for name in names
        ]
        codes = encoded.indices.fill_null(len(mapping)).to_numpy(zero_copy_only=False)
        return np.asarray(np.array([*mapping, -1], dtype=np.int32)[codes])


def one_array(column: Any) -> Any:
    """A column of a table in one piece."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        return array.chunk(0) if array.num_chunks else pa.array([], column.type)
    return array


__all__ = ["Rows", "one_array"]
