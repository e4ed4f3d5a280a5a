"""Benchmarks: what the toolkit promises, measured on a database's engine in scratch space.

A *gate* has a target and fails the run when it misses it; the rest is informational. Where a
target is a ratio, its reference is measured in the same run, sample by sample in turn.
"""

from __future__ import annotations

from jutsu_sql.bench.scenarios import (
    SCENARIOS,
    limit_of,
    measure_one,
    second_chance,
    synthetic_bars,
)
from jutsu_sql.bench.scratch import Scale, Space, open_space
from jutsu_sql.bench.verdict import (
    Case,
    Metric,
    NotMeasuredError,
    Result,
    Samples,
    Scenario,
    Verdict,
    judge,
    measure,
)

__all__ = [
    "SCENARIOS",
    "Case",
    "Metric",
    "NotMeasuredError",
    "Result",
    "Samples",
    "Scale",
    "Scenario",
    "Space",
    "Verdict",
    "judge",
    "limit_of",
    "measure",
    "measure_one",
    "open_space",
    "second_chance",
    "synthetic_bars",
]
