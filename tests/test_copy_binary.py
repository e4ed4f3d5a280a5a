"""The wire format against the server itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jutsu_sql import copy_binary

# By NumPy type: PostgreSQL's name for it, and the OID of its array.
TYPES = {
    np.dtype("?"): ("bool", 1000),
    np.dtype("i2"): ("int2", 1005),
    np.dtype("i4"): ("int4", 1007),
    np.dtype("i8"): ("int8", 1016),
    np.dtype("f4"): ("float4", 1021),
    np.dtype("f8"): ("float8", 1022),
    np.dtype("M8[us]"): ("timestamptz", 1185),
}
# What both NumPy and PostgreSQL can hold: 4713 BC is PostgreSQL's first year.
INSTANTS = st.integers(-(2**57), 2**60).map(lambda us: np.datetime64(us, "us"))


@st.composite
def tables(draw: st.DrawFn) -> dict[str, np.ndarray[Any, Any]]:
    rows = draw(st.integers(0, 20))
    kinds = draw(st.lists(st.sampled_from(list(TYPES)), min_size=1, max_size=6))
    return {
        f"c{i}": draw(hnp.arrays(kind, rows, elements=INSTANTS if kind.kind == "M" else None))
        for i, kind in enumerate(kinds)
    }


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(columns=tables(), cuts=st.integers(1, 7))
def test_the_server_reads_and_gives_back_every_value(
    postgres_url: str, columns: dict[str, np.ndarray[Any, Any]], cuts: int
) -> None:
    rows = len(columns["c0"])
    blocks = [
        [column[start : start + cuts] for column in columns.values()]
        for start in range(0, rows, cuts)
    ]
    declared = ", ".join(f"{name} {TYPES[column.dtype][0]}" for name, column in columns.items())
    with psycopg.connect(postgres_url) as connection:
        connection.execute(f"CREATE TEMP TABLE t (n int GENERATED ALWAYS AS IDENTITY, {declared})")
        copy_text = f"COPY t ({', '.join(columns)}) FROM STDIN (FORMAT binary)"
        with connection.cursor().copy(copy_text) as copy:
            for data in copy_binary.encode(blocks):
                copy.write(data)
        picked = ", ".join(f"array_agg({name} ORDER BY n)" for name in columns)
        cursor = connection.execute(f"SELECT {picked} FROM t", binary=True)
        assert cursor.pgresult is not None
        for position, column in enumerate(columns.values()):
            data = cursor.pgresult.get_value(0, position)
            oid = TYPES[column.dtype][1]
            got = copy_binary.decode_array(data, oid) if data else copy_binary.empty_array(oid)
            assert got.dtype == column.dtype
            assert got.tobytes() == column.tobytes()


def test_a_type_without_a_fixed_width_is_refused() -> None:
    with pytest.raises(TypeError, match="column 0: object has no fixed width"):
        list(copy_binary.encode([[np.array(["x"], dtype=object)]]))


def test_nulls_and_two_dimensions_are_refused(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        cursor = connection.execute(
            "SELECT ARRAY[1.5, NULL]::float8[], ARRAY[[1], [2]]::float8[], '{}'::float8[]",
            binary=True,
        )
        assert cursor.pgresult is not None
        with_null, nested, empty = (cursor.pgresult.get_value(0, i) for i in range(3))
    assert with_null is not None
    assert nested is not None
    assert empty is not None
    for data in (with_null, nested):
        with pytest.raises(ValueError, match="NULLs or several dimensions"):
            copy_binary.decode_array(data, 1022)
    assert copy_binary.decode_array(empty, 1022).tolist() == []
