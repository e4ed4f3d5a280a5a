"""Connections to a SQLite file, or the one to a database in memory."""

from __future__ import annotations

import math
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

from jutsu_sql.config import Config
from jutsu_sql.dialects.pool import Pool
from jutsu_sql.errors import ConnectionFailedError, PoolTimeoutError
from jutsu_sql.observe import PoolStats

# A connection that came through a fork is neither used nor closed (howtocorrupt.html, 2.6).
_INHERITED: list[sqlite3.Connection] = []


class PooledConnection(sqlite3.Connection):
    """A connection of a pool."""

    opened_s = expires_s = idle_since_s = taken_s = 0.0
    taken_by: int | None = None
    taken_at = ""


C = TypeVar("C", bound=PooledConnection)


class FilePool(Pool[C]):
    """No server can end a connection to a file, so none is asked or replaced."""

    def __init__(self, config: Config, connect: Callable[[], C]) -> None:
        super().__init__(replace(config, pool_pre_ping=False, pool_recycle=math.inf))
        self._connect_file = connect

    def _connect(self) -> C:
        return self._connect_file()

    def _is_alive(self, raw: C, rested_s: float) -> bool:
        return True

    def _is_clean(self, raw: C) -> bool:
        if raw.in_transaction:
            raw.rollback()
        return True

    def _disown(self, raw: C) -> None:
        _INHERITED.append(raw)


class MemoryPool(Generic[C]):
    """One connection, which a thread that has it may take again."""

    def __init__(self, config: Config, connect: Callable[[], C]) -> None:
        self._timeout_s = config.pool_timeout
        self._raw = connect()
        self._lock = threading.RLock()
        self._depth = 0
        self._is_closed = False

    def acquire(self) -> C:
        if self._is_closed:
            raise ConnectionFailedError("the database is closed")
        if not self._lock.acquire(timeout=self._timeout_s):
            raise PoolTimeoutError(
                f"no connection came free within {self._timeout_s:g} s (pool_timeout): a database"
                " in memory has one, and another thread is using it"
            )
        self._depth += 1
        return self._raw

    def release(self, raw: C) -> None:
        self._depth -= 1
        if self._is_closed and not self._depth:
            raw.close()
        self._lock.release()

    def close(self) -> None:
        self._is_closed = True
        if not self._depth:
            self._raw.close()

    def stats(self) -> PoolStats:
        return PoolStats(limit=1, size=1, in_use=min(1, self._depth), opened=1)
