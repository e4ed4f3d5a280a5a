"""Print how streaming ten million bars of 100 series compares with reading them.

``python stream.py URL``. The reference reads the same columns series by series, which the key
serves without a sort. Memory is the peak of what the process holds for itself (``RssAnon``,
proc(5), looked at every 5 ms) beyond what it held before: SQLite maps its file, and those pages
are the system's cache. So this needs Linux.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Event, Thread

from jutsu_sql import Bars
from jutsu_sql.bench import Scale, open_space, synthetic_bars
from jutsu_sql.config import load_config

_BARS_OF_EACH = 100_000
_SERIES = 100


def _own_megabytes() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("RssAnon:"))
    return int(kilobytes) / 1024


def _measure(read: Callable[[], Iterable[Bars]]) -> tuple[float, float]:
    """Seconds, and megabytes at the peak."""
    is_over, peak = Event(), [before := _own_megabytes()]

    def watch() -> None:
        while not is_over.wait(0.005):
            peak.append(max(peak.pop(), _own_megabytes()))

    watcher = Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    rows = sum(map(len, read()))
    seconds = time.perf_counter() - started
    is_over.set()
    watcher.join()
    if rows != _BARS_OF_EACH * _SERIES:
        raise SystemExit(f"{rows:,} bars were read instead of {_BARS_OF_EACH * _SERIES:,}")
    return seconds, peak[0] - before


def main(url: str) -> None:
    with open_space(load_config(url), Scale.of("full")) as space:
        bars = synthetic_bars(_BARS_OF_EACH * _SERIES, _SERIES)
        symbols = [series.symbol for series in bars.series]
        timeframe = bars.series[0].timeframe
        space.store.write(bars, source="bench")
        del bars

        def by_series() -> Iterator[Bars]:
            return (space.store.read(symbol, timeframe) for symbol in symbols)

        for _ in range(2):
            read_s, _ = _measure(by_series)
            stream_s, megabytes = _measure(lambda: space.store.stream(symbols, timeframe))
            print(
                f"read {read_s:.1f} s, stream {stream_s:.1f} s ({stream_s / read_s:.2f}x),"
                f" at most {megabytes:.0f} MB"
            )


if __name__ == "__main__":
    main(sys.argv[1])
