"""How the stamps of a file became the times of its bars, small enough to be kept with its load.

Times as they were written are ``ts + offset``; the offset changes seldom, mostly with the clocks,
so it is kept by the ranges in which it is the same.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from jutsu_sql.instants import Micros, us_from_times


def describe_reading(us: Micros, wall_us: Micros, **facts: Any) -> str:
    """A JSON text of ``facts`` and of what stamps said beside the times that were made of them.

    ``wall_us`` are wall-clock microseconds as they were written, of instants in UTC.
    """
    ts, offset = us, wall_us - us
    if (ts[1:] < ts[:-1]).any():
        order = np.argsort(us, kind="stable")
        ts, offset = us[order], offset[order]
    is_new = (
        np.concatenate(([True], offset[1:] != offset[:-1])) if len(ts) else np.zeros(0, np.bool_)
    )
    stamps = [[int(a), int(b)] for a, b in zip(ts[is_new], offset[is_new], strict=True)]
    return json.dumps({**facts, "stamps": stamps})


def raw_stamps(reading: str, ts: npt.NDArray[np.datetime64]) -> npt.NDArray[np.datetime64]:
    """The stamps that a file had for its bars at ``ts``, as ``datetime64[us]`` wall-clock times.

    ``reading`` is what :func:`describe_reading` made: that of one series' file gives each stamp
    back exactly, if the file had one for each time.
    """
    starts, offsets = np.array(json.loads(reading)["stamps"], dtype=np.int64).T
    us = us_from_times(ts)
    at = np.maximum(np.searchsorted(starts, us, side="right") - 1, 0)
    return np.asarray((us + offsets[at]).view("M8[us]"))


__all__ = ["describe_reading", "raw_stamps"]
