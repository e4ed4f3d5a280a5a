"""Columns as what the peers take, and from what they give, as their users would convert them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.peers.peer import Columns
from jutsu_sql.bars import VALUES

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa


def _values(column: npt.NDArray[Any]) -> list[Any]:
    """Python objects; times are aware, because a naive one means local time to most drivers."""
    values: list[Any] = column.tolist()
    return [ts.replace(tzinfo=UTC) for ts in values] if column.dtype.kind == "M" else values


def records(columns: Columns) -> list[tuple[Any, ...]]:
    """A tuple a row."""
    return list(zip(*map(_values, columns.values()), strict=True))


def mappings(columns: Columns) -> list[dict[str, Any]]:
    """A dict a row."""
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in records(columns)]


def arrow_table(columns: Columns) -> pa.Table:
    """An Arrow table on the same memory."""
    import pyarrow as pa

    return pa.table({name: _arrow_array(column) for name, column in columns.items()})


def _arrow_array(column: npt.NDArray[Any]) -> pa.Array:
    import pyarrow as pa

    if column.dtype.kind != "M":
        return pa.array(column)
    return pa.array(column.view(np.int64)).cast(pa.timestamp("us", "UTC"))


def pandas_frame(columns: Columns) -> pd.DataFrame:
    """A pandas data frame with aware times."""
    import pandas as pd

    frame = pd.DataFrame(dict(columns), copy=False)
    if columns["ts"].dtype.kind == "M":
        frame["ts"] = frame["ts"].dt.tz_localize("UTC")
    return frame


def polars_frame(columns: Columns) -> pl.DataFrame:
    """A polars data frame with aware times."""
    import polars as pl

    frame = pl.DataFrame(dict(columns))
    if columns["ts"].dtype.kind == "M":
        frame = frame.with_columns(pl.col("ts").dt.replace_time_zone("UTC"))
    return frame


# What is read, in its order; without the first where it is one series.
_READ = ("series_id", "ts", *VALUES)


def columns_of_rows(rows: Sequence[Sequence[Any]]) -> Columns:
    """From tuples, or what is like them."""
    names = _READ[-len(rows[0]) :]
    return {
        name: _column(name, values)
        for name, values in zip(names, zip(*rows, strict=True), strict=True)
    }


def _column(name: str, values: Sequence[Any]) -> npt.NDArray[Any]:
    if isinstance(values[0], datetime):
        # NumPy takes microseconds for each, and none that is aware. This is exact, and faster.
        return np.rint(np.array([ts.timestamp() for ts in values]) * 1e6).astype(np.int64)
    return np.array(values, float if name in VALUES else np.int64)


def columns_of_arrow(table: pa.Table) -> Columns:
    """From an Arrow table; without a copy where a column is in one piece."""
    return {name: table[name].to_numpy() for name in table.column_names}


def ordered_columns_of_arrow(table: pa.Table) -> Columns:
    """From an Arrow table whose parts come in any order."""
    return columns_of_arrow(table.sort_by([("series_id", "ascending"), ("ts", "ascending")]))


def columns_of_pandas(frame: pd.DataFrame) -> Columns:
    """From a pandas data frame."""
    columns = {name: frame[name].to_numpy() for name in frame.columns if name != "ts"}
    ts = frame["ts"]
    stored = ts.dtype == np.int64
    return {**columns, "ts": ts.to_numpy(np.int64 if stored else "M8[us]")}


def columns_of_polars(frame: pl.DataFrame) -> Columns:
    """From a polars data frame."""
    return {name: frame[name].to_numpy() for name in frame.columns}
