"""Pools that begin anew in a forked child: a connection is not for two processes."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Pool(Protocol):
    """What is told of a fork, in the child."""

    def start_afresh_in_child(self) -> None: ...


_POOLS: WeakSet[Pool] = WeakSet()


def follow_forks(pool: Pool) -> None:
    """Have a pool told of each fork, as long as it exists."""
    _POOLS.add(pool)


def _start_afresh_in_child() -> None:
    for pool in list(_POOLS):
        pool.start_afresh_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh_in_child)
