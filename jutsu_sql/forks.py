"""What begins anew in a forked child: pools, as a connection is not for two processes, and locks,
as whoever held one is not there."""

from __future__ import annotations

import os
import threading
from typing import Any, Protocol
from weakref import WeakSet


class Pool(Protocol):
    """What is told of a fork, in the child."""

    def start_afresh_in_child(self) -> None: ...


_POOLS: WeakSet[Pool] = WeakSet()
_LOCKS: WeakSet[Any] = WeakSet()


def follow_forks(pool: Pool) -> None:
    """Have a pool told of each fork, as long as it exists."""
    _POOLS.add(pool)


def new_lock() -> threading.Lock:
    """A lock that is free in a forked child."""
    lock = threading.Lock()
    _LOCKS.add(lock)
    return lock


def _start_afresh_in_child() -> None:
    for lock in list(_LOCKS):
        lock._at_fork_reinit()
    for pool in list(_POOLS):
        pool.start_afresh_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh_in_child)
