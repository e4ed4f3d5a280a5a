"""What a database counts of its work: calls, rows, errors, times, bulk loads, and its pool.

A call costs two looks at the clock and an ``append`` to a list, which is atomic: no lock, no
counter that two threads could spoil. What has gathered there is folded into a histogram now and
then. Its buckets are log-linear, as HdrHistogram's: each power of two is cut into 32, so that a
percentile is within 1.6 % of the true one; a maximum is exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from jutsu_sql.forks import new_lock
from jutsu_sql.stats import BulkStats, PoolStats, QueryStats, Stats

_OCTAVES, _STEPS = 64, 32
# Folding takes 50 us and 0.05 us a call.
_FOLD_EVERY = 4_096

_T = TypeVar("_T")
Statement = Callable[[Any, Mapping[str, Any]], Any]
# What to do with a slow call: connection, parameters, its time in seconds, result, and error.
OnSlow = Callable[[Any, Mapping[str, Any], float, Any, "BaseException | None"], None]


class Histogram:
    """Durations, in log-linear buckets of ns."""

    def __init__(self) -> None:
        self.count = 0
        self.total_s = self.max_s = 0.0
        self._buckets = np.zeros(_OCTAVES * _STEPS, np.int64)

    def add(self, durations_s: Sequence[float]) -> None:
        durations = np.array(durations_s)
        self.count += len(durations)
        self.total_s += float(durations.sum())
        self.max_s = max(self.max_s, float(durations.max()))
        fraction, octave = np.frexp(durations * 1e9)  # fraction is 0.5 up to 1
        step = (fraction * (2 * _STEPS)).astype(np.int64) - _STEPS
        bucket = np.where(octave > 0, octave * _STEPS + step, 0)
        self._buckets += np.bincount(bucket, minlength=len(self._buckets))

    def percentile_s(self, share: float) -> float:
        """The duration that ``share`` (0 to 1) of all do not exceed, in seconds."""
        if not self.count:
            return 0.0
        bucket = int(np.searchsorted(self._buckets.cumsum(), max(1.0, share * self.count)))
        octave, step = divmod(bucket, _STEPS)
        middle_ns = (step + _STEPS + 0.5) / (2 * _STEPS) * 2.0**octave if bucket else 0.0
        return min(middle_ns / 1e9, self.max_s)


class _Recorder:
    """One query's calls; those not folded yet are in lists, which any thread appends to."""

    def __init__(self) -> None:
        self.durations_s: list[float] = []
        self.rows: list[int] = []
        self._lock = new_lock()
        self._times = Histogram()
        self._rows = 0
        self._errors: Counter[str] = Counter()

    def fold(self) -> None:
        with self._lock:
            if durations := _taken(self.durations_s):
                self._times.add(durations)
            self._rows += sum(_taken(self.rows))

    def fail(self, error: BaseException) -> None:
        with self._lock:
            self._errors[getattr(error, "sqlstate", None) or type(error).__name__] += 1

    def stats(self, *, gives_one: bool) -> QueryStats:
        self.fold()
        with self._lock:
            times, errors = self._times, self._errors.total()
            return QueryStats(
                calls=times.count,
                # Of a query that gives one row, those are noted that found none.
                rows=times.count - errors - self._rows if gives_one else self._rows,
                errors=errors,
                errors_by_state=dict(self._errors),
                total_s=times.total_s,
                p50_s=times.percentile_s(0.50),
                p95_s=times.percentile_s(0.95),
                p99_s=times.percentile_s(0.99),
                max_s=times.max_s,
            )


def _taken(pending: list[_T]) -> list[_T]:
    """What is in a list, which others append to meanwhile."""
    taken = pending[:]
    del pending[: len(taken)]
    return taken


class Observer:
    """The counters of one database; ``clock_s`` is that of all durations.

    They are floats: Python is slower with integers of so many digits.
    """

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._start_s = clock_s()
        self._lock = new_lock()
        self._queries: dict[str, tuple[_Recorder, bool]] = {}
        self._bulk: dict[str, BulkStats] = {}

    def watch(
        self,
        name: str,
        statement: Statement,
        count_rows: Callable[[Any], int] | None,
        slow_s: float,
        on_slow: OnSlow,
    ) -> Statement:
        """The statement, counted; a call of ``slow_s`` or more goes to ``on_slow``.

        Without ``count_rows`` the statement gives one row, or None.
        """
        recorder = self._recorder(name, count_rows)
        clock_s, durations_s = self._clock_s, recorder.durations_s
        append, append_rows, fold = durations_s.append, recorder.rows.append, recorder.fold

        # Every call here is paid by a point lookup of 5 us.
        def run(raw: Any, params: Mapping[str, Any]) -> Any:
            start_s = clock_s()
            try:
                result = statement(raw, params)
            except BaseException as error:
                duration_s = clock_s() - start_s
                append(duration_s)
                recorder.fail(error)
                if duration_s >= slow_s:
                    on_slow(raw, params, duration_s, None, error)
                raise
            duration_s = clock_s() - start_s
            append(duration_s)
            if count_rows is not None:
                append_rows(count_rows(result))
            elif result is None:
                append_rows(1)
            if duration_s >= slow_s:
                on_slow(raw, params, duration_s, result, None)
            if len(durations_s) >= _FOLD_EVERY:
                fold()
            return result

        return run

    def count(
        self, name: str, count_rows: Callable[[Any], int] | None, result: Any, duration_s: float
    ) -> None:
        """A call that was made together with others."""
        recorder = self._recorder(name, count_rows)
        recorder.durations_s.append(duration_s)
        if count_rows is not None:
            recorder.rows.append(count_rows(result))
        elif result is None:
            recorder.rows.append(1)
        if len(recorder.durations_s) >= _FOLD_EVERY:
            recorder.fold()

    def _recorder(self, name: str, count_rows: Callable[[Any], int] | None) -> _Recorder:
        with self._lock:
            return self._queries.setdefault(name, (_Recorder(), count_rows is None))[0]

    def count_bulk(self, name: str, rows: int, size_bytes: int, duration_s: float) -> None:
        with self._lock:
            old = self._bulk.get(name) or BulkStats(0, 0, 0, 0.0)
            self._bulk[name] = BulkStats(
                old.loads + 1,
                old.rows + rows,
                old.bytes + size_bytes,
                old.total_s + duration_s,
            )

    def stats(self, pool: PoolStats) -> Stats:
        with self._lock:
            queries, bulk = dict(self._queries), dict(self._bulk)
        return Stats(
            uptime_s=self._clock_s() - self._start_s,
            pool=pool,
            queries={
                name: recorder.stats(gives_one=gives_one)
                for name, (recorder, gives_one) in sorted(queries.items())
            },
            bulk=dict(sorted(bulk.items())),
        )
