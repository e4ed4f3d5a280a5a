"""Columns into any table: what is written is read back, on every engine, or nothing is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import polars
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import jutsu_sql
from jutsu_sql import Database
from jutsu_sql.copy_into import CopyReport
from jutsu_sql.errors import ColumnError, IntegrityError, StatementError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def execute(db: Database, text: str) -> list[Any]:
    """Run a statement that no file holds; gives its rows."""
    with db.connection() as connection:
        raw = connection._raw
        cursor = raw.execute(text.encode(), binary=True) if is_postgresql(db) else raw.execute(text)
        return cursor.fetchall() if cursor.description else []


def is_postgresql(db: Database) -> bool:
    return db.config.dialect == "postgresql"


def us(value: Any) -> int:
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    return (value.replace(tzinfo=value.tzinfo or UTC) - EPOCH) // timedelta(microseconds=1)


# Each type: what a table declares, and what is put into it. SQLite has no NaN, and gives times and
# dates back as microseconds and decimals as numbers.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
decimals = st.decimals(-(10**9), 10**9, places=4)
TYPES: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "b": ("boolean", st.booleans()),
    "i2": ("smallint", st.integers(-(2**15), 2**15 - 1)),
    "i4": ("int", st.integers(-(2**31), 2**31 - 1)),
    "i8": ("bigint", st.integers(-(2**63), 2**63 - 1)),
    "f4": ("real", st.floats(width=32, allow_nan=False)),
    "f8": ("double precision", st.floats(allow_nan=False)),
    "n": ("numeric", decimals),
    "np": ("numeric(15, 4)", decimals),
    "s": ("text", texts),
    "vc": ("varchar(40)", texts),
    "by": ("bytea", st.binary(max_size=60)),
    "d": ("date", st.dates()),
    "t": ("timestamp", st.datetimes()),
    "tz": ("timestamptz", st.datetimes(timezones=st.just(UTC))),
}
ARROW = {
    "b": pa.bool_(),
    "i2": pa.int16(),
    "i4": pa.int32(),
    "i8": pa.int64(),
    "f4": pa.float32(),
    "f8": pa.float64(),
    "n": pa.decimal128(38, 4),
    "np": pa.decimal128(15, 4),
    "s": pa.string_view(),
    "vc": pa.dictionary(pa.int32(), pa.string()),
    "by": pa.binary(),
    "d": pa.date32(),
    "t": pa.timestamp("us"),
    "tz": pa.timestamp("us", "Asia/Tokyo"),
}


def make_table(db: Database) -> None:
    fields = ", ".join(f"{name} {declared}" for name, (declared, _) in TYPES.items())
    execute(db, "DROP TABLE IF EXISTS things")
    execute(db, f"CREATE TABLE things (k bigint PRIMARY KEY, {fields})")


def as_stored(db: Database, value: Any) -> Any:
    if value is None or is_postgresql(db):
        return value
    if isinstance(value, date):
        return us(value)
    return float(value) if isinstance(value, Decimal) else value


rows_of_things = st.lists(
    st.fixed_dictionaries({name: values | st.none() for name, (_, values) in TYPES.items()}),
    max_size=12,
)
on_each_database = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@on_each_database
@given(rows=rows_of_things, use_arrow=st.booleans())
def test_what_is_written_is_read(db: Database, rows: list[dict[str, Any]], use_arrow: bool) -> None:
    make_table(db)
    columns: Any = {name: [row[name] for row in rows] for name in TYPES}
    columns["k"] = list(range(len(rows)))
    if use_arrow:
        types = {**ARROW, "k": pa.uint8()}
        columns = pa.table({n: pa.array(v, types[n]) for n, v in columns.items()})
    assert db.copy_into("things", columns) == CopyReport(len(rows), len(rows), 0, 0)
    got = execute(db, f"SELECT {', '.join(TYPES)} FROM things ORDER BY k")
    assert got == [tuple(as_stored(db, row[name]) for name in TYPES) for row in rows]
    if not is_postgresql(db):
        assert execute(db, "PRAGMA integrity_check") == [("ok",)]


@on_each_database
@given(
    texts=st.lists(st.tuples(st.integers(0, 40_000), st.booleans()), min_size=1, max_size=40),
    repeat=st.integers(1, 300),
)
def test_rows_of_any_width_and_number(
    db: Database, texts: list[tuple[int, bool]], repeat: int
) -> None:
    execute(db, "DROP TABLE IF EXISTS wide")
    execute(db, "CREATE TABLE wide (k bigint PRIMARY KEY, s text, f double precision, b bytea)")
    short = [(length % 50, there) for length, there in texts] * repeat
    values = [("é" * length if there else None) for length, there in [*texts, *short]]
    rows = len(values)
    numbers = np.ma.masked_array(np.arange(rows) / 3, mask=np.arange(rows) % 7 == 0)
    blobs = [None if v is None else v.encode() for v in values]
    db.copy_into("wide", {"k": np.arange(rows), "f": numbers, "s": values, "b": blobs})
    got = execute(db, "SELECT s, f, b FROM wide ORDER BY k")
    assert got == list(zip(values, numbers.tolist(), blobs, strict=True))


@on_each_database
@given(
    batches=st.lists(
        st.tuples(
            st.sampled_from(["error", "ignore", "update"]),
            st.dictionaries(
                st.tuples(st.integers(0, 5), st.sampled_from(["", "a", "é"])),
                st.tuples(st.sampled_from([None, 0.0, 1.5]), st.sampled_from([None, "", "x"])),
                max_size=12,
            ),
        ),
        max_size=5,
    )
)
def test_conflicts_as_in_a_dict(db: Database, batches: list[tuple[Any, dict[Any, Any]]]) -> None:
    execute(db, "DROP TABLE IF EXISTS model")
    execute(db, "CREATE TABLE model (v double precision, b text, a int, w text, UNIQUE (a, b))")
    model: dict[Any, Any] = {}
    for mode, batch in batches:
        columns = {
            "w": [w for _, w in batch.values()],
            "a": np.array([a for a, _ in batch], dtype=np.int64),
            "b": [b for _, b in batch],
            "v": [v for v, _ in batch.values()],
        }
        known = batch.keys() & model.keys()
        same = sum(model[key] == batch[key] for key in known)
        new = len(batch) - len(known)
        if mode == "error":
            if known:
                with pytest.raises(IntegrityError):
                    db.copy_into("model", columns)
                continue
            report = db.copy_into("model", columns)
            expected = (new, 0, 0)
            model |= batch
        elif mode == "ignore":
            report = db.copy_into("model", columns, on_conflict="ignore", keys=["a", "b"])
            expected = (new, 0, len(known))
            model = batch | model
        else:
            report = db.copy_into("model", columns, on_conflict="update", keys=["b", "a"])
            expected = (new, len(known) - same, same)
            model |= batch
        assert report == CopyReport(len(batch), *expected)
        got = {(a, b): (v, w) for a, b, v, w in execute(db, "SELECT a, b, v, w FROM model")}
        assert got == model


def test_nothing_but_keys(db: Database) -> None:
    execute(db, "CREATE TABLE k (a int, b text, PRIMARY KEY (b, a))")
    columns = {"a": [1, 2], "b": ["x", "y"]}
    assert db.copy_into("k", columns, on_conflict="update") == CopyReport(2, 2, 0, 0)
    assert db.copy_into("k", columns, on_conflict="update") == CopyReport(2, 0, 0, 2)
    assert db.copy_into("k", columns, on_conflict="ignore") == CopyReport(2, 0, 0, 2)


def test_columns_that_are_not_given_keep_their_defaults_and_values(db: Database) -> None:
    execute(db, "CREATE TABLE t (id bigint PRIMARY KEY, v int, note text NOT NULL DEFAULT 'new')")
    db.copy_into("t", {"id": [1], "v": [1]})
    execute(db, "UPDATE t SET note = 'kept'")
    report = db.copy_into("t", {"v": [2, 3], "id": [1, 2]}, on_conflict="update")
    assert report == CopyReport(2, 1, 1, 0)
    assert execute(db, "SELECT * FROM t ORDER BY id") == [(1, 2, "kept"), (2, 3, "new")]


@pytest.mark.parametrize("name", ['a"b; drop', "{table}", "sélect from", "a''$1 %s ?"])
def test_names_are_never_read_as_sql(db: Database, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    execute(db, f"CREATE TABLE {quoted} (k int PRIMARY KEY, {quoted} text)")
    columns = {"k": [1], name: ["x"]}
    for mode in ("error", "ignore", "update"):
        db.copy_into((name,), columns, on_conflict=mode)  # type: ignore[arg-type]
        columns[name] = ["y"]
    assert execute(db, f"SELECT * FROM {quoted}") == [(1, "y")]


def test_a_schema_may_be_named(db: Database) -> None:
    schema = "public" if is_postgresql(db) else "main"
    execute(db, 'CREATE TABLE "dotted.name" (k int)')
    assert db.copy_into((schema, "dotted.name"), {"k": [1]}).inserted == 1
    execute(db, "CREATE TABLE plain (k int)")
    assert db.copy_into(f"{schema}.plain", {"k": [1]}).inserted == 1
    with pytest.raises(StatementError, match="no table"):
        db.copy_into("nowhere.plain", {"k": [1]})
    with pytest.raises(ColumnError, match="no name of a table"):
        db.copy_into(("a", "b", "c"), {"k": [1]})
    with pytest.raises(ColumnError, match="no name of a table"):
        db.copy_into("pl\0ain", {"k": [1]})


def test_numpy_of_every_width(db: Database) -> None:
    execute(db, "CREATE TABLE t (k int, i4 int, f4 real, s text, by bytea, d date, tz timestamptz)")
    given = {
        "k": np.array([1, 2], dtype=">u2"),
        "i4": np.array([3.0, -4.0]),
        "f4": np.array([0.5, 2.0**-140], dtype=np.float64),
        "s": np.array(["", "né"], dtype="U5"),
        "by": np.array([b"a", b"bc"]),
        "d": np.array(["2024-02-01", "NaT"], dtype="M8[M]"),
        "tz": np.array(["2024-01-01T00:00:01", "NaT"], dtype="M8[ns]"),
    }
    assert db.copy_into("t", given).inserted == 2
    stamp = datetime(2024, 1, 1, 0, 0, 1, tzinfo=UTC)
    expected = [
        (1, 3, 0.5, "", b"a", date(2024, 2, 1), stamp),
        (2, -4, 2.0**-140, "né", b"bc", None, None),
    ]
    stored = [tuple(as_stored(db, v) for v in row) for row in expected]
    assert execute(db, "SELECT * FROM t ORDER BY k") == stored


def test_frames_by_the_arrow_stream(db: Database) -> None:
    execute(db, "CREATE TABLE t (k int, s text, tz timestamptz)")
    stamps = [datetime(2024, 1, 1, 5, tzinfo=timezone(timedelta(hours=5))), None]
    frame = polars.DataFrame({"k": [1, 2], "s": [None, "x"], "tz": stamps})
    assert db.copy_into("t", frame).inserted == 2
    stamp = as_stored(db, datetime(2024, 1, 1, tzinfo=UTC))
    assert execute(db, "SELECT * FROM t ORDER BY k") == [(1, None, stamp), (2, "x", None)]
    assert db.copy_into("t", frame.slice(1)).inserted == 1
    parts = pa.table({"k": pa.chunked_array([[3], [], [4]]), "s": pa.nulls(2)})
    assert db.copy_into("t", parts).inserted == 2
    assert db.copy_into("t", {"k": pa.array([7, 8, 9])[1:], "s": frame["s"]}).inserted == 2
    assert execute(db, "SELECT s FROM t WHERE k > 7 ORDER BY k") == [(None,), ("x",)]
    for empty in (frame.clear(), parts.slice(0, 0), {"k": []}):
        assert db.copy_into("t", empty) == CopyReport(0, 0, 0, 0)


def test_masked_and_missing_are_null(db: Database) -> None:
    import pandas

    execute(db, "CREATE TABLE t (k int, f double precision, s text, i bigint, tz timestamptz)")
    given = {
        "k": [1, 2],
        "f": np.ma.masked_invalid([1.5, math.nan]),
        "s": pandas.Series(["x", pandas.NA], dtype=object),
        "i": [np.int32(5), None],
        "tz": pandas.to_datetime(pandas.Series(["2024-01-01T00:00Z", None])),
    }
    db.copy_into("t", given)
    stamp = as_stored(db, datetime(2024, 1, 1, tzinfo=UTC))
    assert execute(db, "SELECT * FROM t ORDER BY k") == [
        (1, 1.5, "x", 5, stamp),
        (2, None, None, None, None),
    ]


def test_nan_is_no_null(db: Database) -> None:
    execute(db, "CREATE TABLE t (f double precision, n numeric)")
    columns = {"f": np.array([0.0, math.nan]), "n": [Decimal("NaN"), 1]}
    if is_postgresql(db):
        db.copy_into("t", columns)
        ((f, n),) = execute(db, "SELECT max(f), max(n) FROM t")  # NaN is the largest of both
        assert math.isnan(f)
        assert n.is_nan()
        return
    for name, values in columns.items():
        with pytest.raises(ColumnError, match=f"column {name}, row .: is NaN.*mask") as caught:
            db.copy_into("t", {name: values})
        assert caught.value.column == name


REFUSED: list[tuple[str, Any, str]] = [
    ("i2 smallint", np.array([0, 40_000]), "row 1: 40000 does not fit smallint"),
    ("i8 bigint", [0, 2**63], "row 1: 9223372036854775808 does not fit bigint"),
    ("i8 bigint", np.array([0, 2**64 - 1], np.uint64), "row 1: 18446744073709551615 does not fit"),
    ("i8 bigint", [1.0, 1.5], "row 1: 1.5 is no integer"),
    ("i8 bigint", [1.0, 2.0**63], "row 1: 9.2233720\\S+ does not fit"),
    ("i8 bigint", ["1", "2"], "text cannot be stored as"),
    ("i8 bigint", [1, "2"], r"row 1: '2' \(str\) stands among values of another sort \(int\)"),
    ("i8 bigint", [1, object()], "row 1: <object"),
    ("i8 bigint", np.array([1j, 2]), "no table holds complex128"),
    ("i8 bigint", np.zeros((2, 2), int), "2 dimensions"),
    ("i8 bigint", "12", "one value, not a column"),
    ("i8 bigint", pa.array([[1], [2]]), "no table holds Arrow's list"),
    ("f4 real", np.array([0.5, 0.1]), "row 1: 0.1 would become"),
    ("f8 double precision", [1, 2**53 + 1], "row 1: f8 9007199254740993 has more digits"),
    ("f8 double precision", [True, False], "booleans cannot be stored"),
    ("n numeric(5, 2)", [1, Decimal("1.234")], "row 1: 1.234 has more than the 2 decimals"),
    ("n numeric(5, 2)", [1, 1000], r"row 1: 1000 does not fit numeric\(5, ?2\)"),
    ("n numeric(5, 2)", pa.array([None, Decimal("1.234")]), "row 1: 1.234 has more than"),
    ("n numeric", [1.0, math.inf], "row 1: inf is no decimal"),
    ("n numeric", [1, Decimal("Infinity")], "row 1: a decimal is finite"),
    ("s text", ["a", "a\0b"], "row 1: the text has a NUL"),
    ("s text", ["a", "\ud800"], "row 1: .* half a surrogate pair"),
    ("s text", [b"a", b"b"], "bytes cannot be stored as (text|TEXT)"),
    ("s varchar(2)", ["éé", "abc"], r"row 1: 3 characters do not fit"),
    ("d date", np.array([0, 1], "M8[s]"), "row 1: 1970-01-01T00:00:01.000000 is not midnight"),
    ("d date", np.array(["2024-01-01", "10000-01-01"], "M8[D]"), "row 1: .* years 1 to 9999"),
    ("t timestamp", [EPOCH, EPOCH], "times with a zone cannot be stored as timestamp"),
    ("tz timestamptz", [datetime(2024, 1, 1), None], "times without a zone cannot be stored"),
    ("tz timestamptz", pa.array([0, 1], pa.timestamp("us")), "give them a time zone"),
    ("tz timestamptz", [EPOCH, EPOCH.replace(tzinfo=None)], "row 1: .* is naive"),
    ("tz timestamptz", [date(2024, 1, 1)] * 2, "dates cannot be stored"),
    ("tz timestamptz", np.array([0, 1], "M8[ns]"), "row 1: .* nanoseconds"),
    ("tz timestamptz", pa.array([0, 1], pa.timestamp("ns", "UTC")), "row 1: .* nanoseconds"),
    ("k int NOT NULL", [1, None], "row 1: is NULL, which the column does not allow"),
]


UNLIMITED = {(d, m) for d, _, m in REFUSED if d in {"i2 smallint", "f4 real", "s varchar(2)"}}


def test_what_would_change_is_refused(db: Database) -> None:
    for number, (declared, values, message) in enumerate(REFUSED):
        if not is_postgresql(db) and (declared, message) in UNLIMITED:
            continue  # SQLite has no such limits
        table, name = f"t{number}", declared.split(maxsplit=1)[0]
        execute(db, f"CREATE TABLE {table} ({declared})")
        with pytest.raises(ColumnError, match=f"column {name}.*{message}|{message}") as caught:
            db.copy_into(table, {name: values})
        assert caught.value.column == name
        assert execute(db, f"SELECT * FROM {table}") == []


def test_columns_and_tables_that_are_not_there(db: Database) -> None:
    execute(db, "CREATE TABLE prices (id bigint PRIMARY KEY, price real NOT NULL)")
    for columns, message in [
        ({"id": [1], "prise": [1.0]}, "no column prise: did you mean price"),
        ({"id": [1]}, 'column price of "prices" is NOT NULL and has no default'),
        ({"id": [1], "price": [1.0, 2.0]}, "column price has 2 rows, column id 1"),
        ({}, "no columns"),
        ([1, 2], "not list"),
        (pa.Table.from_arrays([[1], [1]], ["id", "id"]), "two columns are named id"),
    ]:
        with pytest.raises(ColumnError, match=message):
            db.copy_into("prices", columns)
    with pytest.raises(StatementError, match='no table "price": did you mean prices'):
        db.copy_into("price", {"id": [1]})
    with pytest.raises(ColumnError, match="generated: leave it out"):
        execute(db, "CREATE TABLE g (a int, b int GENERATED ALWAYS AS (a + 1) STORED)")
        db.copy_into("g", {"a": [1], "b": [2]})
    assert db.copy_into("g", {"a": [1]}).inserted == 1


def test_keys_that_cannot_be(db: Database) -> None:
    execute(db, "CREATE TABLE t (a int, b text, v numeric)")
    columns: dict[str, Any] = {"a": [1, 2, 1], "b": ["x", "x", "x"], "v": [1, Decimal("1.0"), 2]}
    with pytest.raises(ColumnError, match="no primary key"):
        db.copy_into("t", columns, on_conflict="update")
    with pytest.raises(ColumnError, match="key column c is not among the columns"):
        db.copy_into("t", columns, on_conflict="ignore", keys=["c"])
    with pytest.raises(ColumnError, match=r"rows 0 and 2 have the same key \(a=1, b='x'\)") as e:
        db.copy_into("t", columns, on_conflict="ignore", keys=["a", "b"])
    assert e.value.row == 2
    with pytest.raises(ColumnError, match="rows 0 and 1 have the same key"):
        db.copy_into("t", columns, on_conflict="ignore", keys="v")
    with pytest.raises(ColumnError, match="row 1: is NULL, and a key"):
        db.copy_into("t", {"a": [1, None]}, on_conflict="update", keys=["a"])
    with pytest.raises(StatementError):  # there is no unique index
        db.copy_into("t", {"a": [1, 2]}, on_conflict="update", keys=["a"])
    with pytest.raises(ValueError, match="on_conflict is one of"):
        db.copy_into("t", columns, on_conflict="replace")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="keys say"):
        db.copy_into("t", columns, keys=["a"])
    assert execute(db, "SELECT * FROM t") == []


@pytest.mark.parametrize("mode", ["error", "ignore", "update"])
def test_nothing_is_half_written(db: Database, mode: Any) -> None:
    execute(db, "CREATE TABLE t (a int PRIMARY KEY, v int CHECK (v < 9000), s text)")
    rows = 20_000
    bad = {"a": np.arange(rows), "v": np.arange(rows), "s": ["x"] * rows}
    with pytest.raises(IntegrityError):
        db.copy_into("t", bad, on_conflict=mode)
    assert execute(db, "SELECT count(*) FROM t") == [(0,)]
    with db.transaction() as tx:
        assert tx.copy_into("t", {"a": [-1], "v": [0]}).inserted == 1
        with pytest.raises(IntegrityError):
            tx.copy_into("t", bad, on_conflict=mode)
        assert (
            tx.copy_into(
                "t", {"a": [-1, -2], "v": [0, 0]}, on_conflict=mode if mode != "error" else "update"
            ).inserted
            == 1
        )
    assert execute(db, "SELECT a FROM t ORDER BY a") == [(-2,), (-1,)]


def test_many_batches_in_one_transaction(db: Database) -> None:
    execute(db, "CREATE TABLE t (a int PRIMARY KEY, s text)")
    with pytest.raises(ZeroDivisionError), db.transaction() as tx:
        tx.copy_into("t", {"a": [1], "s": ["gone"]})
        _ = 1 / 0
    with db.transaction() as tx:
        for batch in range(25):  # more than SQLite attaches
            report = tx.copy_into(
                "t", {"a": [batch, 1_000], "s": ["é", None]}, on_conflict="update"
            )
            assert report == CopyReport(2, 1 + (batch == 0), 0, batch > 0)
    assert execute(db, "SELECT count(*), count(s) FROM t") == [(26, 25)]


@pytest.fixture
def postgresql(postgres_database: str) -> Iterator[Database]:
    """An empty PostgreSQL database."""
    with jutsu_sql.connect(postgres_database) as database:
        yield database


def test_types_that_only_postgresql_has(postgresql: Database) -> None:
    execute(postgresql, "CREATE TYPE side AS ENUM ('buy', 'sell')")
    execute(postgresql, "CREATE DOMAIN price AS numeric(8, 2) CHECK (VALUE > 0)")
    execute(
        postgresql,
        "CREATE TABLE t (k int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, u uuid, j json, jb jsonb,"
        " e side, p price, ts timestamptz(3), i interval)",
    )
    ident = UUID(int=7)
    columns: dict[str, Any] = {
        "k": [1, 2],
        "u": [ident, None],
        "j": ['{"a": 1}', None],
        "jb": [None, "[1, 2]"],
        "e": ["sell", "buy"],
        "p": [Decimal("1.5"), None],
        "ts": [EPOCH, None],
    }
    assert postgresql.copy_into("t", columns).inserted == 2
    assert postgresql.copy_into("t", columns, on_conflict="update") == CopyReport(2, 0, 0, 2)
    columns["jb"] = [None, "[1]"]
    columns["k"] = [3, 2]
    assert postgresql.copy_into("t", columns, on_conflict="update") == CopyReport(2, 1, 1, 0)
    assert execute(postgresql, "SELECT u, j, jb, e::text, p, ts FROM t WHERE k < 3 ORDER BY k") == [
        (ident, {"a": 1}, None, "sell", Decimal("1.50"), EPOCH),
        (None, None, [1], "buy", None, None),
    ]
    for name, values, message in [
        ("u", ["x"], "'x' is no UUID"),
        ("i", [timedelta(1)], "timedelta"),
        ("i", ["1 day"], "interval cannot be copied into"),
        ("p", [Decimal("1.234")], "more than the 2 decimals"),
        ("ts", [EPOCH + timedelta(microseconds=1)], r"finer than timestamp\(3\)"),
    ]:
        with pytest.raises(ColumnError, match=message):
            postgresql.copy_into("t", {name: values})


def test_a_partitioned_table(postgresql: Database) -> None:
    execute(postgresql, "CREATE TABLE p (a int PRIMARY KEY, v int) PARTITION BY RANGE (a)")
    execute(postgresql, "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9)")
    execute(postgresql, "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (9) TO (99)")
    assert postgresql.copy_into("p", {"a": [1, 10], "v": [1, 1]}).inserted == 2
    report = postgresql.copy_into("p", {"a": [1, 10, 11], "v": [1, 2, 3]}, on_conflict="update")
    assert report == CopyReport(3, 1, 1, 1)


def test_a_client_with_another_encoding(postgresql: Database) -> None:
    execute(postgresql, "CREATE TABLE t (s text)")
    with postgresql.connection() as connection:
        connection._raw.execute("SET client_encoding TO latin1")
        connection.copy_into("t", {"s": ["é€"]})
        assert connection._raw.info.encoding == "iso8859-1"
        connection._raw.execute("SET client_encoding TO utf8")
    assert execute(postgresql, "SELECT s FROM t") == [("é€",)]


@on_each_database
@given(
    unscaled=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5),
    scale=st.integers(0, 18),
    odd=st.lists(st.decimals(allow_infinity=False), max_size=5),
)
def test_numerics_of_any_size(
    postgresql: Database, unscaled: list[int], scale: int, odd: list[Decimal]
) -> None:
    execute(postgresql, "DROP TABLE IF EXISTS n")
    execute(postgresql, "CREATE TABLE n (k int, n numeric)")
    values = [Decimal(value).scaleb(-scale) for value in unscaled]
    arrow = pa.array(values, pa.decimal128(38, scale))
    postgresql.copy_into("n", {"k": np.arange(len(values)), "n": arrow})
    assert [row[0] for row in execute(postgresql, "SELECT n FROM n ORDER BY k")] == values
    odd = [value for value in odd if value.is_nan() or abs(value.adjusted()) < 5_000]
    execute(postgresql, "TRUNCATE n")
    postgresql.copy_into("n", {"k": np.arange(len(odd)), "n": odd})
    got = [row[0] for row in execute(postgresql, "SELECT n FROM n ORDER BY k")]
    assert list(map(shown, got)) == list(map(shown, odd))


def shown(value: Decimal) -> Any:
    return "NaN" if value.is_nan() else value


@pytest.fixture
def sqlite() -> Iterator[Database]:
    """An empty SQLite database."""
    with jutsu_sql.connect("sqlite://") as database:
        yield database


def test_declarations_of_sqlite(sqlite: Database) -> None:
    execute(sqlite, "CREATE TABLE s (i INTEGER, r REAL, t TEXT, b BLOB, a ANY) STRICT")
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    columns: Mapping[str, Sequence[Any]] = {
        "i": [moment, None],
        "r": [1, 2],
        "t": ["x", None],
        "b": [b"x", None],
        "a": ["007", None],
    }
    sqlite.copy_into("s", columns)
    assert execute(sqlite, "SELECT * FROM s") == [
        (us(moment), 1.0, "x", b"x", "007"),
        (None, 2.0, None, None, None),
    ]
    execute(sqlite, "CREATE TABLE o (j json, untyped, z TIMESTAMP WITH TIME ZONE)")
    sqlite.copy_into("o", {"j": ['{"a": 1}'], "untyped": ["007"], "z": [moment]})
    sqlite.copy_into("o", {"j": [None], "untyped": [date(1970, 1, 2)], "z": [None]})
    assert execute(sqlite, "SELECT * FROM o") == [
        ('{"a": 1}', "007", us(moment)),
        (None, 86_400_000_000, None),
    ]
    with pytest.raises(ColumnError, match="store '007' as a number"):
        sqlite.copy_into("o", {"j": ["x", "007"]})
    with pytest.raises(ColumnError, match="more digits than a double"):
        execute(sqlite, "CREATE TABLE n (n numeric)")
        sqlite.copy_into("n", {"n": [Decimal("0.12345678901234567891")]})


def test_a_sqlite_file_of_another_encoding(sqlite: Database) -> None:
    execute(sqlite, "PRAGMA encoding = 'UTF-16le'")
    execute(sqlite, "CREATE TABLE t (s text)")
    sqlite.copy_into("t", {"s": ["é€", None]})
    assert execute(sqlite, "SELECT s FROM t") == [("é€",), (None,)]
