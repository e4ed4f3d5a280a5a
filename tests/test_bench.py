"""The benchmark's own logic: verdicts from made-up samples, and scratch space. No clock here."""

from __future__ import annotations

import gc
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psycopg
import pytest
from click.testing import CliRunner
from click.testing import Result as CliResult

import jutsu_sql.bench
import jutsu_sql.scratch_server
from jutsu_sql import BarStore, Database
from jutsu_sql.bench import (
    SCENARIOS,
    Case,
    Metric,
    NotMeasuredError,
    Result,
    Samples,
    Scale,
    Scenario,
    Space,
    Verdict,
    judge,
    limit_of,
    measure,
    measure_one,
    open_space,
    second_chance,
    synthetic_bars,
)
from jutsu_sql.cli import main
from jutsu_sql.config import load_config
from jutsu_sql.errors import ConnectionFailedError, DatabaseError, JutsuSqlError

SMALL = Scale.of("small")
SCENARIO_OF = {scenario.name: scenario for scenario in SCENARIOS}


@contextmanager
def unprepared(_space: Any) -> Iterator[Case]:
    yield Case(lambda: None, 1)


def scenario(metric: Metric, **changes: Any) -> Scenario:
    made = Scenario("made_up", "nothing", "bars", 3, unprepared, metric, {"sqlite": 1.0})
    return replace(made, **changes)


# --- verdicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "limit", "verdict"),
    [
        (Metric.SECONDS, 2.0, Verdict.PASS),
        (Metric.SECONDS, 1.99, Verdict.FAIL),
        (Metric.RATE, 50.0, Verdict.PASS),
        (Metric.RATE, 50.1, Verdict.FAIL),
        (Metric.RATIO, 4.0, Verdict.PASS),
        (Metric.RATIO, 3.99, Verdict.FAIL),
        (Metric.SECONDS, None, Verdict.INFO),
        (Metric.RATIO, None, Verdict.INFO),
    ],
)
def test_a_median_at_its_limit_keeps_it(
    metric: Metric, limit: float | None, verdict: Verdict
) -> None:
    samples = Samples(100, [1.0, 2.0, 9.0], [1.0, 0.5, 1.0])
    result = judge(scenario(metric), limit, samples)
    assert result.verdict is verdict
    assert (result.median_s, result.quartiles_s) == (2.0, (1.5, 5.5))
    assert (result.work, result.rounds, result.rate) == (100, 3, 50.0)
    assert (result.ratio, result.ratio_quartiles) == (4.0, (2.5, 6.5))


def test_a_ratio_is_of_pairs_so_that_noise_over_both_cancels_out() -> None:
    # The machine is ten times slower for a while: medians of each side would say 11 / 1.
    samples = Samples(1, [1.1, 11.0, 11.0], [1.0, 10.0, 10.0])
    assert judge(scenario(Metric.RATIO), 1.25, samples).ratio == pytest.approx(1.1)
    uneven = Samples(1, [1.1, 11.0, 1.1], [1.0, 10.0, 1.0])
    assert judge(scenario(Metric.RATIO), 1.25, uneven).ratio == pytest.approx(1.1)


def test_one_sample_has_no_spread() -> None:
    result = judge(scenario(Metric.RATIO), 9.0, Samples(1, [3.0], [2.0]))
    assert (result.quartiles_s, result.ratio_quartiles) == ((3.0, 3.0), (1.5, 1.5))


def test_a_ratio_without_a_reference_is_refused() -> None:
    with pytest.raises(ValueError, match="no reference"):
        judge(scenario(Metric.RATIO), 1.0, Samples(1, [1.0]))


def test_reference_and_subject_take_turns_each_after_a_reset() -> None:
    calls: list[str] = []
    case = Case(
        lambda: calls.append("subject"),
        1,
        lambda: calls.append("reset"),
        lambda: calls.append("reference"),
    )
    samples = measure(case, 2)
    assert calls == ["reset", "reference", "reset", "subject"] * 3
    assert (len(samples.subject_s), len(samples.reference_s)) == (2, 2)  # less the first round


@pytest.mark.parametrize("enabled", [True, False])
def test_no_garbage_is_collected_during_samples(*, enabled: bool) -> None:
    states: list[bool] = []
    was_enabled = gc.isenabled()
    try:
        gc.enable() if enabled else gc.disable()
        with pytest.raises(ZeroDivisionError):
            measure(Case(lambda: states.append(gc.isenabled()) or 1 / 0, 1), 1)
        assert gc.isenabled() is enabled
    finally:
        gc.enable() if was_enabled else gc.disable()
    assert states == [False]


def test_a_miss_is_measured_again_and_longer_and_says_so() -> None:
    runs: list[int] = []
    case = Case(lambda: runs.append(1), 1)
    missed = judge(scenario(Metric.SECONDS), 1.0, Samples(1, [5.0, 5.0, 5.0]))
    again = second_chance(scenario(Metric.SECONDS), case, missed)
    assert (again.verdict, again.rounds, len(runs)) == (Verdict.PASS, 6, 7)
    assert again.note == "missed with 5 in 3 rounds, so measured again"
    hopeless = judge(scenario(Metric.SECONDS), -1.0, Samples(1, [5.0]))
    assert second_chance(scenario(Metric.SECONDS), case, hopeless).verdict is Verdict.FAIL


def test_what_kept_its_target_is_not_measured_again() -> None:
    kept = judge(scenario(Metric.SECONDS), 9.0, Samples(1, [5.0]))
    case = Case(lambda: pytest.fail("measured again"), 1)
    assert second_chance(scenario(Metric.SECONDS), case, kept) is kept


def space_of(scale: Scale) -> Any:
    return SimpleNamespace(
        scale=scale, db=SimpleNamespace(config=SimpleNamespace(dialect="sqlite"))
    )


def test_what_cannot_be_measured_has_not_passed() -> None:
    @contextmanager
    def refused(_space: Any) -> Iterator[Case]:
        raise NotMeasuredError("the server is far away")
        yield

    refusing = scenario(Metric.RATIO, prepare=refused)
    result = measure_one(refusing, space_of(replace(SMALL, is_judged=True)))
    assert result.verdict is Verdict.NOT_MEASURED
    assert (result.limit, result.note) == (1.0, "the server is far away")
    assert result.median_s is None


def test_only_the_full_scale_is_judged() -> None:
    judged = scenario(Metric.SECONDS)
    assert limit_of(judged, space_of(Scale.of("full"))) == 1.0
    assert limit_of(judged, space_of(SMALL)) is None
    assert limit_of(replace(judged, limits=None), space_of(Scale.of("full"))) is None


def test_every_gate_has_a_target_on_both_engines() -> None:
    for each in SCENARIOS:
        assert each.limits is None or set(each.limits) == {"sqlite", "postgresql"}, each.name


# --- the bars -------------------------------------------------------------------------------------


def test_synthetic_bars_are_the_same_every_time_and_all_good() -> None:
    bars, again = synthetic_bars(1_000), synthetic_bars(1_000)
    for name in ("series_index", "ts", "open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(bars, name), getattr(again, name))
    assert len(bars) == 1_000
    assert len(bars.series) == 5
    assert not bars.validate().rejections
    assert np.array_equal(bars.close, bars.close.round(2))


def test_batches_follow_each_other() -> None:
    first, second = synthetic_bars(100), synthetic_bars(100, first=20)
    assert first.series == second.series
    assert first.ts.max() < second.ts.min()


# --- scratch space --------------------------------------------------------------------------------


@pytest.fixture
def user_store(db: Database, store: BarStore) -> BarStore:
    """A user's database with bars under the very names that the benchmark uses."""
    store.write(synthetic_bars(100), source="user")
    return store


def what_is_there(db: Database) -> tuple[Any, ...]:
    """Everything that a benchmark could leave behind or change."""
    path = Path(db.config.database)
    folder = sorted(path.parent.iterdir()) if not db.config.conninfo and path.exists() else []
    schemas: list[Any] = []
    if db.config.conninfo:
        with psycopg.connect(db.config.conninfo) as raw:
            # Schemas of temporary tables are the server's own, and stay.
            text = "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' ORDER BY 1"
            schemas = raw.execute(text).fetchall()
    files = [file for file in folder if not file.name.endswith(("-wal", "-shm"))]
    return files, schemas, BarStore(db).series(), db.run("testing.loads")


@pytest.mark.parametrize(
    "database_url",
    [("sqlite-file", "UTC"), ("sqlite-memory", "UTC"), ("postgresql", "UTC")],
    indirect=True,
    ids="-".join,
)
@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
def test_scratch_space_is_removed_and_the_users_bars_are_not_touched(
    db: Database, user_store: BarStore, error: type[BaseException] | None
) -> None:
    before = what_is_there(db)
    kept = user_store.read("BENCH000", "1m")
    with suppress(RuntimeError, KeyboardInterrupt), open_space(db.config, SMALL) as space:
        assert space.store.series() == []
        # The command's tests run them all on both engines; here one has filled the space, too.
        is_seldom = error is None and db.config.database == ":memory:"
        for each in SCENARIOS if is_seldom else [SCENARIO_OF["insert_10k"]]:
            assert measure_one(each, space, rounds=1).verdict is Verdict.INFO
        assert sum(series.bars for series in space.store.series()) > 0
        if error is not None:
            raise error
    assert what_is_there(db) == before
    again = user_store.read("BENCH000", "1m")
    assert np.array_equal(again.close, kept.close)
    assert np.array_equal(again.ts, kept.ts)


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    config = load_config(f"sqlite:///{tmp_path}/none/bars.db", directory=tmp_path)
    with open_space(config, SMALL) as space:
        assert not Path(space.db.config.database).is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_files_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("jutsu_sql.bench.scratch.tempfile.mkdtemp", refuse)
    config = load_config(f"sqlite:///{tmp_path}/bars.db", directory=tmp_path)
    with (
        pytest.raises(ConnectionFailedError, match="Permission denied"),
        open_space(config, SMALL),
    ):
        pass


def test_settings_of_the_users_connections_are_kept(postgres_database: str) -> None:
    url = f"{postgres_database}?options=-c%20work_mem%3D7MB"
    with (
        open_space(load_config(url), SMALL) as space,
        psycopg.connect(space.db.config.conninfo) as raw,
    ):
        assert raw.execute("SHOW work_mem").fetchone() == ("7MB",)
        assert str(raw.execute("SHOW search_path").fetchone()[0]).startswith("jutsu_bench_")


def test_nobody_empties_a_table_of_bars_by_name(db: Database, user_store: BarStore) -> None:
    before = what_is_there(db)
    with pytest.raises(DatabaseError, match="jutsu_bench"):
        db.run("bench.empty")
    assert what_is_there(db) == before


def test_without_its_own_search_path_there_is_no_schema(db: Database) -> None:
    """As behind a pooler that drops the settings of a session."""
    if not db.config.conninfo:
        assert "bench.create_schema" not in db.queries
        return
    before = what_is_there(db)
    with pytest.raises(DatabaseError, match="jutsu_bench"):
        db.run("bench.create_schema")
    conninfo = psycopg.conninfo.make_conninfo(
        db.config.conninfo, options="-c jutsu_bench.schema=jutsu_bench_lost"
    )
    with (
        jutsu_sql.connect(config=replace(db.config, conninfo=conninfo)) as lost,
        pytest.raises(DatabaseError, match="search_path"),
    ):
        lost.run("bench.create_schema")
    assert what_is_there(db) == before


def test_a_server_that_reads_no_files_is_not_measured(postgres_database: str) -> None:
    parts = urlsplit(postgres_database)
    database = parts.path.removeprefix("/")
    role = f"plain_{database}"
    with psycopg.connect(postgres_database, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'bench'")
        try:
            admin.execute(f"GRANT CREATE ON DATABASE {database} TO {role}")
            url = parts._replace(netloc=f"{role}:bench@{parts.hostname}:{parts.port}").geturl()
            with open_space(load_config(url), replace(SMALL, is_judged=True)) as space:
                result = measure_one(SCENARIO_OF["insert_200k_ratio"], space, rounds=1)
        finally:
            admin.execute(f"DROP OWNED BY {role}")
            admin.execute(f"DROP ROLE {role}")
    assert result.verdict is Verdict.NOT_MEASURED
    assert "cannot COPY from a file" in result.note
    assert result.limit == 1.0


def test_wrong_results_are_no_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that stores fewer bars is not a faster one."""

    def lose_one(self: BarStore, bars: Any, **options: Any) -> Any:
        return whole(self, bars[:-1], **options)

    whole = BarStore.write
    with open_space(load_config(f"sqlite:///{tmp_path}/x.db", directory=tmp_path), SMALL) as space:
        monkeypatch.setattr(BarStore, "write", lose_one)
        with pytest.raises(JutsuSqlError, match="499 rows instead of 500"):
            measure_one(SCENARIO_OF["insert_10k"], space, rounds=1)


# --- the command ----------------------------------------------------------------------------------


def bench(*arguments: str) -> CliResult:
    return CliRunner().invoke(main, ["bench", "--scale", "small", "--rounds", "1", *arguments])


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_json_for_programs(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = f"sqlite:///{tmp_path}/bars.db"
    if database == "postgresql":
        url = request.getfixturevalue("postgres_database")
    answer = bench("--url", url, "--json")
    assert answer.exit_code == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert set(document) == {"machine", "database", "scale", "is_passed", "results"}
    assert set(document["machine"]) == {"python", "engine", "driver", "cpus", "system"}
    assert document["is_passed"] is True
    assert [result["name"] for result in document["results"]] == list(SCENARIO_OF)
    assert set(document["results"][0]) == set(Result.__dataclass_fields__)
    by_name = {result["name"]: result for result in document["results"]}
    assert by_name["insert_200k_ratio"]["work"] == SMALL.bulk
    for name in ("insert_200k_ratio", "point_lookup_ratio"):
        assert by_name[name]["ratio"] > 0


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures without measuring."""

    def judged(each: Scenario, _space: Space, _rounds: int | None) -> Result:
        return judge(replace(each, metric=Metric.SECONDS), None, Samples(10, [0.5]))

    monkeypatch.setattr(jutsu_sql.bench, "measure_one", judged)


@pytest.mark.usefixtures("made_up")
def test_a_table_for_people(tmp_path: Path) -> None:
    answer = bench("--url", f"sqlite:///{tmp_path}/bars.db")
    assert answer.exit_code == 0, answer.stderr
    lines = answer.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == list(SCENARIO_OF)
    assert "SQLite" in lines[-1]
    assert "Python" in lines[-1]
    assert "in scratch space" in answer.stderr


@pytest.mark.parametrize(
    ("verdict", "status"),
    [(Verdict.PASS, 0), (Verdict.INFO, 0), (Verdict.NOT_MEASURED, 0), (Verdict.FAIL, 1)],
)
def test_only_a_missed_target_fails_the_command(
    verdict: Verdict, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made_up(each: Scenario, _space: Space, _rounds: int | None) -> Result:
        result = judge(scenario(Metric.SECONDS, name=each.name), 1.0, Samples(10, [0.5]))
        unmeasured = Result(each.name, "", "bars", verdict, each.metric, limit=1.0, note="far away")
        return unmeasured if verdict is Verdict.NOT_MEASURED else replace(result, verdict=verdict)

    monkeypatch.setattr(jutsu_sql.bench, "measure_one", made_up)
    answer = bench("--url", f"sqlite:///{tmp_path}/bars.db")
    assert answer.exit_code == status
    assert ("missed: insert_10k" in answer.stderr) is bool(status)
    assert ("insert_10k: far away" in answer.stdout) is (verdict is Verdict.NOT_MEASURED)
    assert answer.stdout.count(verdict) >= len(SCENARIOS)


@pytest.mark.usefixtures("made_up")
def test_postgres_without_a_configured_one_starts_a_server(
    postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    @contextmanager
    def server() -> Iterator[Any]:
        started.append(postgres_database)
        yield SimpleNamespace(url=postgres_database, version="99", bindir=Path("/pg/bin"))

    monkeypatch.setattr(jutsu_sql.scratch_server, "scratch_server", server)
    sqlite = bench("--url", f"sqlite:///{tmp_path}/bars.db", "--postgres")
    assert sqlite.exit_code == 0, sqlite.stderr
    assert "no PostgreSQL is configured: starting a throw-away server" in sqlite.stderr
    assert "PostgreSQL 99 from" in sqlite.stderr
    assert "PostgreSQL" in sqlite.stdout.splitlines()[-1]
    configured = bench("--url", postgres_database, "--postgres")
    assert configured.exit_code == 0, configured.stderr
    assert started == [postgres_database]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_behind(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> Result:
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith("jutsu-bench-")]
        signal.raise_signal(number)
        raise AssertionError("the signal went by")

    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(jutsu_sql.bench, "measure_one", interrupted)
    answer = bench("--url", f"sqlite:///{tmp_path}/bars.db")
    assert answer.exit_code == 128 + number
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is handler


def test_no_rounds_are_a_wrong_command_line() -> None:
    assert bench("--rounds", "0").exit_code == 2
