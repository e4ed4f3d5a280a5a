"""From samples to a verdict: pure, but for the clock in :func:`measure`."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from time import perf_counter
from typing import Any


class Metric(StrEnum):
    """What a scenario's target is about."""

    SECONDS = "seconds"
    RATIO = "ratio"
    RATE = "rate"


class Verdict(StrEnum):
    """What became of a scenario. Only FAIL fails a run."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "FAIL"
    INFO = "info"
    NOT_MEASURED = "not measured"


class NotMeasuredError(Exception):
    """A scenario cannot be measured here; the message says why."""


@dataclass(frozen=True, slots=True)
class Case:
    """A scenario made ready on one database.

    ``subject`` handles ``work`` bars or calls; ``reset`` brings the database back, untimed, before
    each sample; ``reference`` does the same work without the toolkit.
    """

    subject: Callable[[], object]
    work: int
    reset: Callable[[], object] = lambda: None
    reference: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """Something to measure: ``limits`` are its targets by dialect; without any it informs only."""

    name: str
    measures: str
    unit: str
    rounds: int
    prepare: Callable[[Any], AbstractContextManager[Case]]
    metric: Metric = Metric.SECONDS
    limits: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Samples:
    """Seconds of each sample; the references, if any, are those taken right before them."""

    work: int
    subject_s: Sequence[float]
    reference_s: Sequence[float] = ()

    @property
    def ratios(self) -> list[float]:
        """Each sample by its own reference, so that what slows both cancels out."""
        pairs = zip(self.subject_s, self.reference_s, strict=True)
        return [subject / reference for subject, reference in pairs]


@dataclass(frozen=True, slots=True)
class Result:
    """One scenario's figures: times in seconds, ``rate`` in units (bars or calls) a
    second, ``work`` units a sample.

    ``value`` is what was held against ``limit``: by ``metric`` the median time, the median of the
    paired ratios, or the median rate.
    """

    name: str
    measures: str
    unit: str
    verdict: Verdict
    metric: Metric
    work: int = 0
    rounds: int = 0
    median_s: float | None = None
    quartiles_s: tuple[float, float] | None = None
    rate: float | None = None
    reference_s: float | None = None
    ratio: float | None = None
    ratio_quartiles: tuple[float, float] | None = None
    value: float | None = None
    limit: float | None = None
    note: str = ""


def measure(case: Case, rounds: int) -> Samples:
    """Reference and subject in turn, ``rounds`` times, after one round that does not count."""
    reference_s: list[float] = []
    subject_s: list[float] = []
    with _no_garbage_collection():
        for _ in range(rounds + 1):
            if case.reference is not None:
                case.reset()
                reference_s.append(_seconds(case.reference))
            case.reset()
            subject_s.append(_seconds(case.subject))
    return Samples(case.work, subject_s[1:], reference_s[1:])


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A collection costs more than many calls, and hits whichever side it happens to hit."""
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def judge(scenario: Scenario, limit: float | None, samples: Samples, note: str = "") -> Result:
    """The figures of some samples, and whether they keep within ``limit`` (None: no gate)."""
    median_s = statistics.median(samples.subject_s)
    ratios = samples.ratios if samples.reference_s else None
    if scenario.metric is Metric.RATIO:
        if ratios is None:
            raise ValueError(f"{scenario.name} is a ratio, and there is no reference")
        value = statistics.median(ratios)
    elif scenario.metric is Metric.RATE:
        value = samples.work / median_s
    else:
        value = median_s
    verdict = Verdict.INFO
    if limit is not None:
        keeps = value >= limit if scenario.metric is Metric.RATE else value <= limit
        verdict = Verdict.PASS if keeps else Verdict.FAIL
    return Result(
        scenario.name,
        scenario.measures,
        scenario.unit,
        verdict,
        scenario.metric,
        work=samples.work,
        rounds=len(samples.subject_s),
        median_s=median_s,
        quartiles_s=_quartiles(samples.subject_s),
        rate=samples.work / median_s,
        reference_s=statistics.median(samples.reference_s) if ratios else None,
        ratio=statistics.median(ratios) if ratios else None,
        ratio_quartiles=_quartiles(ratios) if ratios else None,
        value=value,
        limit=limit,
        note=note,
    )


def _quartiles(values: Sequence[float]) -> tuple[float, float]:
    """The spread of the middle half: on a shared machine the extremes say who else was there."""
    if len(values) == 1:
        return values[0], values[0]
    first, _, third = statistics.quantiles(values, method="inclusive")
    return first, third


def skip(scenario: Scenario, limit: float | None, reason: str) -> Result:
    """A scenario that could not be measured, which is not to have passed."""
    return Result(
        scenario.name,
        scenario.measures,
        scenario.unit,
        Verdict.NOT_MEASURED,
        scenario.metric,
        limit=limit,
        note=reason,
    )
