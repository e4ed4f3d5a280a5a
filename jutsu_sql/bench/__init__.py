"""Benchmarks: what the toolkit promises, measured on a database's engine in scratch space.

A *gate* has a target and fails the run when it misses it; the rest is informational. Where a
target is a ratio, its reference is measured in the same run, sample by sample in turn.
"""

from __future__ import annotations

from jutsu_sql.bench.scenarios import SCENARIOS, measure_all, measure_one
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
    skip,
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
    "measure",
    "measure_all",
    "measure_one",
    "open_space",
    "skip",
]
