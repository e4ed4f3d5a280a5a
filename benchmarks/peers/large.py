"""Do 10 M bars go in at the rate of 1 M, and with no more memory? Each write in a fresh process.

``python -m benchmarks.peers.large URL ROWS`` is that process: it prints what the write took and
held at most, as JSON. The parts of 100,000 bars of 100 series, one after the other in time, are
made while the write goes on: the time of making them is not counted, their 6 MB each are. See
``benchmarks/memory.py`` for how memory is measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from time import perf_counter

from benchmarks.memory import forget_peak, peak_megabytes
from jutsu_sql.bars import Bars
from jutsu_sql.bench import (
    Metric,
    Result,
    Samples,
    Scale,
    Scenario,
    judge,
    open_space,
    synthetic_bars,
)
from jutsu_sql.config import load_config

_ROOT = Path(__file__).parents[2]
_SMALL_ROWS, _LARGE_ROWS = 1_000_000, 10_000_000
_LIMIT = 1.25
_PART_ROWS = 100_000
_SERIES = 100
_SCENARIO = Scenario(
    "large",
    "a million bars of ten from an iterator; against a million from one",
    "bars",
    1,
    nullcontext,
    Metric.RATIO,
)


def compare(url: str, rounds: int) -> Result:
    """Seconds a million bars, of 10 M against 1 M; the note says how much memory each took."""
    runs = [(_run(url, _SMALL_ROWS), _run(url, _LARGE_ROWS)) for _ in range(rounds)]
    samples = Samples(
        _SMALL_ROWS,
        [large["seconds"] * _SMALL_ROWS / _LARGE_ROWS for _, large in runs],
        [small["seconds"] for small, _ in runs],
    )
    small_mb, large_mb = (max(run["megabytes"] for run in side) for side in zip(*runs, strict=True))
    note = f"peak memory {small_mb:.0f} MB with 1 M bars, {large_mb:.0f} MB with 10 M"
    return judge(_SCENARIO, _LIMIT, samples, note)


def _run(url: str, rows: int) -> dict[str, float]:
    command = [sys.executable, "-m", __spec__.name, url, str(rows)]
    answer = subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(answer.stdout)
    return figures


def main(url: str, rows: int) -> None:
    making_s = 0.0

    def parts() -> Iterator[Bars]:
        nonlocal making_s
        for number in range(rows // _PART_ROWS):
            start = perf_counter()
            part = synthetic_bars(_PART_ROWS, _SERIES, first=number * _PART_ROWS // _SERIES)
            making_s += perf_counter() - start
            yield part

    with open_space(load_config(url), Scale.of("full")) as space:
        # The code's own pages and the pool are no part of what the bars cost.
        space.store.write(synthetic_bars(1_000, 1, first=rows), source="bench")
        space.engine.empty(space.db)
        before = forget_peak()
        start = perf_counter()
        report = space.store.write(parts(), source="bench")
        seconds = perf_counter() - start - making_s
        if report.inserted != rows:
            raise SystemExit(f"{report.inserted:,} bars were inserted instead of {rows:,}")
        print(json.dumps({"seconds": seconds, "megabytes": peak_megabytes() - before}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
