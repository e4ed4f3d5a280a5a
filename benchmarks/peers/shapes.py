"""Columns as what the peers take, as their users would convert them."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.peers.peer import Columns

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
