"""Connections to a SQLite file, or the one to a database in memory."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Generic, TypeVar

from jutsu_sql.config import Config
from jutsu_sql.dialects.holders import Holders
from jutsu_sql.errors import ConnectionFailedError
from jutsu_sql.forks import follow_forks
from jutsu_sql.stats import PoolStats

C = TypeVar("C", bound=sqlite3.Connection)


class FilePool(Generic[C]):
    """Up to ``pool_size + max_overflow`` connections, the one used last first.

    They are opened when needed and kept. A forked child has a pool of its own.
    """

    def __init__(self, config: Config, connect: Callable[[], C]) -> None:
        self._limit = config.pool_size + config.max_overflow
        self._timeout_s = config.pool_timeout
        self._keeps_stacks = config.echo
        self._connect = connect
        self._is_closed = False
        self._start_afresh()
        follow_forks(self)

    def _start_afresh(self) -> None:
        self._idle: list[C] = []
        self._holders = Holders(keep_stacks=self._keeps_stacks)
        # A token for each connection that may be out. A semaphore, which is not written in C, would
        # cost more than all the rest of the pool.
        self._places = SimpleQueue[None]()
        self._free_places(self._limit)
        self._lock = threading.Lock()  # of the counters
        self._waits = self._timeouts = self._opened = self._failed = 0
        self._waiting, self._wait_s = 0, 0.0

    def acquire(self) -> C:
        if self._is_closed:
            raise ConnectionFailedError("the database is closed", retryable=False)
        try:
            self._places.get_nowait()
        except Empty:
            self._wait()
        try:
            try:
                raw = self._idle.pop()
            except IndexError:
                raw = self._open()
            self._holders.take(raw)
        except BaseException:
            self._free_places(1)
            raise
        return raw

    def _free_places(self, count: int) -> None:
        for _ in range(count):
            self._places.put(None)

    def _wait(self) -> None:
        start_s, is_served = monotonic(), False
        with self._lock:
            self._waits += 1
            self._waiting += 1
        try:
            with suppress(Empty):
                self._places.get(timeout=self._timeout_s)
                is_served = True
        finally:
            with self._lock:
                self._waiting -= 1
                self._wait_s += monotonic() - start_s
                self._timeouts += not is_served
        if self._is_closed:
            raise ConnectionFailedError("the database is closed", retryable=False)
        if not is_served:
            raise self._holders.timeout_error(self._timeout_s, self._limit)

    def _open(self) -> C:
        try:
            raw = self._connect()
        except BaseException:
            with self._lock:
                self._failed += 1
            raise
        with self._lock:
            self._opened += 1
        return raw

    def release(self, raw: C) -> None:
        if not self._holders.give_back(raw):
            return
        if raw.in_transaction:
            raw.rollback()
        if self._is_closed:
            raw.close()
        else:
            self._idle.append(raw)
        self._places.put(None)

    def close(self) -> None:
        self._is_closed = True
        self._free_places(max(1, self._waiting))  # nobody waits any more
        while self._idle:
            self._idle.pop().close()

    def stats(self) -> PoolStats:
        in_use = len(self._holders)
        return PoolStats(
            limit=self._limit,
            size=len(self._idle) + in_use,
            in_use=in_use,
            waiting=self._waiting,
            waits=self._waits,
            wait_s=self._wait_s,
            timeouts=self._timeouts,
            opened=self._opened,
            failed=self._failed,
        )

    def start_afresh_in_child(self) -> None:
        # One that came through a fork is neither used nor closed (howtocorrupt.html, 2.6).
        _INHERITED.append((self._idle, self._holders))
        self._start_afresh()


class MemoryPool(Generic[C]):
    """One connection, which a thread that has it may take again."""

    def __init__(self, config: Config, connect: Callable[[], C]) -> None:
        self._timeout_s = config.pool_timeout
        self._raw = connect()
        self._lock = threading.RLock()
        self._depth = 0
        self._holders = Holders(keep_stacks=config.echo)
        self._is_closed = False

    def acquire(self) -> C:
        if self._is_closed:
            raise ConnectionFailedError("the database is closed", retryable=False)
        if not self._lock.acquire(timeout=self._timeout_s):
            raise self._holders.timeout_error(self._timeout_s, 1)
        self._depth += 1
        if self._depth == 1:
            self._holders.take(self._raw)
        return self._raw

    def release(self, raw: C) -> None:
        self._depth -= 1
        if not self._depth:
            self._holders.give_back(raw)
            if self._is_closed:
                raw.close()
        self._lock.release()

    def close(self) -> None:
        self._is_closed = True
        if not self._depth:
            self._raw.close()

    def stats(self) -> PoolStats:
        return PoolStats(limit=1, size=1, in_use=len(self._holders), opened=1)


_INHERITED: list[object] = []
