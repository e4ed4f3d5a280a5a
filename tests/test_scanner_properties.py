"""The scanner against the engines' own lexers: the same parameters, the same values."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.pq import ExecStatus

from jutsu_sql.queries import Queries, Query

# What has a meaning to one lexer or the other, wherever it stands.
NASTY = st.lists(
    st.sampled_from([":a", ":b", *"':\"\\`[]$;?@%é\n a1", "$q$", "--", "/*", "*/", "::", "''"]),
    max_size=7,
).map("".join)
VALUES = {"a": 11, "b": 22}
EXAMPLES = settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def parse(sql: str, dialect: str) -> Query:
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / f"x.{dialect}.sql").write_text(f"-- kind: many\n{sql}", "utf-8")
        return Queries.load(Path(directory), dialect=dialect)["x"]


def quote(text: str, mark: str) -> str:
    return f"{mark}{text.replace(mark, mark * 2)}{mark}"


def line_comment(text: str) -> str:
    return "--" + text.replace("\n", "") + "\n"


# --- SQLite ---------------------------------------------------------------------------------------


def sqlite_comment(text: str) -> str:
    return "/*" + re.sub(r"\*+/", "", text) + " */"


SQLITE_SPACE = st.one_of(
    st.sampled_from([" ", "\n", " \t"]),
    NASTY.map(line_comment),
    NASTY.map(sqlite_comment),
)
SQLITE_TERM = st.one_of(
    st.sampled_from([":a", ":b", "(:a||:b)", "CAST(:a AS TEXT)", "1", "1.5e3", "x'3a61'", "-:b"]),
    st.sampled_from([":a+:b", "max(:a,:b)", "'%'||:a", "CASE WHEN:a THEN:b END", "t.[k:x]", "a$1"]),
    NASTY.map(lambda text: quote(text, "'")),
)
SQLITE_ALIAS = st.one_of(
    NASTY.map(lambda text: quote("c" + text, '"')),
    NASTY.map(lambda text: quote("c" + text, "`")),
    NASTY.map(lambda text: f"[c{text.replace(']', '')}]"),
)


class Asked(dict[str, int]):
    """Answers for every name, and remembers which ones SQLite asked for."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __missing__(self, name: str) -> int:
        self.names.append(name)
        return VALUES.get(name, 99)


@EXAMPLES
@given(st.data())
def test_sqlite_sees_the_same_parameters(data: st.DataObject) -> None:
    columns = data.draw(st.lists(st.tuples(SQLITE_TERM, SQLITE_ALIAS), min_size=1, max_size=4))

    def gap() -> str:
        return data.draw(SQLITE_SPACE)

    listed = f"{gap()},".join(f"{gap()}{term} AS{gap()}{alias}" for term, alias in columns)
    sql = f"SELECT{gap()}{listed}{gap()}FROM (SELECT 5 AS [k:x], 6 AS a$1) AS t{gap()}"
    sql += data.draw(st.sampled_from(["", "/* :a", "LIMIT:b", "-- :a", ";", ";-- :a", "; /* ; */"]))

    asked = Asked()
    query = parse(sql, "sqlite")
    text, names = query.render("qmark")
    with closing(sqlite3.connect(":memory:")) as database:
        expected = database.execute(sql, asked)
        got = database.execute(text, [VALUES[name] for name in names])

        assert sorted(query.params) == sorted(asked.names)
        assert [column[0] for column in got.description] == [
            column[0] for column in expected.description
        ]
        assert got.fetchall() == expected.fetchall()
    database.close()


@EXAMPLES
@given(st.lists(NASTY, min_size=1, max_size=4), st.booleans())
def test_sqlite_finds_the_same_ends_of_statements(contents: list[str], trigger: bool) -> None:
    statements = [
        f"SELECT {quote(text, chr(39))} AS {quote('c' + text, chr(34))}" for text in contents
    ]
    if trigger:
        body = "".join(f"{statement};\n" for statement in statements)
        statements.append(f"CREATE TRIGGER t AFTER DELETE ON u BEGIN {body} END")
    for statement in statements:
        assert sqlite3.complete_statement(statement + ";")
    with tempfile.TemporaryDirectory() as directory:
        script = "-- kind: script\n" + ";".join(statements) + ";"
        (Path(directory) / "x.sqlite.sql").write_text(script, "utf-8")
        query = Queries.load(Path(directory), dialect="sqlite")["x"]
    assert query.statements == tuple(statements)


# --- PostgreSQL -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgres(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


def run_numbered(
    connection: psycopg.Connection[Any], query: Query, values: dict[str, Any]
) -> tuple[list[str], tuple[Any, ...]]:
    """Names and values of the one row, once the server has agreed on the number of parameters."""
    text, names = query.render("numbered")
    prepared = connection.pgconn.prepare(b"", text.encode())
    assert prepared.status == ExecStatus.COMMAND_OK, prepared.error_message
    assert connection.pgconn.describe_prepared(b"").nparams == len(names)
    cursor = psycopg.RawCursor(connection)
    row = cursor.execute(text.encode(), [values[name] for name in names] or None).fetchone()
    assert row is not None
    assert cursor.description is not None
    return [column.name for column in cursor.description], row


def postgres_comment(text: str) -> str:
    """A comment that holds ``text``, with the comments in it opened and closed."""
    inner, depth = "", 0
    for part in re.split(r"(/\*|\*/)", text):
        depth += {"/*": 1, "*/": -1}.get(part, 0)
        if depth < 0:
            depth = 0
        else:
            inner += part
    return "/* " + inner + " " + "*/ " * (depth + 1)


def escape_string(text: str) -> str:
    return "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def unicode_string(text: str) -> tuple[str, str]:
    """A U&'' string, in which a backslash escapes, but never a quote."""
    text = text.replace("\\", "")
    return "U&" + quote(text + "\\003A", "'"), text + ":"


def dollar_quote(text: str, tag: str) -> tuple[str, str]:
    text = text.replace("$", "€")
    return f"${tag}${text}${tag}$", text


POSTGRES_SPACE = st.one_of(
    st.sampled_from([" ", "\n", "\t\r"]), NASTY.map(line_comment), NASTY.map(postgres_comment)
)
POSTGRES_TERM = st.one_of(
    st.sampled_from(
        [
            (":a::int4", 11),
            ("CAST(:b AS int4)", 22),
            ("(:a::int4+:b::int4)", 33),
            ("'{\"k\": 7}'::json->>'k'", "7"),
            ("(ARRAY[5,6,7])[2:3]", [6, 7]),
            ("t.x[1:n]", [1, 2]),
            ("t.x[:one:n]", [1, 2]),
            ("t.x[:one]", 1),
            ("t.x[:one : :two]", [1, 2]),
            ("t.x[1+:one::int4:n]", [2]),
            ("t.x[t.y[1]:n]", [1, 2]),
            ("ARRAY[:one::int4,:two]", [1, 2]),
            ("ARRAY[CASE WHEN true THEN:two::int4 END]", [2]),
            ("make_interval(secs=>:one::int4)::text", "00:00:01"),
            ("-:one::int4", -1),
            ("5%:two::int4", 1),
            ("a$1", 6),
        ]
    ),
    NASTY.map(lambda text: (quote(text, "'"), text)),
    NASTY.map(lambda text: (escape_string(text), text)),
    NASTY.map(
        lambda text: (escape_string(text) + " -- it's\n " + escape_string(text)[1:], text * 2)
    ),
    NASTY.map(unicode_string),
    st.builds(dollar_quote, NASTY, st.sampled_from(["", "q", "_b1", "é"])),
)
POSTGRES_ALIAS = NASTY.map(lambda text: "c" + text)


@EXAMPLES
@given(data=st.data())
def test_postgresql_sees_the_same_parameters(
    postgres: psycopg.Connection[Any], data: st.DataObject
) -> None:
    columns = data.draw(st.lists(st.tuples(POSTGRES_TERM, POSTGRES_ALIAS), min_size=1, max_size=4))

    def gap() -> str:
        return data.draw(POSTGRES_SPACE)

    listed = f"{gap()},".join(
        f"{gap()}{term} AS{gap()}{quote(alias, chr(34))}" for (term, _), alias in columns
    )
    source = "FROM (SELECT ARRAY[1,2,3] AS x, ARRAY[1] AS y, 2 AS n, 6 AS a$1) AS t"
    sql = f"SELECT{gap()}{listed}{gap()}{source}{gap()}"
    sql += data.draw(st.sampled_from(["", "LIMIT:two::int4", "-- :a", ";", "; /* /* ; */ :a */"]))
    names, row = run_numbered(postgres, parse(sql, "postgresql"), VALUES | {"one": 1, "two": 2})
    assert names == [alias for _, alias in columns]
    assert row == tuple(value for (_, value), _ in columns)
