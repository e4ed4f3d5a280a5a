"""Counters and histograms against an obvious reference, and what Prometheus is told of them."""

from __future__ import annotations

import json
import math
import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain, count, repeat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jutsu_sql.observe import Histogram, Observer
from jutsu_sql.stats import BulkStats, PoolStats, QueryStats, Stats

POOL = PoolStats(limit=30, size=3, in_use=2, waits=4, wait_s=1.5)


@given(
    st.lists(st.integers(0, 2**50), min_size=1, max_size=300),
    st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]),
)
def test_a_percentile_is_near_the_true_one(durations_ns: list[int], share: float) -> None:
    histogram = Histogram()
    half = len(durations_ns) // 2
    for part in (durations_ns[:half], durations_ns[half:]):
        if part:
            histogram.add([ns / 1e9 for ns in part])
    true_ns = sorted(durations_ns)[max(1, math.ceil(share * len(durations_ns))) - 1]
    assert histogram.percentile_s(share) * 1e9 == pytest.approx(true_ns, rel=1 / 60)
    assert histogram.max_s == max(durations_ns) / 1e9
    assert histogram.total_s == pytest.approx(sum(durations_ns) / 1e9)
    assert histogram.count == len(durations_ns)


def test_of_nothing_there_is_no_percentile() -> None:
    assert Histogram().percentile_s(0.5) == 0.0


class Clock:
    """Advances by the given seconds, one a call."""

    def __init__(self, *durations_s: float) -> None:
        steps = [0.0, *(step for each in durations_s for step in (10.0, each))]
        self._steps = chain(steps, repeat(1_000.0))
        self._now_s = 0.0

    def __call__(self) -> float:
        self._now_s += next(self._steps)
        return self._now_s


def watched(observer: Observer, statement: Any, **settings: Any) -> Any:
    defaults: dict[str, Any] = {"count_rows": None, "slow_s": math.inf, "on_slow": print}
    return observer.watch("q", statement, **{**defaults, **settings})


class LostError(Exception):
    sqlstate = "57P01"


def test_calls_rows_and_errors_are_counted() -> None:
    observer = Observer(Clock(1_000, 2_000, 3_000, 4_000))

    def statement(raw: Any, params: Mapping[str, Any]) -> Any:
        if params["found"] is None:
            raise LostError
        return params["found"] or None

    run = watched(observer, statement)
    assert run(None, {"found": "row"}) == "row"
    assert run(None, {"found": ""}) is None
    with pytest.raises(LostError):
        run(None, {"found": None})
    query = observer.stats(POOL).queries["q"] if run(None, {"found": "row"}) else None
    assert query is not None
    assert (query.calls, query.rows, query.errors) == (4, 2, 1)
    assert query.errors_by_state == {"57P01": 1}
    assert (query.total_s, query.max_s) == (10_000, 4_000)


def test_rows_of_many_are_counted() -> None:
    observer = Observer(Clock(1, 1))
    run = watched(observer, lambda raw, params: params["rows"], count_rows=len)
    run(None, {"rows": [1, 2, 3]})
    run(None, {"rows": []})
    assert observer.stats(POOL).queries["q"].rows == 3


def test_slow_calls_are_told_also_failed_ones() -> None:
    told: list[Any] = []
    observer = Observer(Clock(9, 10, 11))

    def statement(raw: Any, params: Mapping[str, Any]) -> Any:
        if params:
            raise LostError
        return "row"

    run = watched(observer, statement, slow_s=10, on_slow=lambda *told_of: told.append(told_of))
    run("raw", {})
    run("raw", {})
    with pytest.raises(LostError):
        run("raw", {"x": 1})
    assert [(told_of[2], told_of[3]) for told_of in told] == [(10, "row"), (11, None)]
    assert isinstance(told[1][4], LostError)


def test_calls_made_together_are_counted_by_query() -> None:
    observer = Observer(Clock())
    for result in ("a", None, "b"):
        observer.count("q", None, result, 1.0)
    observer.count("many", len, ["a", "b"], 1.0)
    queries = observer.stats(POOL).queries
    assert (queries["q"].calls, queries["q"].rows, queries["q"].total_s) == (3, 2, 3.0)
    assert (queries["many"].calls, queries["many"].rows) == (1, 2)


def test_no_call_is_lost_between_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jutsu_sql.observe._FOLD_EVERY", 7)
    interval = sys.getswitchinterval()
    observer, ticks = Observer(count().__next__), 4_000
    run = watched(observer, lambda raw, params: [1], count_rows=len)

    def work() -> None:
        for _ in range(ticks):
            run(None, {})

    threads = [threading.Thread(target=work) for _ in range(8)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            observer.stats(POOL)
    finally:
        sys.setswitchinterval(interval)
    query = observer.stats(POOL).queries["q"]
    assert (query.calls, query.rows) == (8 * ticks, 8 * ticks)


QUERY = QueryStats(5, 7, 2, {"57014": 2}, 1.25, 0.1, 0.2, 0.3, 0.4)
STATS = Stats(60.0, POOL, {'odd "\\name\n': QUERY}, {"bars.load": BulkStats(2, 100, 5600, 0.5)})
SAMPLE = re.compile(r'jutsu_sql_\w+(\{(\w+="([^"\\\n]|\\["\\n])*",?)*\})? \S+')


def test_prometheus_text_keeps_to_its_grammar() -> None:
    text = STATS.to_prometheus()
    assert text.endswith("\n")
    lines = text.splitlines()
    for line in lines:
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP|TYPE) jutsu_sql_\w+ \S.*", line)
        else:
            assert SAMPLE.fullmatch(line), line
            float(line.rpartition(" ")[2])
    name = r'query="odd \"\\name\n"'
    assert f'jutsu_sql_query_seconds{{{name},quantile="0.95"}} 0.2' in lines
    assert f"jutsu_sql_query_seconds_sum{{{name}}} 1.25" in lines
    assert f"jutsu_sql_query_seconds_count{{{name}}} 5" in lines
    assert f'jutsu_sql_query_errors_total{{{name},state="57014"}} 2' in lines
    assert "jutsu_sql_pool_wait_seconds_total 1.5" in lines
    assert 'jutsu_sql_bulk_seconds_total{query="bars.load"} 0.5' in lines


def test_each_metric_is_declared_once() -> None:
    declared = re.findall(r"# TYPE (\w+)", STATS.to_prometheus())
    assert len(declared) == len(set(declared))


def test_json_is_all_of_it() -> None:
    plain = json.loads(STATS.to_json())
    assert plain["bulk"]["bars.load"]["rows_per_s"] == 200.0
    assert plain["pool"]["in_use"] == 2
    assert replace(STATS, queries={}, bulk={}).to_dict()["queries"] == {}
