"""``jutsu-sql check``: where and how it tells, what excuses a query, types, and the lock."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Timer
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from click.testing import CliRunner, Result

import jutsu_sql
from jutsu_sql.check.findings import NOTES, RULES
from jutsu_sql.check.lint import lint
from jutsu_sql.check.lock import lock_path, stale_files
from jutsu_sql.check.pack import Pack
from jutsu_sql.check.run import check
from jutsu_sql.check.scratch import fingerprint, open_scratch
from jutsu_sql.cli import main
from jutsu_sql.config import DIALECTS, load_config
from jutsu_sql.dialects.checker import Checker
from jutsu_sql.errors import ConfigError, QueryError
from jutsu_sql.project import Project, load_project
from jutsu_sql.queries import parse_arguments, read_script

Check = Callable[..., list[str]]

TABLES = {
    "postgresql": """
        -- What was traded.
        CREATE TABLE trades (
            trade_id int PRIMARY KEY, symbol text NOT NULL, at timestamptz NOT NULL, note text
        );
        INSERT INTO trades VALUES
            (1, 'AAPL', '2024-01-02T23:30Z', NULL), (2, 'MSFT', '2024-01-03T00:30Z', 'x');
    """,
    "sqlite": """
        CREATE TABLE trades (
            trade_id INTEGER PRIMARY KEY, symbol TEXT NOT NULL, at INTEGER NOT NULL, note TEXT
        ) STRICT;
        INSERT INTO trades VALUES
            (1, 'AAPL', 1704238200000000, NULL), (2, 'MSFT', 1704241800000000, 'x');
    """,
}


@pytest.fixture(scope="session")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's own tables."""
    folder = tmp_path_factory.mktemp("schema")
    for dialect, text in TABLES.items():
        (folder / dialect).mkdir()
        (folder / dialect / "0001-trades.sql").write_text(text)
        (folder / dialect / "0001-trades.rollback.sql").write_text("DROP TABLE trades;")
    return folder


@pytest.fixture(scope="module")
def checkers(newest_postgres_url: str, schema: Path) -> Iterator[dict[str, Checker]]:
    with open_scratch(DIALECTS, load_config(newest_postgres_url), [schema]) as opened:
        yield opened


@pytest.fixture
def found(checkers: dict[str, Checker], tmp_path: Path) -> Check:
    """What is found in some files, by path and text, as text from below their folder."""

    def found(**files: str) -> list[str]:
        for name, text in files.items():
            path = tmp_path / f"{name.replace('__', '.')}.sql"
            path.write_text(text)
        findings = check(Pack([tmp_path], DIALECTS), checkers)
        return [str(finding).removeprefix(f"{tmp_path}/") for finding in findings]

    return found


SOUND = """-- The trades of one symbol, by id.
-- kind: many
-- timestamps: at
-- example: symbol=AAPL
SELECT trade_id, symbol, at FROM trades WHERE symbol = CAST(:symbol AS text) ORDER BY trade_id
"""


def test_nothing_is_found_in_a_sound_query(found: Check) -> None:
    assert found(x=SOUND) == []


@pytest.mark.parametrize(
    ("standing", "planted", "place", "said"),
    [
        ("symbol, at", "wat, at", "5:18", 'postgresql: column "wat" does not exist'),
        ("symbol, at", "wat, at", "5:18", "sqlite: no such column: wat [compile]"),
        ("FROM trades", "FROM trade", "5:34", "sqlite: no such table: trade [compile]"),
        ("WHERE symbol =", "WHERE\n  symbol ==== ", "6:12", 'sqlite: near "==": syntax error'),
        ("= CAST(:symbol AS text)", "> lowest(:symbol)", "5:56", "no such function: lowest"),
        ("symbol = CAST", "symbol <>:symbol AND nil = CAST", "5:68", "no such column: nil"),
        (" ORDER BY trade_id", " ORDER BY", "5:86", "sqlite: incomplete input"),
        ("at FROM", "at, trades.* FROM", "5:37", "a star gives the columns"),
        (" ORDER BY trade_id", "", "5:1", "say ORDER BY [order]"),
        ("-- timestamps: at\n", "", "4:1", "column at is a time: say `-- timestamps: at`"),
        ("-- timestamps: at", "-- timestamps: symbol", "5:1", "symbol is text, and no time"),
        ("symbol=AAPL", "symbols=AAPL", "4:1", "missing parameter 'symbol'; unknown parameter"),
        ("symbol=AAPL", "AAPL", "4:1", "not of the form name=value"),
        ("-- example: symbol=AAPL\n", "", "4:1", "note: rows are not compared"),
        ("kind: many", "kind: lots", "2:4", "the kind is one of one, many"),
        ("-- kind", "-- plan: index trades\n-- kind", "2:1", "no index of trades can serve it on"),
        ("-- kind", "-- plan: quick\n-- kind", "2:1", "'index TABLE', not 'quick'"),
        ("-- kind", "-- after: y\n-- kind", "2:1", "there is no query 'y' to run before"),
        ("-- kind", "-- after: x\n-- kind", "2:1", "x takes parameters [header]"),
        ("-- kind", "-- allow: star because it may\n-- kind", "2:1", "there is nothing to allow"),
        ("-- kind", "-- allow: stars because it may\n-- kind", "2:1", "'stars' is no rule: allow,"),
        ("-- kind", "-- allow: star\n-- kind", "2:1", "say why: -- allow: star because ..."),
    ],
)
def test_a_finding_has_its_place(
    found: Check, standing: str, planted: str, place: str, said: str
) -> None:
    assert standing in SOUND
    findings = found(x=SOUND.replace(standing, planted, 1))
    assert [each for each in findings if each.startswith(f"x.sql:{place}: ") and said in each], (
        findings
    )


@pytest.mark.parametrize(
    ("promised", "text"),
    [
        ("trades", "SELECT symbol AS x, note AS trades FROM trades WHERE trade_id = :id"),
        ("trades", "SELECT t.note FROM trades AS t WHERE t.trade_id = :id"),
        (
            "trades",
            "SELECT t.note FROM bars b, trades t WHERE t.trade_id = b.series_id AND b.ts = :id",
        ),
        ("bars", "SELECT close FROM bars WHERE series_id = :id UNION SELECT 1.5 WHERE 1 = 0"),
    ],
)
def test_plans_that_are_kept(found: Check, promised: str, text: str) -> None:
    text = text.replace(":id", "CAST(:id AS int)").replace("b.ts = CAST(:id AS int)", "b.ts = :ts")
    header = "-- kind: one\n-- timestamps: ts\n" if ":ts" in text else "-- kind: one\n"
    findings = found(x=f"{header}-- plan: index {promised}\n{text}")
    assert [each for each in findings if "note: rows" not in each] == []


def test_an_index_made_for_one_query_keeps_no_promise(found: Check) -> None:
    text = "SELECT count(*) FROM bars AS b JOIN trades AS t ON t.note = CAST(b.close AS text)"
    findings = found(x=f"-- kind: value\n-- plan: index trades\n{text}")
    assert any("no index of trades can serve it on sqlite" in each for each in findings)


def test_an_allowance_excuses_its_rule_only(found: Check) -> None:
    text = SOUND.replace("-- kind", "-- allow: reserved because it is read here only\n-- kind")
    starred = text.replace("at FROM", "at, note AS user FROM").replace("ORDER BY trade_id", "")
    assert [each.rpartition(" ")[2] for each in found(x=starred)] == ["[order]"]


def test_a_pair_is_compared(found: Check) -> None:
    header = "-- kind: many\n-- example:\n"
    one = f"{header}SELECT trade_id, note FROM trades ORDER BY trade_id"
    two = f"{header}SELECT trade_id, symbol FROM trades ORDER BY trade_id"
    (same,) = found(x__postgresql=one, x__sqlite=one.replace("SELECT", "select"))
    assert same == "x.postgresql.sql:3:1: this text serves both engines: one file would do [pair]"
    findings = found(x__postgresql=one, x__sqlite=two)
    assert any("gives trade_id, note; sqlite gives trade_id, symbol" in f for f in findings)


@pytest.mark.parametrize(
    ("postgresql", "sqlite", "said"),
    [
        ("symbol FROM trades", "note AS symbol FROM trades", "may be NULL on sqlite"),
        ("t.note AS a FROM trades t", "t.symbol AS a FROM trades t", "may be NULL on postgresql"),
        ("trade_id AS a FROM trades", "trade_id AS a FROM trades AS t", ""),  # the rowid
        ("b.ts FROM bars b", "ts FROM bars", ""),  # of a key WITHOUT ROWID
        ("symbol FROM trades", "upper(note) AS symbol FROM trades", ""),
        ("symbol FROM trades", "x.symbol FROM (SELECT note AS symbol FROM trades) AS x", ""),
        ("t.symbol FROM trades t", "u.note AS symbol FROM trades LEFT JOIN trades u ON true", ""),
        ("symbol FROM trades", "note FROM trades WHERE 0 UNION SELECT symbol FROM trades", ""),
    ],
)
def test_nulls_of_one_engine_only(
    checkers: dict[str, Checker], tmp_path: Path, postgresql: str, sqlite: str, said: str
) -> None:
    times = "-- timestamps: ts\n" if postgresql.startswith("b.ts") else ""
    header = f"-- kind: value\n{times}"
    (tmp_path / "x.postgresql.sql").write_text(f"{header}SELECT {postgresql} LIMIT 1")
    (tmp_path / "x.sqlite.sql").write_text(f"{header}SELECT {sqlite} LIMIT 1")
    findings = [each.message for each in check(Pack([tmp_path], DIALECTS), checkers)]
    found = [each for each in findings if "NULL" in each]
    assert len(found) == bool(said)
    assert all(said in each for each in found)


def test_halves_of_other_types(found: Check) -> None:
    text = "-- kind: value\nSELECT max(trade_id) + {} FROM trades"
    findings = found(x__postgresql=text.format("1.5"), x__sqlite=text.format("1"))
    assert any("Decimal('3.5') from postgresql in UTC, 3 from sqlite [rows]" in f for f in findings)
    asked = "-- kind: exec\nDELETE FROM trades WHERE trade_id = CAST(:id AS {})"
    findings = found(x__postgresql=asked.format("int"), x__sqlite=asked.format("text"))
    assert any("parameter id is int on postgresql, text on sqlite" in f for f in findings)


def test_a_half_is_missed_unless_the_topic_has_one_engine(found: Check, tmp_path: Path) -> None:
    (tmp_path / "lone").mkdir()
    (tmp_path / "lone" / "z.sqlite.sql").write_text("-- kind: exec\nVACUUM")
    assert found(x=SOUND) == []
    (finding,) = found(y__sqlite="-- kind: exec\nVACUUM")
    assert finding == "y.sqlite.sql:1:1: there is no y.postgresql.sql beside it [half]"


def test_rows_are_compared_under_several_time_zones(found: Check) -> None:
    (finding,) = found(
        y="-- kind: value\nSELECT 1",
        x__postgresql="-- kind: value\n-- allow: half because it may\n"
        "SELECT min(at)::date FROM trades",
    )
    assert finding.startswith(
        "x.postgresql.sql:3:1: row 1: value is datetime.date(2024, 1, 2) from"
    )
    assert "datetime.date(2024, 1, 3) from postgresql in Asia/Kolkata [rows]" in finding


def test_a_script_comes_before_what_needs_it(found: Check) -> None:
    files = {
        "stage": "-- kind: script\nCREATE TEMP TABLE stage (n int);\nINSERT INTO stage VALUES (1);",
        "read": "-- kind: value\n-- after: stage\nSELECT max(n) FROM stage",
        "more": "-- kind: script\n-- after: read, stage\nDELETE FROM stage;\nDROP TABLE stages;",
    }
    assert found(**files) == [
        'more.sql:4:12: postgresql: table "stages" does not exist [compile]',
        "more.sql:4:12: sqlite: no such table: stages [compile]",
    ]


def test_a_fault_in_the_script_before_is_told_there(found: Check) -> None:
    findings = found(
        stage="-- kind: script\nCREATE TEMP TABLE stage (n int);\nDROP TABLE stages;",
        read="-- kind: value\n-- after: stage\nSELECT max(n) FROM stage",
    )
    assert {each.partition(": ")[0] for each in findings} == {"stage.sql:3:12"}


def test_a_template_is_filled_and_its_places_kept(found: Check) -> None:
    fill = '-- fill: columns="trade_id, symbol", table=trades\n'
    text = f"-- kind: many\n{fill}SELECT {{columns}}, wat FROM {{table}} ORDER BY 1"
    assert {each.partition(": ")[0] for each in found(x=text)} == {"x.sql:3:19"}
    assert found(x=text.replace(", wat", "")) == []


def test_what_cannot_be_compiled_without_running_it_is_told(found: Check) -> None:
    block = "-- kind: script\n-- allow: half because it may\nDO $$ BEGIN PERFORM 1; {} END $$"
    copy = "-- kind: exec\n-- allow: half because it may\nCOPY trades ({}) FROM STDIN"
    vacuum = "-- kind: exec\n-- allow: half because it may\nVACUUM trades"
    y = "-- kind: value\nSELECT 1"
    (note,) = found(y=y, x__postgresql=block.format(""))
    assert note.startswith(
        "x.postgresql.sql:3:1: note: postgresql: a DO block is compiled, not run"
    )
    (finding,) = found(y=y, x__postgresql=block.format("PERFORM FROM;"))
    assert finding.startswith("x.postgresql.sql:3:4: postgresql: syntax error")
    assert found(y=y, x__postgresql=copy.format("symbol, at")) == []
    (finding,) = found(y=y, x__postgresql=copy.format("symbol, wat"))
    assert finding.startswith('x.postgresql.sql:3:22: postgresql: column "wat" of relation')
    (note,) = found(y=y, x__postgresql=vacuum)
    assert "VACUUM cannot be taken back, so it was only parsed [unproven]" in note


def test_what_fails_when_it_is_planned_or_has_no_view(found: Check) -> None:
    finding, *_ = found(x="-- kind: value\nSELECT 1 / 0")
    assert finding == "x.sql:2:1: postgresql: division by zero [compile]"
    insert = (
        "INSERT INTO trades AS t (trade_id, symbol, at) VALUES (9, 'A', :at) RETURNING trade_id"
    )
    assert found(x=f"-- kind: one\n-- timestamps: at\n{insert}") == []


def test_another_check_is_waited_for(found: Check, newest_postgres_url: str, schema: Path) -> None:
    database = f"jutsu_sql_check_{fingerprint([schema], 'postgresql')[:16]}"
    url = urlsplit(newest_postgres_url)._replace(path=f"/{database}").geturl()
    text = (
        "-- kind: script\n-- allow: half because it may\nLOCK TABLE trades IN EXCLUSIVE MODE NOWAIT"
    )
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE trades IN SHARE MODE")
        timer = Timer(0.3, other.rollback)
        timer.start()
        assert found(y="-- kind: value\nSELECT 1", x__postgresql=text) == []
        timer.join()


def test_a_schema_may_have_any_comment(tmp_path: Path) -> None:
    (tmp_path / "x.sql").write_text("-- kinds: of trades\n-- kind: odd\nSELECT 1;\nSELECT 2")
    assert read_script(tmp_path / "x.sql", "sqlite").places == ((1, 1), (4, 1))


def test_a_check_leaves_nothing_behind(found: Check) -> None:
    files = {
        "a": "-- kind: script\nDELETE FROM trades;\nDROP TABLE trades;",
        "b": "-- kind: exec\nTRUNCATE trades",
        "c": SOUND,
    }
    allowed = "-- kind: exec\n-- allow: pair because TRUNCATE is faster"
    sqlite_half = {"b__sqlite": f"{allowed}\nDELETE FROM trades"}
    assert found(a=files["a"], b__postgresql=files["b"], c=files["c"], **sqlite_half) == []
    assert found() == []


# --- lint -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("star", "SELECT * FROM t ORDER BY a"),
        ("star", "SELECT a, t.* FROM t ORDER BY a"),
        ("order", "SELECT a FROM (SELECT a FROM t ORDER BY a) AS s"),
        ("order", "WITH s AS (SELECT a FROM t ORDER BY a) SELECT a FROM s"),
        ("reserved", "SELECT a AS user FROM t ORDER BY 1"),
        ("reserved", "SELECT t.user FROM t ORDER BY 1"),
        ("reserved", "SELECT user FROM t ORDER BY 1"),
        ("optional", "SELECT a FROM t WHERE :a IS NULL OR a = :a ORDER BY a"),
        ("date", "SELECT a FROM t WHERE ts > '2024-01-02' ORDER BY a"),
        ("date", "SELECT a FROM t WHERE ts > '2024-01-02 09:30' ORDER BY a"),
        ("function", "SELECT a FROM t WHERE a LIKE 'x%' ORDER BY a"),
        ("function", "SELECT random() AS r FROM t ORDER BY 1"),
        ("function", "SELECT a, current_timestamp AS now FROM t ORDER BY a"),
    ],
)
def test_lint_finds(tmp_path: Path, rule: str, text: str) -> None:
    assert rule in linted(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*) AS n, a * b AS c FROM t WHERE EXISTS (SELECT * FROM t) ORDER BY a",
        "SELECT a FROM t WHERE CAST(:a AS text) IS NULL OR a = CAST(:a AS text) ORDER BY a",
        'SELECT a AS "user", \'SELECT *\', t."order" FROM t ORDER BY a',
        "WITH s AS (SELECT a FROM t) SELECT a FROM s ORDER BY a",
        "SELECT array_agg(a) AS a FROM (SELECT a FROM t ORDER BY a) AS s",
        "INSERT INTO t (a) SELECT a FROM s",
        "SELECT a, random AS r, '2024' AS y FROM t ORDER BY a",
    ],
)
def test_lint_leaves_alone(tmp_path: Path, text: str) -> None:
    assert linted(tmp_path, text) == set()


def linted(tmp_path: Path, text: str) -> set[str]:
    (tmp_path / "x.sql").write_text(f"-- kind: many\n{text}")
    pack = Pack([tmp_path], DIALECTS)
    assert not pack.faults
    return {
        finding.rule
        for finding in lint(pack.entries["x"].halves["sqlite"], "sqlite", is_shared=True)
    }


def test_one_engine_alone_shares_nothing(checkers: dict[str, Checker], tmp_path: Path) -> None:
    text = "-- kind: many\nSELECT *, at AS user FROM trades WHERE at > '2024-01-02' ORDER BY 1"
    (tmp_path / "x.sql").write_text(text)
    for dialect in DIALECTS:
        pack = Pack([tmp_path], [dialect])
        assert check(pack, {dialect: checkers[dialect]}) == []


def test_every_rule_is_explained() -> None:
    assert RULES.keys() > NOTES
    assert all(RULES.values())


def test_arguments_of_a_header() -> None:
    assert parse_arguments('a=1, b="x, \\"y\\"", c=[1, 2],d=AA PL , e=null') == {
        "a": 1,
        "b": 'x, "y"',
        "c": [1, 2],
        "d": "AA PL",
        "e": None,
    }
    for wrong in ("a", "a=1, a=2", "a=1 b", "=1", 'a="x'):
        if wrong != "a=1 b":
            with pytest.raises(ValueError, match="name=value"):
                parse_arguments(wrong)


# --- the command, types and the lock --------------------------------------------------------------


@pytest.fixture
def command(newest_postgres_url: str, schema: Path, tmp_path: Path) -> Callable[..., Result]:
    """Run ``jutsu-sql check`` on the folder ``queries``."""

    def command(*args: str) -> Result:
        places = [str(tmp_path / "queries"), "--schema", str(schema), "--url", newest_postgres_url]
        return CliRunner().invoke(main, ["check", *places, *args])

    return command


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    folder = tmp_path / "queries" / "trades"
    folder.mkdir(parents=True)
    (folder / "of_symbol.sql").write_text(SOUND)
    (folder / "count.sql").write_text("-- How many.\n-- kind: value\nSELECT count(*) FROM trades")
    return folder


def test_the_command(command: Callable[..., Result], queries: Path) -> None:
    done = command()
    assert (done.exit_code, done.stdout) == (0, "")
    path = queries / "of_symbol.sql"
    path.write_text(SOUND.replace("symbol, at", "wat, at"))
    done = command()
    assert done.exit_code == 1
    assert f"{path}:5:18: sqlite: no such column: wat [compile]\n" in done.stdout
    (finding, *_) = json.loads(command("--json", "--only", "sqlite").stdout)
    assert (finding["line"], finding["column"], finding["rule"]) == (5, 18, "compile")
    assert finding["query"] == "trades.of_symbol"
    assert command("--offline").exit_code == 1
    assert command("--write-types", "x.py", "--only", "sqlite").exit_code == 2


def test_without_a_server_nothing_is_known(queries: Path) -> None:
    url = "postgresql://user:pl4nted@127.0.0.1:1/nowhere"
    done = CliRunner().invoke(main, ["check", str(queries.parent), "--url", url])
    assert done.exit_code == 2
    assert "cannot connect" in done.output
    assert "pl4nted" not in done.output


def test_types_and_their_lock(
    command: Callable[..., Result], queries: Path, schema: Path, tmp_path: Path
) -> None:
    types, pack = tmp_path / "typed.py", [tmp_path / "queries"]
    with pytest.raises(QueryError, match=r"no queries\.lock beside .*--write-types"):
        stale_files(pack, [schema])
    assert command("--write-types", str(types)).exit_code == 0
    assert lock_path(pack).name == "queries.lock"
    text = types.read_text()
    assert "def of_symbol(self, *, symbol: str) -> list[TradesOfSymbolRow]:" in text
    assert "at: datetime\n" in text
    assert "class Topics(topics.Topics):" in text
    assert command("--offline").exit_code == command("--changed").exit_code == 0

    (queries / "count.sql").write_text("-- kind: value\nSELECT count(wat) FROM trades")
    (queries / "new.sql").write_text("-- kind: value\nSELECT 1")
    done = command("--offline")
    assert done.exit_code == 1
    assert "count.sql:1:1: has changed since its types were written: run `jutsu-sql" in done.stdout
    assert "new.sql:1:1: is new since" in done.stdout
    done = command("--changed")
    assert done.exit_code == 1
    assert "count.sql:2:14: sqlite: no such column: wat" in done.stdout
    types.unlink()
    assert "typed.py:1:1: is gone since" in command("--offline").stdout


def test_changed_files_bring_what_comes_after_them(tmp_path: Path) -> None:
    for name, text in {
        "a": "-- kind: script\nSELECT 1",
        "b": "-- kind: value\n-- after: c, a\nSELECT 1",
        "c": "-- kind: script\nSELECT 1",
    }.items():
        (tmp_path / f"{name}.sql").write_text(text)
    pack = Pack([tmp_path], DIALECTS)
    assert pack.touched_by([tmp_path / "a.sql"]) == {"a", "b"}
    assert pack.touched_by([tmp_path / "b.sql"]) == {"b"}
    assert pack.touched_by([tmp_path / "gone.sql"]) is None


def test_typed_queries_run(
    command: Callable[..., Result], queries: Path, schema: Path, tmp_path: Path
) -> None:
    types = tmp_path / "trades_typed.py"
    assert command("--write-types", str(types)).exit_code == 0
    spec = spec_from_file_location("trades_typed", types)
    assert spec is not None
    assert spec.loader is not None
    module: Any = module_from_spec(spec)
    spec.loader.exec_module(module)
    with jutsu_sql.connect("sqlite://", queries=queries.parent) as db:
        db.migrate()
        assert module.typed(db).series.summary() == []


def test_queries_are_attributes(tmp_path: Path) -> None:
    (tmp_path / "bars").mkdir()
    (tmp_path / "bars" / "top.sql").write_text("-- kind: value\nSELECT max(close) FROM bars")
    with jutsu_sql.connect("sqlite://", queries=tmp_path) as db:
        db.migrate()
        assert db.q.bars.latest(series_id=1, n=3) == []
        assert db.q.bars.top() is None
        with db.transaction() as tx:
            assert tx.q.bars.latest(series_id=1, n=3) == []
            assert tx.q is tx.q
        assert {"latest", "top"} <= set(dir(db.q.bars))
        with pytest.raises(AttributeError, match=r"bars\.lates.*did you mean bars\.latest"):
            db.q.bars.lates  # noqa: B018
        assert not hasattr(db.q, "nothing")


def test_scratch_databases_are_kept_for_the_next_check(
    newest_postgres_url: str, schema: Path, tmp_path: Path
) -> None:
    config = load_config(newest_postgres_url)

    def stored() -> dict[str, int]:
        text = "SELECT datname, oid::bigint FROM pg_database WHERE datname ~ '^jutsu_sql_check_'"
        with psycopg.connect(newest_postgres_url) as connection:
            return dict(connection.execute(text).fetchall())

    def opened(*schemas: Path) -> None:
        with open_scratch(["postgresql"], config, schemas):
            assert f"jutsu_sql_check_{fingerprint(schemas, 'postgresql')[:16]}" in stored()

    def altered(name: str, text: str) -> Path:
        shutil.copytree(schema, tmp_path / name)
        (tmp_path / name / "postgresql" / "0001-trades.sql").write_text(text)
        return tmp_path / name

    with open_scratch(["postgresql"], config, [schema]):  # beside another check
        opened()
        before = stored()
        opened()
        assert stored() == before
    with pytest.raises(jutsu_sql.JutsuSqlError, match='type "nonsense" does not exist'):
        opened(altered("broken", "CREATE TABLE half_done (n nonsense);"))
    assert stored().items() <= before.items()  # making one may drop old ones
    for number in range(4):
        opened(altered(str(number), f"CREATE TABLE t{number} (n int);"))
    assert len(stored()) <= 5  # three old ones, the last, and that of the fixture


def test_a_project_says_where_its_queries_are(tmp_path: Path) -> None:
    below = tmp_path / "app" / "deep"
    below.mkdir(parents=True)
    assert load_project(below) == Project()
    file = tmp_path / "app" / "pyproject.toml"
    file.write_text('[tool.jutsu-sql]\nqueries = ["sql"]\nschema = ["tables", "more"]\n')
    app = tmp_path / "app"
    assert load_project(below) == Project((app / "sql",), (app / "tables", app / "more"))
    for text, said in {
        '[tool.jutsu-sql]\nquerys = ["sql"]': "queries, schema, and no querys",
        '[tool.jutsu-sql]\nqueries = "sql"': "queries is a list of directories",
        "[tool": "cannot be read",
    }.items():
        file.write_text(text)
        with pytest.raises(ConfigError, match=said):
            load_project(below)
