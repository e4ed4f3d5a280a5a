"""Queries from .sql files: headers, blocks, names, rendering, splitting, and errors with places."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import jutsu_sql
from jutsu_sql.errors import (
    QueryError,
    QueryNotFoundError,
    QueryParameterError,
    QuerySyntaxError,
)
from jutsu_sql.queries import Kind, Queries, Query, parse_each

Write = Callable[..., Queries]


@pytest.fixture
def load(tmp_path: Path) -> Write:
    """Write files (path, text) and load their directory."""

    def load(*files: tuple[str, str], dialect: str = "sqlite") -> Queries:
        for name, text in files:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        return Queries.load(tmp_path, dialect=dialect)

    return load


@pytest.fixture
def parse(load: Write) -> Callable[..., Query]:
    """One query for one engine, from its statement."""

    def parse(sql: str, dialect: str = "postgresql", kind: str = "many") -> Query:
        return load((f"x.{dialect}.sql", f"-- kind: {kind}\n{sql}"), dialect=dialect)["x"]

    return parse


# --- header ---------------------------------------------------------------------------------------


def test_header_says_what_a_query_is(load: Write) -> None:
    query = load(
        (
            "bars/latest.sql",
            "-- The last :n bars of one series,\n"
            "-- oldest first.\n"
            "--\n"
            "-- Note: a gap stays a gap.\n"
            "-- kind: many\n"
            "-- plan: index bars\n"
            "-- plan: no sort\n"
            "-- timestamps: ts, start\n"
            "\n"
            "SELECT ts /*+ hint */ FROM bars -- in order\n"
            "WHERE ts >= :start AND id = :id AND ts > :start LIMIT :n; -- done\n",
        )
    )["bars.latest"]
    assert query.kind is Kind.MANY
    assert query.summary == (
        "The last :n bars of one series, oldest first. Note: a gap stays a gap."
    )
    assert query.plans == ("index bars", "no sort")
    assert query.timestamps == {"ts", "start"}
    assert query.params == ("start", "id", "n")
    assert (query.name, query.line, query.dialect) == ("bars.latest", 1, None)
    assert query.path.name == "latest.sql"
    assert not query.writes
    assert query.statements == (
        "SELECT ts /*+ hint */ FROM bars -- in order\n"
        "WHERE ts >= :start AND id = :id AND ts > :start LIMIT :n",
    )


def test_timestamps_may_name_a_quoted_column(load: Write) -> None:
    text = '-- kind: many\n-- timestamps: start\nSELECT ts AS "start" FROM bars'
    assert load(("x.sql", text))["x"].timestamps == {"start"}


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("SELECT 1", "1:1", "-- kind: one|many"),
        ("", "1:1", "-- kind: one|many"),
        ("-- kind: one\n\n", "3:1", "no statement"),
        ("-- kind: one\n ; -- nothing\n", "3:1", "no statement"),
        ("-- Some.\n  -- kind: lots\nSELECT 1", "2:6", "one, many, value"),
        ("-- kind: one\n-- plna: index\nSELECT 1", "2:4", "did you mean 'plan'"),
        ("-- kind: one\n-- timestamp: ts\nSELECT ts", "2:4", "did you mean 'timestamps'"),
        ("-- Kind: one\nSELECT 1", "1:4", "did you mean 'kind'"),
        ("-- kind: one\n-- timestamps: tss\nSELECT ts -- tss", "2:4", "did you mean ts"),
        ("-- kind: one\nSELECT 1;\n  SELECT 2", "3:3", "one statement"),
        ("-- kind: script\nSELECT 1;\nSELECT :a", "3:8", "no parameters"),
        ("-- kind: one\nSELECT\n  'it", "3:3", "' is never closed"),
        ("-- kind: one\nSELECT :1a", "2:8", "no digit first"),
        ("-- kind: one\nSELECT :näme", "2:8", "ASCII letters"),
        ("-- kind: one\nSELECT :a$b", "2:8", "ASCII letters"),
        ("-- kind: one\nSELECT ?", "2:8", "write :name"),
        ("-- kind: one\nSELECT ?1", "2:8", "write :name"),
        ("-- kind: one\nSELECT @a", "2:8", "write :name"),
        ("-- kind: one\nSELECT $a", "2:8", "write :name"),
    ],
)
def test_a_fault_has_its_place(load: Write, text: str, place: str, said: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        load(("bars/x.sqlite.sql", text))
    error = caught.value
    assert re.search(rf"bars.x\.sqlite\.sql:{place}: .*{re.escape(said)}", str(error))
    assert f"{error.line}:{error.column}" == place
    assert error.query_name == "bars.x"


@pytest.mark.parametrize(
    "text", ["'it''s", '"it""s', "E'it\\'", "$$ it $", "$a$ it $A$", "/* /* it */", "e'it\n\\'"]
)
def test_what_postgresql_wants_closed(parse: Callable[..., Query], text: str) -> None:
    with pytest.raises(QuerySyntaxError, match=r":3:2: .* is never closed"):
        parse(f"SELECT\n {text}")


@pytest.mark.parametrize("text", ["'it''s", '"it""s', "`it``s", "[it"])
def test_what_sqlite_wants_closed(parse: Callable[..., Query], text: str) -> None:
    with pytest.raises(QuerySyntaxError, match=r":3:2: .* is never closed"):
        parse(f"SELECT\n {text}", "sqlite")


def test_sqlite_lets_a_comment_run_to_the_end(parse: Callable[..., Query]) -> None:
    assert parse("SELECT :a /* :b", "sqlite").params == ("a",)


def test_postgresql_refuses_its_own_placeholder_but_has_operators(
    parse: Callable[..., Query],
) -> None:
    assert parse("SELECT a ? 'b', a ?| c, a @> d, @ e, @e, a <@:f, a -:g").params == ("f", "g")
    with pytest.raises(QuerySyntaxError, match=r"2:8: \$1 .* write :name"):
        parse("SELECT $1")


# --- parameters -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "numbered"),
    [
        ("SELECT :n::int4, CAST(:n AS bigint)", "SELECT $1::int4, CAST($1 AS bigint)"),
        ("SELECT x LIKE '%b' || :a || '%'", "SELECT x LIKE '%b' || $1 || '%'"),
        ("SELECT x ->> :k, x->':k', x->>'k'", "SELECT x ->> $1, x->':k', x->>'k'"),
        ("SELECT 'a':b, 1:c, (2):d", "SELECT 'a'$1, 1 $2, (2)$3"),
        ("SELECT a:b", "SELECT a $1"),
        ("SELECT f(a := :b, c:=:d)", "SELECT f(a := $1, c:=$2)"),
        ("SELECT :b, :a, :b", "SELECT $1, $2, $1"),
        ("SELECT a$1, a$b$ :c", "SELECT a$1, a$b$ $1"),
        ("SELECT $$ :a $b$ $$, $b$ :a $$ $b$ || :b", "SELECT $$ :a $b$ $$, $b$ :a $$ $b$ || $1"),
        (r"SELECT E'\' :a', '\', :b, e'\\', :c", r"SELECT E'\' :a', '\', $1, e'\\', $2"),
        ("SELECT E'a'\n  '\\' :a', :b", "SELECT E'a'\n  '\\' :a', $1"),
        ("SELECT E'a' -- it's\n '\\' :a', :b", "SELECT E'a' -- it's\n '\\' :a', $1"),
        ("SELECT E'a' '\\', :b", "SELECT E'a' '\\', $1"),
        ("SELECT U&'\\', :a, B'1', X'f', N':b'", "SELECT U&'\\', $1, B'1', X'f', N':b'"),
        ('SELECT "a:b""c:d", U&"\\:e", :f', 'SELECT "a:b""c:d", U&"\\:e", $1'),
        ("SELECT 1 -- :a\n, :b", "SELECT 1 -- :a\n, $1"),
        ("SELECT /* :a /* :b */ :c */ :d", "SELECT /* :a /* :b */ :c */ $1"),
        ("SELECT 1 */* it's :a */:b", "SELECT 1 */* it's :a */$1"),
        ("SELECT 1 +-- it's :a\n:b", "SELECT 1 +-- it's :a\n$1"),
        ("SELECT x[1:n], x[n:m], x[1:], x[:1]", "SELECT x[1:n], x[n:m], x[1:], x[:1]"),
        ("SELECT x[:n], x[ :n]", "SELECT x[$1], x[ $1]"),
        ("SELECT x[:lo : :hi], x[:lo:hi]", "SELECT x[$1 : $2], x[$1:hi]"),
        ("SELECT x[a+:b:c], x[f(:d):e]", "SELECT x[a+$1:c], x[f($2):e]"),
        ("SELECT x[a::int:n], x[(a):n], x[y[1]:n]", "SELECT x[a::int:n], x[(a):n], x[y[1]:n]"),
        ("SELECT x[1][:n], x[1:2][1:n]", "SELECT x[1][$1], x[1:2][1:n]"),
        (
            "SELECT x[CASE WHEN :a THEN :b ELSE :c END:d]",
            "SELECT x[CASE WHEN $1 THEN $2 ELSE $3 END:d]",
        ),
        (
            "SELECT ARRAY[:a, :b], ARRAY[[1, :c], [:d]], ARRAY[t AT TIME ZONE :e], f(x[1:n], :f)",
            "SELECT ARRAY[$1, $2], ARRAY[[1, $3], [$4]], ARRAY[t AT TIME ZONE $5], f(x[1:n], $6)",
        ),
        (
            "SELECT ARRAY[[t AT TIME ZONE :a]], x[1:n] FROM y LIMIT :b",
            "SELECT ARRAY[[t AT TIME ZONE $1]], x[1:n] FROM y LIMIT $2",
        ),
        ("SELECT x[(SELECT a FROM b LIMIT :c):d]", "SELECT x[(SELECT a FROM b LIMIT $1):d]"),
    ],
)
def test_parameters_of_postgresql(parse: Callable[..., Query], sql: str, numbered: str) -> None:
    query = parse(sql)
    text, names = query.render("numbered")
    assert text == numbered
    assert names == query.params
    assert query.statements == (sql,)


@pytest.mark.parametrize(
    ("sql", "marked", "bound"),
    [
        ("SELECT :b, :a, :b", "SELECT ?, ?, ?", ("b", "a", "b")),
        ("SELECT '\\', :a, E, ':b'", "SELECT '\\', ?, E, ':b'", ("a",)),
        ('SELECT `:a``:b`, [:c\'], ":d", :e', 'SELECT `:a``:b`, [:c\'], ":d", ?', ("e",)),
        ("SELECT /* /* :a */ :b", "SELECT /* /* :a */ ?", ("b",)),
        ("SELECT /*/ :a */ :b", "SELECT /*/ :a */ ?", ("b",)),
        ("SELECT x'00', a$b, 1e5 LIMIT:n", "SELECT x'00', a$b, 1e5 LIMIT ?", ("n",)),
        ("SELECT a->>:b", "SELECT a->>?", ("b",)),
    ],
)
def test_parameters_of_sqlite(
    parse: Callable[..., Query], sql: str, marked: str, bound: tuple[str, ...]
) -> None:
    assert parse(sql, "sqlite").render("qmark") == (marked, bound)


def test_render_knows_two_styles(parse: Callable[..., Query]) -> None:
    with pytest.raises(ValueError, match="'pyformat'"):
        parse("SELECT :a").render("pyformat")


def test_wrong_parameters_are_explained(parse: Callable[..., Query]) -> None:
    error = parse("SELECT :series_id, :n").explain_params(["seriesid", "n"])
    assert isinstance(error, QueryParameterError)
    assert error.query_name == "x"
    assert str(error) == (
        "x: missing parameter 'series_id'; unknown parameter 'seriesid' "
        "(did you mean series_id?); it takes series_id, n"
    )
    assert "takes no parameters" in str(parse("SELECT 1").explain_params(["a"]))


@pytest.mark.parametrize(
    ("sql", "writes"),
    [
        ("select 1 from \"update\" where a = 'insert' -- delete", False),
        ("(SELECT 1) UNION VALUES (2)", False),
        ("WITH a AS (SELECT 1) TABLE a", False),
        ("EXPLAIN SELECT 1", False),
        ("WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a", True),
        ("SELECT * INTO t FROM s", True),
        ("SELECT nextval('s')", True),
        ("EXPLAIN ANALYZE INSERT INTO t SELECT 1", True),
        ("PRAGMA user_version", True),
        ("insert into t values (1)", True),
        ("CREATE TABLE t (a int)", True),
    ],
)
def test_writes(parse: Callable[..., Query], sql: str, writes: bool) -> None:
    assert parse(sql).writes is writes


# --- scripts --------------------------------------------------------------------------------------


def test_sqlite_script_keeps_triggers_whole(parse: Callable[..., Query]) -> None:
    statements = (
        'CREATE TABLE t (a, "end", [;b], `;c`, begin)',
        "-- first\nCREATE TEMP TRIGGER g AFTER INSERT ON t BEGIN\n"
        "  UPDATE t SET a = CASE WHEN new.a > 0 THEN ';' END;\n"
        '  DELETE FROM t WHERE a = new."end";\nEND',
        "INSERT INTO t (a) VALUES (';')",
    )
    query = parse(";\n".join(statements) + ";;\n ; -- the end", "sqlite", "script")
    assert query.statements == statements
    assert query.params == ()
    with closing(sqlite3.connect(":memory:")) as database:
        for statement in query.statements:
            database.execute(statement)
        assert database.execute("SELECT count(*) FROM temp.sqlite_schema").fetchone() == (1,)


def test_transactions_in_a_script_are_statements(parse: Callable[..., Query]) -> None:
    query = parse("BEGIN; SELECT atomic; END; DROP TRIGGER begin", "sqlite", "script")
    assert query.statements == ("BEGIN", "SELECT atomic", "END", "DROP TRIGGER begin")
    assert query.render("qmark") == ("BEGIN;\nSELECT atomic;\nEND;\nDROP TRIGGER begin", ())
    assert len(parse("DROP TRIGGER begin; SELECT 1", "sqlite", "script").statements) == 2


def test_postgresql_script_keeps_bodies_whole(parse: Callable[..., Query]) -> None:
    statements = (
        "CREATE FUNCTION f(int) RETURNS int BEGIN ATOMIC\n"
        "  SELECT CASE WHEN $1 > 0 THEN 1 END; SELECT $1; END",
        "CREATE FUNCTION g() RETURNS int LANGUAGE sql AS $body$ SELECT :a; SELECT 1; $body$",
        "CREATE TRIGGER h BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION k()",
        "CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2)",
        "SELECT 3",
    )
    assert parse(";\n".join(statements), "postgresql", "script").statements == statements


def test_a_script_has_no_placeholder_of_the_engine(parse: Callable[..., Query]) -> None:
    with pytest.raises(QuerySyntaxError, match="3:8"):
        parse("SELECT 1;\nSELECT $1", "postgresql", "script")


# --- files ----------------------------------------------------------------------------------------


def test_a_path_is_a_name(load: Write) -> None:
    queries = load(
        ("top.sql", "-- kind: one\nSELECT 1"),
        ("a/b/c-d.sql", "-- kind: one\nSELECT 2"),
        ("a/e.sqlite.sql", "-- kind: one\nSELECT 3"),
        ("a/e.postgresql.sql", "-- kind: one\nSELECT '4"),
        ("a/f.postgresql.sql", "-- kind: one\nSELECT 5"),
        ("a/notes.txt", "not SQL"),
    )
    assert sorted(queries) == ["a.b.c_d", "a.e", "top"]
    assert len(queries) == 3
    assert queries["a.e"].statements == ("SELECT 3",)
    assert queries["a.e"].dialect == "sqlite"
    assert queries["top"].dialect is None


def test_an_unknown_name_is_explained(load: Write) -> None:
    queries = load(
        ("bars/latest.sql", "-- kind: one\nSELECT 1"),
        ("bars/copy.postgresql.sql", "-- kind: one\nSELECT 1"),
    )
    with pytest.raises(QueryNotFoundError, match=r"'bars.lates' .*did you mean bars.latest"):
        queries["bars.lates"]
    with pytest.raises(QueryNotFoundError, match=r"'bars.copy' .* only for postgresql"):
        queries["bars.copy"]
    assert "bars.copy" not in queries
    assert "bars.latest" in queries
    assert queries.get("bars.copy") is None
    assert queries.get("bars.latest") is queries["bars.latest"]


def test_two_directories_make_one_collection(tmp_path: Path, load: Write) -> None:
    load(("one/a.sql", "-- kind: one\nSELECT 1"), ("two/b/c.sql", "-- kind: one\nSELECT 2"))
    queries = Queries.load(tmp_path / "one", tmp_path / "two", dialect="postgresql")
    assert sorted(queries) == ["a", "b.c"]
    load(("two/a.sql", "-- kind: one\nSELECT 3"))
    with pytest.raises(QuerySyntaxError, match=r"two.a\.sql:1:1: a is at .*one.a\.sql:1 as well"):
        Queries.load(tmp_path / "one", tmp_path / "two", dialect="sqlite")


def test_the_halves_of_a_pair_lie_side_by_side(tmp_path: Path, load: Write) -> None:
    load(
        ("one/a.sqlite.sql", "-- kind: one\nSELECT 1"),
        ("two/a.postgresql.sql", "-- kind: one\nSELECT 1"),
    )
    with pytest.raises(QuerySyntaxError, match="as well"):
        Queries.load(tmp_path / "one", tmp_path / "two", dialect="sqlite")


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_shared_text_and_a_half_are_too_many(load: Write, dialect: str) -> None:
    text = "-- kind: one\nSELECT 1"
    with pytest.raises(QuerySyntaxError, match=r"x is at .* as well"):
        load(("x.sql", text), ("x.sqlite.sql", text), dialect=dialect)


def test_files_that_cannot_be_read_as_queries(tmp_path: Path, load: Write) -> None:
    with pytest.raises(QuerySyntaxError, match="'postgres' is no dialect: postgresql, sqlite"):
        load(("x.postgres.sql", "-- kind: one\nSELECT 1"))
    (tmp_path / "x.postgres.sql").write_bytes(b"-- kind: one\nSELECT '\xff'")
    with pytest.raises(QuerySyntaxError, match=":2:1: not UTF-8"):
        load()
    with pytest.raises(QueryError, match="is not a directory"):
        Queries.load(tmp_path / "none", dialect="sqlite")
    with pytest.raises(ValueError, match="no such dialect: oracle"):
        Queries.load(tmp_path, dialect="oracle")


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    ("sql", "place"),
    [
        (r"SELECT E'\' :a \''", "2:13"),
        (r"SELECT E'\' :a'", "2:15"),
        ("SELECT `a`, ` :b `", "2:15"),
        ("SELECT x[:n]", "2:10"),
        ("SELECT ARRAY[:n]", "2:14"),
        ("SELECT $$ :a $$", "2:8"),
        ("SELECT a ? 'b'", "2:10"),
        ("SELECT [;]", "2:9"),
        ("SELECT /* /* */ :a /* */ */ 1", "2:17"),
        ("SELECT ':' /* :a", "2:12"),
    ],
)
def test_a_shared_text_reads_the_same_everywhere(
    load: Write, dialect: str, sql: str, place: str
) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        load(("x.sql", f"-- kind: many\n{sql}"), dialect=dialect)
    assert f"x.sql:{place}: " in str(caught.value)
    assert "make it a pair, .postgresql.sql and .sqlite.sql" in str(caught.value)


def test_a_fault_of_a_shared_text_is_one_for_all(load: Write) -> None:
    with pytest.raises(QuerySyntaxError, match=r":2:8: ' is never closed$"):
        load(("x.sql", "-- kind: many\nSELECT 'it"))


def test_a_shared_text_may_look_different_where_no_parameter_is(load: Write) -> None:
    sql = "SELECT x[1:n], '\\', ':c', :a::int -- :b\n"
    assert load(("x.sql", f"-- kind: many\n{sql}"))["x"].params == ("a",)


# --- blocks ---------------------------------------------------------------------------------------

AIOSQL = """This isn't SQL: it stands before the first block.

-- name: get-user(user_id, is_on)^
-- One user.
-- plans: none
select * from users where id = :user_id and is_on = :is_on;

/* out of use
-- name: old
select 1;
*/
-- name: all_users
select ' -- name: x' as "/*",
  '/*' from users;
-- name: count()$
select count(*) from users where a <> '*/';
--name:drop-user!
delete from users where id = :id
-- name: add-user<!
insert into users (id) values (:id) returning id;
-- name: add_users*!
insert into users (id, name) values (?, ?);
-- name: setup#
create table a (b);
create table c (d);
"""


def test_blocks_of_aiosql(load: Write) -> None:
    queries = load(("users.sql", AIOSQL))
    found = {name: (q.kind.value, q.params, q.line) for name, q in queries.items()}
    assert found == {
        "users.get_user": ("one", ("user_id", "is_on"), 3),
        "users.all_users": ("many", (), 12),
        "users.count": ("value", (), 15),
        "users.drop_user": ("exec", ("id",), 17),
        "users.add_user": ("one", ("id",), 19),
        "users.add_users": ("exec", ("p1", "p2"), 21),
        "users.setup": ("script", (), 23),
    }
    assert queries["users.get_user"].summary == "One user. plans: none"
    assert queries["users.setup"].statements == ("create table a (b)", "create table c (d)")


SQLC_POSTGRESQL = """-- name: GetAuthor :one
-- One author.
-- @param id its key
SELECT sqlc.embed(a), @ b FROM authors AS a WHERE id = $2 AND x = $1 AND y = $2;

-- name: Find :many
-- timestamps: since
SELECT name FROM authors WHERE a = @name::text AND b = sqlc.arg('since') AND c = sqlc.narg (n)
  AND tags @> sqlc.slice(tags) AND d = :d AND m = '@no sqlc.arg(no)' AND js ? 'k';

-- name: Delete :execrows
DELETE FROM authors;
"""


def test_blocks_of_sqlc_for_postgresql(load: Write) -> None:
    queries = load(("a/q.sql", SQLC_POSTGRESQL), dialect="postgresql")
    author, find, delete = queries.values()
    assert (author.name, author.kind, author.params) == ("a.q.GetAuthor", Kind.ONE, ("p2", "p1"))
    assert author.summary == "One author. @param id its key"
    assert author.render("numbered")[0] == (
        "SELECT a.*, @ b FROM authors AS a WHERE id = $1 AND x = $2 AND y = $1"
    )
    assert (find.kind, find.params) == (Kind.MANY, ("name", "since", "n", "tags", "d"))
    assert find.timestamps == {"since"}
    assert find.render("numbered")[0] == (
        "SELECT name FROM authors WHERE a = $1::text AND b = $2 AND c = $3\n"
        "  AND tags @> $4 AND d = $5 AND m = '@no sqlc.arg(no)' AND js ? 'k'"
    )
    assert (delete.kind, delete.line, delete.writes) == (Kind.EXEC, 11, True)


def test_blocks_of_sqlc_for_sqlite(load: Write) -> None:
    queries = load(
        (
            "q.sqlite.sql",
            "/* name: A :many */\nSELECT ?, ?2, ?, ?1, ?, @x, $y;\n"
            "/* name: B :exec */ DELETE FROM t;",
        )
    )
    assert queries["q.A"].render("qmark") == (
        "SELECT ?, ?, ?, ?, ?, ?, ?",
        ("p1", "p2", "p3", "p1", "p4", "x", "y"),
    )
    assert queries["q.B"].statements == ("DELETE FROM t",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\n-- name: A :mny\nSELECT 1", ":2:1: sqlc has no command ':mny' .*many"),
        ("\n-- name: a b\nSELECT 1", ":2:1: a block is .*, not 'a b'"),
        ("\n-- name: a(b)\nSELECT :c", ":2:1: the declared parameters .*: b, c"),
        ("-- name: a\nSELECT 1\n-- name: a\nSELECT 2", ":3:1: x.a is at .*:1 as well"),
        ("-- name: a\nSELECT 1;\n SELECT 2", ":3:2: .* one statement"),
        ("-- name: a\nSELECT 1\n-- name: b\n\nSELECT '", ":5:8: ' is never closed"),
        ("-- name: a#\nSELECT :b", ":2:8: a script takes no parameters"),
    ],
)
def test_faults_of_blocks(load: Write, text: str, said: str) -> None:
    with pytest.raises(QuerySyntaxError, match=said):
        load(("x.sql", text))


# --- what a check needs ---------------------------------------------------------------------------


def test_a_header_keeps_its_notes(load: Write) -> None:
    text = (
        "-- Some.\n-- kind: one\n-- after: stage.create\n-- allow: order because one row\nSELECT 1"
    )
    query = load(("x.sql", text))["x"]
    assert [tuple(note) for note in query.notes] == [
        ("after", "stage.create", 3),
        ("allow", "order because one row", 4),
    ]
    assert query.summary == "Some."


@pytest.mark.parametrize("style", ["numbered", "qmark"])
def test_a_place_in_the_rendered_text_is_one_in_the_file(load: Write, style: str) -> None:
    text = "-- kind: many\n\n SELECT :first, 7:second,\n  x\nFROM t WHERE y = :first AND z = 1\n"
    query = load(("x.sqlite.sql", text))["x"]
    rendered, _ = query.render(style)
    lines = text.split("\n")
    for word in ("SELECT", "7", "FROM", "WHERE", "y", "z"):
        line, column = query.place(0, query.unrendered(rendered.index(word), style))
        assert lines[line - 1][column - 1 :].startswith(word)
    mark = rendered.index("?" if style == "qmark" else "$2", rendered.index(","))
    line, column = query.place(0, query.unrendered(mark, style))
    assert lines[line - 1][column - 1 :].startswith(":second")


def test_each_statement_of_a_script_has_its_place(load: Write) -> None:
    query = load(("x.sql", "-- kind: script\nCREATE TABLE a (x int);\n\n  DROP TABLE a;\n"))["x"]
    assert query.places == ((2, 1), (4, 3))
    assert query.place(1, 5) == (4, 8)


def test_parse_each_reports_every_fault(tmp_path: Path) -> None:
    for name, text in {
        "a.sql": "SELECT 1",
        "b.sql": "-- kind: one\nSELECT 'it",
        "c.sqlite.sql": "-- kind: one\nSELECT 1",
        "d.sql": "-- kind: one\nSELECT 1",
    }.items():
        (tmp_path / name).write_text(text)
    found = list(parse_each(tmp_path))
    assert [dialect for dialect, _ in found] == ["", "", "sqlite", "postgresql", "sqlite"]
    assert [type(each) for _, each in found[:2]] == [QuerySyntaxError] * 2


@pytest.mark.parametrize("is_live", [True, False])
def test_a_changed_file_is_read_again_in_development(tmp_path: Path, is_live: bool) -> None:
    path = tmp_path / "x.sql"
    path.write_text("-- kind: value\nSELECT 1")
    (tmp_path / "y.sql").write_text("-- kind: value\nSELECT 9")
    with jutsu_sql.connect("sqlite://", queries=tmp_path, reload_queries=is_live) as db:
        unchanged = db.queries["y"]
        assert db.run("x") == 1
        write_later(path, "-- kind: value\nSELECT 2")
        assert db.run("x") == db.q.x() == (2 if is_live else 1)
        if not is_live:
            return
        write_later(path, "SELECT")
        for _ in range(2):
            with pytest.raises(QuerySyntaxError, match="lacks a line"):
                db.run("x")
        write_later(path, "-- kind: many\nSELECT 3")
        assert db.run("x") == [(3,)]
        write_later(tmp_path / "z.sql", "-- kind: value\nSELECT 4")
        assert db.q.z() == 4
        path.unlink()
        with pytest.raises(QueryNotFoundError):
            db.run("x")
        assert db.queries["y"] is unchanged


def write_later(path: Path, text: str) -> None:
    """As an editor does, however coarse the clock of the file system is."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before + 1_000_000_000,) * 2)
