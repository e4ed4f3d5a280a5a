"""Print how many megabytes writing a million bars adds to this process at its peak.

``python memory.py URL``. A peak of resident memory (``VmHWM``), all of it: the encoder's blocks,
the driver's and the engine's buffers, and whatever SQLite maps of its file. It is read against
what was resident right before the write, when the caller's arrays and the libraries were there
already; the server's own memory is not counted. The kernel forgets the earlier peak when told to
by ``clear_refs`` (proc(5)), so this needs Linux. ``malloc_trim`` hands back what building the
arrays has left free, which the write would otherwise use unseen.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from pathlib import Path

from jutsu_sql.bench import Scale, open_space, synthetic_bars
from jutsu_sql.config import load_config

_ROWS = 1_000_000
_SERIES = 100
_OWN = Path("/proc/self")


def _megabytes(key: str) -> float:
    lines = (_OWN / "status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith(f"{key}:"))
    return int(kilobytes) / 1024


def peak_megabytes() -> float:
    """The most that was resident since :func:`forget_peak`."""
    return _megabytes("VmHWM")


def forget_peak() -> float:
    """Start anew, from what is resident now: so many megabytes."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    (_OWN / "clear_refs").write_text("5")
    return _megabytes("VmRSS")


def main(url: str) -> None:
    with open_space(load_config(url), Scale.of("full")) as space:
        bars = synthetic_bars(_ROWS, _SERIES)
        # The code's own pages and the pool are no part of what a million bars cost.
        space.store.write(synthetic_bars(1_000, 1, first=_ROWS), source="bench")
        before = forget_peak()
        report = space.store.write(bars, source="bench")
        if report.inserted != _ROWS:
            raise SystemExit(f"{report.inserted:,} bars were inserted instead of {_ROWS:,}")
        print(f"{peak_megabytes() - before:.1f}")


if __name__ == "__main__":
    main(sys.argv[1])
