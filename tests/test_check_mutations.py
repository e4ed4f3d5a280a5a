"""Mistakes planted in copies of the toolkit's own SQL: a check that misses them proves nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from jutsu_sql.check.findings import Finding
from jutsu_sql.check.pack import Pack
from jutsu_sql.check.run import check
from jutsu_sql.check.scratch import open_scratch
from jutsu_sql.config import DIALECTS, load_config
from jutsu_sql.dialects.checker import Checker
from jutsu_sql.resources import SQL_DIR

# File, what stands there, what is planted (None: the file goes; a file name: it swaps with that).
MISTAKES = [
    # Wrong columns and tables.
    ("bars/at.sql", "SELECT open, high", "SELECT opens, high"),
    ("bars/latest.sql", "ORDER BY ts DESC", "ORDER BY tss DESC"),
    ("bars/read.sqlite.sql", "FROM bars", "FROM bar"),
    ("bars/read.postgresql.sql", "    ORDER BY ts", "    ORDER BY time"),
    ("loads/find.sql", "rows_kept", "rows_keep"),
    ("series/find.sql", "timezone, calendar", '"timezones", calendar'),
    ("stage/compare.sql", "s.volume <> b.volume", "s.volume <> b.volumes"),
    ("stage/merge_new.sql", "FROM stage_changes", "FROM stage_change"),
    ("stage/load.postgresql.sql", "close, volume", "close, volumes"),
    ("bars/load.sqlite.sql", "SELECT series_id", "SELECT serie_id"),
    ("copy/update.sqlite.sql", "FROM {batch}", "FROM {bach}"),
    ("revisions/undo_stage.sql", "later.ts = r.ts", "latest.ts = r.ts"),
    ("batch/bar_rows.sqlite.sql", "CREATE TABLE bar_rows", "CREATE TABEL bar_rows"),
    ("bench/settle.postgresql.sql", "EXECUTE format('ANALYZE", "EXECUT format('ANALYZE"),
    # Columns of one engine only, or elsewhere.
    ("bars/read.sqlite.sql", "SELECT ts, open, high", "SELECT ts, high, open"),
    ("bars/read_latest.sqlite.sql", "close, volume\nFROM (", "close\nFROM ("),
    ("bars/read_many.sqlite.sql", "close, volume\nFROM bars", "close\nFROM bars"),
    ("bars/read_many.postgresql.sql", "array_agg(volume) AS volume", "array_agg(volume) AS last"),
    ("series/named.sqlite.sql", "SELECT series_id, symbol", "SELECT symbol, series_id"),
    # Wrong types.
    ("bars/overlaps.sql", "CAST(:series_id AS int)", "CAST(:series_id AS text)"),
    ("series/find.sql", "CAST(:symbol AS text)", "CAST(:symbol AS int)"),
    ("bars/read_latest.sqlite.sql", "CAST(:n AS bigint)", "CAST(:n AS text)"),
    ("loads/finish.sqlite.sql", "CAST(:kept AS bigint)", "CAST(:kept AS text)"),
    ("loads/note_series.postgresql.sql", "AS timestamptz[])\n", "AS text[])\n"),
    ("stage/create.postgresql.sql", "CAST('' AS text) AS change", "CAST('' AS int) AS change"),
    ("revisions/history.sql", "-- timestamps: ts, known_from,", "-- timestamps: ts,"),
    ("bars/latest.sql", "-- timestamps: ts", "-- timestamps: open"),
    # Swapped and missing halves; kinds.
    ("series/lock.sqlite.sql", None, "series/lock.postgresql.sql"),
    ("series/named.sqlite.sql", None, "series/named.postgresql.sql"),
    ("loads/finish.sqlite.sql", None, None),
    ("series/touch.postgresql.sql", None, None),
    ("bars/at.sql", "-- kind: one", "-- kind: value"),
    ("loads/start.sql", "\nRETURNING load_id", ""),
    ("loads/recent.sql", "-- kind: many", "-- kind: exec"),
    ("bars/read_many.sqlite.sql", "-- kind: columns", "-- kind: many"),
    # Parameters.
    ("bars/read.sqlite.sql", "AND :end", "AND :stop"),
    ("series/touch.sqlite.sql", "= :load_id", "= 1"),
    ("bars/latest.sql", "CAST(:n AS bigint)", "3"),
    ("bars/at.sql", "ts = :ts", "ts = :time"),
    # Plans and dropped indexes.
    ("bars/at.sql", "WHERE series_id =", "WHERE series_id + 0 ="),
    ("bars/delete.sql", "WHERE series_id = CAST(:series_id AS int)", "WHERE :series_id = load_id"),
    ("bars/overlaps.sql", "CAST(:series_id AS int)", "CAST(:series_id AS numeric)"),
    ("bars/read_many.sqlite.sql", "WHERE bars.series_id IN", "WHERE +bars.series_id IN"),
    ("loads/series.sql", "-- kind: many", "-- kind: many\n-- plan: index series"),
    # Another order.
    ("bars/latest.sql", ") AS newest\nORDER BY ts", ") AS newest"),
    ("bars/read_warm.sqlite.sql", "    )\nORDER BY ts", "    )\nORDER BY ts DESC"),
    ("bars/read_many.postgresql.sql", "ORDER BY ts\n", "ORDER BY ts DESC\n"),
    ("series/matching.sql", "ORDER BY series_id", "-- in any order"),
    # Other rows.
    ("bars/read.sqlite.sql", "BETWEEN :start AND :end", "BETWEEN :start AND :end - 1"),
    ("bars/read_latest.postgresql.sql", "ts <= :end", "ts < :end"),
    ("bars/read_latest.sqlite.sql", ") AS newest\nORDER BY ts", ") AS newest\nORDER BY ts DESC"),
    (
        "bars/read_as_of.sqlite.sql",
        "(superseded.finished_at > :as_of",
        "(written.finished_at > :as_of",
    ),
    ("bars/read_warm.postgresql.sql", "ts < :start", "ts <= :start"),
    ("bars/read_many.sqlite.sql", "AND ts BETWEEN :start", "AND ts BETWEEN 0"),
    # Percent signs and colons.
    ("series/summary.sql", "GROUP BY", "WHERE series.symbol NOT LIKE '%%x' GROUP BY"),
    ("bars/overlaps.sql", "THEN 1", "THEN 3 %% 2"),
    ("bars/at.sql", "CAST(:series_id AS int)", ":series_id::int"),
    ("bars/latest.sql", "CAST(:n AS bigint)", "CAST(':n' AS bigint)"),
    ("loads/series.sql", "CAST(:load_id AS int)", "CAST(: load_id AS int)"),
    ("series/find.sql", "CAST(:symbol AS text)", "CAST('it's' AS text)"),
    # What compiles everywhere and is not the same.
    ("series/matching.sql", "SELECT series_id, symbol, timeframe", "SELECT *"),
    (
        "rejected/list.sql",
        "load_id = coalesce(CAST(:load_id AS int), load_id)",
        "ts > '2024-01-01'",
    ),
    ("series/find.sql", "calendar, last_load_id", "calendar, last_load_id AS user"),
    ("rejected/list.sql", "load_id = coalesce(", ":load_id IS NULL OR load_id = coalesce("),
]


@pytest.fixture(scope="module")
def checkers(postgres_url: str) -> Iterator[dict[str, Checker]]:
    with open_scratch(DIALECTS, load_config(postgres_url)) as opened:
        yield opened


@pytest.fixture(scope="module")
def own_sql(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("own") / "sql"
    shutil.copytree(SQL_DIR, copy)
    return copy


def plant(path: Path, standing: str | None, planted: str | None) -> None:
    if standing is not None:
        text = path.read_text("utf-8")
        assert standing in text, f"{path} has changed: plant the mistake anew"
        path.write_text(text.replace(standing, planted or "", 1), "utf-8")
    elif planted is None:
        path.unlink()
    else:
        other = path.parents[1] / planted
        texts = path.read_text("utf-8"), other.read_text("utf-8")
        other.write_text(texts[0], "utf-8")
        path.write_text(texts[1], "utf-8")


def test_nothing_is_found_in_the_toolkits_own_sql(checkers: dict[str, Checker]) -> None:
    assert check(Pack([SQL_DIR], DIALECTS), checkers) == []


@pytest.mark.parametrize(
    ("file", "standing", "planted"), MISTAKES, ids=[f"{m[0]}-{i}" for i, m in enumerate(MISTAKES)]
)
def test_a_mistake_is_found(
    checkers: dict[str, Checker],
    own_sql: Path,
    file: str,
    standing: str | None,
    planted: str | None,
) -> None:
    name = file.split(".", maxsplit=1)[0].replace("/", ".")
    kept = {path: path.read_text("utf-8") for path in (own_sql / file).parent.glob("*.sql")}
    try:
        plant(own_sql / file, standing, planted)
        found = check(Pack([own_sql], DIALECTS), checkers, {name})
    finally:
        for path, text in kept.items():
            path.write_text(text, "utf-8")
    assert any(not finding.is_note for finding in found), (file, standing, planted)
    assert all(own_sql in Path(finding.path).parents for finding in found)


def test_a_dropped_index_breaks_its_promises(newest_postgres_url: str, tmp_path: Path) -> None:
    for dialect, text in {
        "postgresql": "ALTER TABLE bars DROP CONSTRAINT bars_pkey;",
        "sqlite": "CREATE TABLE heap AS SELECT * FROM bars; DROP VIEW market_data; DROP TABLE bars;"
        " ALTER TABLE heap RENAME TO bars;",
    }.items():
        (tmp_path / dialect).mkdir()
        (tmp_path / dialect / "no_index.sql").write_text(text)
    pack = Pack([SQL_DIR], DIALECTS)
    promised = {
        name for name, entry in pack.entries.items() if "index bars" in entry.texts()[0].plans
    }
    with open_scratch(DIALECTS, load_config(newest_postgres_url), [tmp_path]) as checkers:
        found = check(pack, checkers, promised)
    broken: set[tuple[str, str]] = {
        (finding.query, dialect)
        for finding in found
        for dialect in DIALECTS
        if finding.rule == "plan" and f"on {dialect}" in finding.message
    }
    assert broken == {(name, dialect) for name in promised for dialect in DIALECTS}
    assert isinstance(found[0], Finding)
