"""What fails a release when it is missed."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from conftest import Run

import jutsu_sql
from jutsu_sql.bench import SCENARIOS, Scenario, Verdict

pytestmark = [pytest.mark.gate, pytest.mark.benchmark(disable_gc=True)]

_IMPORT_ROUNDS = 9
_IMPORT_LIMIT = 1.5
_MEMORY_LIMIT_MB = 100.0
_TELEMETRY_LIMIT_US = 1.0
_PING_LIMIT = 1.15
_LOOKUPS, _PAIRS = 100, 201
_TIMED = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"


@pytest.mark.parametrize(
    "scenario", [s for s in SCENARIOS if s.limits], ids=lambda scenario: scenario.name
)
def test_gate(run: Run, scenario: Scenario) -> None:
    result = run(scenario)
    assert result.verdict is Verdict.PASS, f"{result.value:.4g} against {result.limit}"


def _import_seconds(statement: str) -> float:
    answer = subprocess.run(
        [sys.executable, "-c", _TIMED.format(statement)], check=True, capture_output=True, text=True
    )
    return float(answer.stdout)


def test_import_light(benchmark: Any) -> None:
    """In fresh interpreters, whose own start is not counted."""
    reference_s: list[float] = []
    subject_s: list[float] = []

    def pair() -> None:
        reference_s.append(_import_seconds("import psycopg, numpy"))
        subject_s.append(_import_seconds("import jutsu_sql"))

    benchmark.pedantic(pair, rounds=_IMPORT_ROUNDS, warmup_rounds=1)
    pairs = zip(subject_s[1:], reference_s[1:], strict=True)
    ratio = statistics.median(subject / reference for subject, reference in pairs)
    benchmark.extra_info["ratio"] = ratio
    assert ratio <= _IMPORT_LIMIT


def test_memory_1m(benchmark: Any, database_url: str) -> None:
    """What the process holds at most beyond the caller's arrays: see memory.py."""
    script = Path(__file__).with_name("memory.py")

    def write() -> str:
        answer = subprocess.run(
            [sys.executable, script, database_url], check=True, capture_output=True, text=True
        )
        return answer.stdout

    megabytes = float(benchmark.pedantic(write, rounds=1))
    benchmark.extra_info["megabytes"] = megabytes
    assert megabytes <= _MEMORY_LIMIT_MB


def _fastest_s(
    benchmark: Any, subject: Callable[[str], Any], reference: Callable[[str], Any]
) -> tuple[float, float]:
    """Seconds of one call of each, of one query: the fastest tenth of short samples in turn.

    What else runs here only ever adds time, and far more than is looked for.
    """
    samples: list[tuple[float, float]] = []

    def timed(run: Callable[[str], Any]) -> float:
        start = perf_counter()
        for _ in range(_LOOKUPS):
            run("schema.is_migrated")
        return (perf_counter() - start) / _LOOKUPS

    def pair() -> None:
        if len(samples) % 2:  # whichever comes second may be the faster one
            samples.append((timed(subject), timed(reference)))
        else:
            second = timed(reference)
            samples.append((timed(subject), second))

    benchmark.pedantic(pair, rounds=_PAIRS, warmup_rounds=1)
    subject_s, reference_s = zip(*samples[1:], strict=True)
    return statistics.quantiles(subject_s, n=10)[0], statistics.quantiles(reference_s, n=10)[0]


# The code is the same on both engines, and round trips of 60 us and more differ by more than 1 us.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_telemetry(benchmark: Any, database_url: str) -> None:
    """What counting adds to a call, on one and the same pinned connection."""
    with (
        jutsu_sql.connect(database_url) as counted,
        jutsu_sql.connect(database_url, telemetry=False) as bare,
        counted.connection() as subject,
    ):
        reference = bare._pinned(subject._raw)
        counted_s, bare_s = _fastest_s(benchmark, subject.run, reference.run)
    added_us = (counted_s - bare_s) * 1e6
    benchmark.extra_info["added_us"] = added_us
    assert added_us <= _TELEMETRY_LIMIT_US


def test_pre_ping(benchmark: Any, database_url: str) -> None:
    """A call through the pool, against the same through a pool that never asks."""
    with (
        jutsu_sql.connect(database_url) as asking,
        jutsu_sql.connect(database_url, pool_pre_ping=False) as trusting,
    ):
        asking_s, trusting_s = _fastest_s(benchmark, asking.run, trusting.run)
    benchmark.extra_info["ratio"] = asking_s / trusting_s
    assert asking_s / trusting_s <= _PING_LIMIT
