"""What is told of calls on both engines: stats, slow queries, spans, the engine's activity."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import jutsu_sql
from jutsu_sql import BarStore, errors
from jutsu_sql.cli import main
from jutsu_sql.config import load_config
from jutsu_sql.scratch_server import find_binaries, scratch_server

SERIES = {"symbol": ["A", "B"], "timeframe": ["1D", "1D"]}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        found = f"sqlite:///{tmp_path}/bars.db"
        with jutsu_sql.connect(found) as db:
            db.migrate()
        return found
    found = request.getfixturevalue("postgres_database")
    with jutsu_sql.connect(found) as db:
        db.migrate()
    return found


def test_stats_of_calls_bulk_loads_and_the_pool(url: str) -> None:
    with jutsu_sql.connect(url) as db:
        db.copy_into("series", SERIES)
        for symbol in ("A", "B", "C"):
            db.run("series.find", symbol=symbol, timeframe="1D")
        with db.connection() as pinned, pytest.raises(errors.DatabaseError):
            pinned.run("series.find", symbol=object(), timeframe="1D")
        stats = db.stats()
    query, bulk = stats.queries["series.find"], stats.bulk["copy_into series"]
    assert (query.calls, query.rows, query.errors) == (4, 2, 1)
    assert 0 < query.p50_s <= query.p95_s <= query.p99_s <= query.max_s <= query.total_s
    assert (bulk.loads, bulk.rows) == (1, 2)
    assert bulk.rows_per_s > 0
    assert (stats.pool.in_use, stats.pool.failed) == (0, 0)
    assert json.loads(stats.to_json())["queries"]["series.find"]["calls"] == 4


def test_without_telemetry_nothing_is_counted(url: str) -> None:
    with jutsu_sql.connect(url, telemetry=False) as db:
        db.copy_into("series", SERIES)
        db.run("series.find", symbol="A", timeframe="1D")
        assert (db.stats().queries, db.stats().bulk) == ({}, {})


def slow_records(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "jutsu_sql.slow"]


def test_slow_queries_are_logged_without_parameters(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with jutsu_sql.connect(url, slow_query_ms=1e-6) as db:
        db.run("series.find", symbol="SECRET", timeframe="1D")
    (record,) = slow_records(caplog)
    facts = vars(record)
    assert (facts["query_name"], facts["rows"], facts["sqlstate"]) == ("series.find", 0, None)
    assert facts["duration_ms"] > 0
    assert (facts["params"], facts["plan"]) == (None, None)
    assert "SECRET" not in record.getMessage()


def test_with_parameters_and_plan_where_wanted(url: str, caplog: pytest.LogCaptureFixture) -> None:
    settings = {"slow_query_params": True, "slow_query_plan": True}
    with jutsu_sql.connect(url, slow_query_ms=1e-6, **settings) as db:
        with db.transaction() as tx:
            tx.run("series.find", symbol="A", timeframe="1D")
            assert tx.run("series.find", symbol="A", timeframe="1D") is None  # still usable
        db.run("series.find", symbol="A", timeframe="1D")
    for record in slow_records(caplog):
        facts = vars(record)
        assert facts["params"] == {"symbol": "A", "timeframe": "1D"}
        assert "series" in facts["plan"]


def test_fast_queries_are_not_logged(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with jutsu_sql.connect(url, slow_query_ms=60_000) as db:
        db.run("series.find", symbol="A", timeframe="1D")
    assert not slow_records(caplog)


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    found, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(found))
    trace.set_tracer_provider(provider)
    return found


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[InMemorySpanExporter]:
    exporter.clear()
    yield exporter
    exporter.clear()


def test_spans_by_the_conventions(url: str, spans: InMemorySpanExporter) -> None:
    with jutsu_sql.connect(url, otel=True) as db:
        db.run("series.find", symbol="SECRET", timeframe="1D")
        with pytest.raises(errors.DatabaseError):
            db.run("series.find", symbol=object(), timeframe="1D")
        dialect, name = db.config.dialect, db.config.database
    good, bad = spans.get_finished_spans()
    attributes = dict(good.attributes or {})
    assert (good.name, good.kind) == ("series.find", SpanKind.CLIENT)
    assert attributes["db.system.name"] == dialect
    assert attributes["db.namespace"] == name
    assert attributes["db.operation.name"] == "SELECT"
    assert attributes["db.query.summary"] == "series.find"
    assert ("server.address" in attributes) == (dialect == "postgresql")
    assert "SECRET" not in good.to_json()
    assert bad.status.status_code is StatusCode.ERROR
    assert bad.attributes
    assert bad.attributes["error.type"]
    assert not bad.events


def test_activity_is_the_engines(url: str) -> None:
    with jutsu_sql.connect(url) as db:
        activity = db.activity()
    if "files" in activity:
        assert activity["files"][0]["bytes"] > 0
    else:
        assert "jutsu_sql" in [row["application_name"] for row in activity["sessions"]]
        assert "bars" in [row["name"] for row in activity["tables"]]


@pytest.fixture(scope="module")
def counting_url() -> Iterator[str]:
    """A server with pg_stat_statements, which not every build of PostgreSQL has."""
    settings = {"shared_preload_libraries": "pg_stat_statements"}
    for bindir in find_binaries():
        with suppress(errors.ServerError), ExitStack() as stack:
            server = scratch_server(bindir=bindir, durable=False, settings=settings)
            url = stack.enter_context(server).url
            with psycopg.connect(url, autocommit=True) as session:
                session.execute("CREATE EXTENSION pg_stat_statements")
            yield url
            return
    pytest.skip("no PostgreSQL here has pg_stat_statements")


def test_statements_of_the_server_by_the_names_of_queries(
    counting_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A slow query's record has the id that the server counts it by."""
    with jutsu_sql.connect(counting_url, slow_query_ms=1e-6, slow_query_plan=True) as db:
        db.migrate()
        with db.connection() as connection:  # of the costliest statements only the first are told
            connection._raw.execute(b"SELECT pg_stat_statements_reset()")
        caplog.clear()
        for symbol in ("A", "B", "C"):
            db.run("series.find", symbol=symbol, timeframe="1D")
        BarStore(db).read("A", "1D")
        statements = {row["query_name"]: row for row in db.activity()["statements"]}
    found = statements["series.find"]
    assert (found["calls"], found["rows"]) == (3, 0)
    assert found["total_ms"] >= found["mean_ms"] > 0
    ids = {vars(each)["query_name"]: vars(each)["query_id"] for each in slow_records(caplog)}
    assert ids["series.find"] == found["query_id"] != 0
    assert {"series.named", "snapshots.states"} <= statements.keys()
    shown = CliRunner().invoke(main, ["stats", "--url", counting_url])
    assert "series.find" in shown.output


def test_the_command(url: str) -> None:
    plain = CliRunner().invoke(main, ["stats", "--url", url])
    assert plain.exit_code == 0, plain.output
    assert "bytes" in plain.output
    as_json = CliRunner().invoke(main, ["stats", "--json", "--url", url])
    assert "bytes" in as_json.output
    json.loads(as_json.output)


def test_settings_are_in_the_environment_too(tmp_path: Path) -> None:
    environ = {"JUTSU_SLOW_QUERY_MS": "250", "JUTSU_TELEMETRY": "off", "JUTSU_POOL_SIZE": "3"}
    config = load_config("sqlite:///x.db?pool_size=4", environ=environ, directory=tmp_path)
    assert (config.slow_query_ms, config.telemetry, config.pool_size) == (250.0, False, 4)
    with pytest.raises(errors.ConfigError, match="JUTSU_SLOW_QUERY_MS in the environment is 'x'"):
        load_config("sqlite://", environ={"JUTSU_SLOW_QUERY_MS": "x"}, directory=tmp_path)
