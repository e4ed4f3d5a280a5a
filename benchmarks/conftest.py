"""Both engines in scratch space, and how a scenario becomes a pytest-benchmark."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from jutsu_sql.bench import (
    NotMeasuredError,
    Result,
    Samples,
    Scale,
    Scenario,
    Space,
    judge,
    limit_of,
    open_space,
    second_chance,
)
from jutsu_sql.config import load_config
from jutsu_sql.scratch_server import scratch_server

Run = Callable[[Scenario], Result]


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Each engine: a file, and ``JUTSU_TEST_POSTGRES_URL`` or a throw-away server."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('bench')}/bars.db"
        return
    with ExitStack() as stack:
        given = os.environ.get("JUTSU_TEST_POSTGRES_URL")
        yield given or stack.enter_context(scratch_server()).url


@pytest.fixture
def space(database_url: str, tmp_path: Path) -> Iterator[Space]:
    """Scratch space at full scale; no .env and no config.yaml has a say in it."""
    with open_space(load_config(database_url, directory=tmp_path), Scale.of("full")) as opened:
        yield opened


@pytest.fixture
def run(benchmark: Any, space: Space) -> Run:
    """Measure a scenario: pytest-benchmark times the subject, and we, before it, the reference."""

    def measured(scenario: Scenario) -> Result:
        limit = limit_of(scenario, space)
        try:
            with scenario.prepare(space) as case:
                reference_s: list[float] = []

                def before() -> None:
                    if case.reference is not None:
                        case.reset()
                        start = perf_counter()
                        case.reference()
                        reference_s.append(perf_counter() - start)
                    case.reset()

                benchmark.pedantic(
                    case.subject, setup=before, rounds=scenario.rounds, warmup_rounds=1
                )
                samples = Samples(case.work, benchmark.stats.stats.data, reference_s[1:])
                result = second_chance(scenario, case, judge(scenario, limit, samples))
        except NotMeasuredError as error:
            pytest.fail(f"{scenario.name} was not measured: {error}")
        benchmark.extra_info.update(
            measures=scenario.measures,
            verdict=result.verdict,
            value=result.value,
            limit=limit,
            ratio=result.ratio,
            rate=result.rate,
            note=result.note,
        )
        return result

    return measured
