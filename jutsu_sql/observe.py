"""What a database counts of its work: calls, rows, errors, times, and its pool."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PoolStats"]


@dataclass(frozen=True, slots=True)
class PoolStats:
    """Connections now, and what has happened to them since the start.

    ``size`` connections are open, ``in_use`` of them out, and at most ``limit`` may be; ``waiting``
    threads queue now. ``waits`` of them had to, for ``wait_s`` seconds in all, ``timeouts`` in
    vain. ``opened`` connections were made, ``failed`` attempts were not, and ``lost`` were found
    dead.
    """

    limit: int
    size: int
    in_use: int
    waiting: int = 0
    waits: int = 0
    wait_s: float = 0.0
    timeouts: int = 0
    opened: int = 0
    failed: int = 0
    lost: int = 0
