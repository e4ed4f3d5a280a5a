"""Connections of one engine, shared by threads: opened when needed, checked, replaced, counted."""

from __future__ import annotations

import contextlib
import os
import random
import threading
import traceback
from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakSet

from jutsu_sql.config import Config
from jutsu_sql.errors import ConnectionFailedError, Holder, PoolTimeoutError
from jutsu_sql.observe import PoolStats

# How long a connection beyond pool_size rests before it is closed. At once, as SQLAlchemy does it,
# a steady load over pool_size opens and closes one a call.
_OVERFLOW_IDLE_S = 10.0
# Connections that were opened together are not replaced together.
_RECYCLE_JITTER = 0.05
_SHOWN_HOLDERS = 5
_SHOWN_FRAMES = 4


class Pooled(Protocol):
    """What the pool keeps on a connection; instants are those of ``time.monotonic``."""

    opened_s: float
    expires_s: float
    idle_since_s: float
    taken_s: float
    taken_by: int | None
    taken_at: str


C = TypeVar("C", bound=Pooled)


class _Turn(threading.Event):
    """A place in the queue. What comes is a connection, or None: a place for a new one."""

    raw: Any = None
    is_closed = False


class Pool(ABC, Generic[C]):
    """Up to ``pool_size + max_overflow`` connections, the one used last first.

    A thread that finds none opens one itself, so that it hears at once why that fails; when all
    are out it queues, first come first served. Beyond ``pool_size`` they are closed again when
    idle, and each is replaced after ``pool_recycle``. After a fork the child has an empty pool.
    """

    def __init__(self, config: Config) -> None:
        self._size = config.pool_size
        self._limit = config.pool_size + config.max_overflow
        self._timeout_s = config.pool_timeout
        self._recycle_s = config.pool_recycle
        self._pings = config.pool_pre_ping
        self._keeps_stacks = config.echo
        self._is_closed = False
        self._start_afresh()
        _POOLS.add(self)

    def _start_afresh(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[C] = []
        self._all: set[C] = set()
        self._places = 0  # those in use, idle, and being opened
        self._waiting: deque[_Turn] = deque()
        self._shrinker: threading.Timer | None = None
        self._last_failure: Exception | None = None
        self._waits = self._timeouts = self._opened = self._lost = self._failed = 0
        self._wait_s = 0.0

    # What an engine adds.

    @abstractmethod
    def _connect(self) -> C:
        """A new connection, ready for use."""

    @abstractmethod
    def _is_alive(self, raw: C, rested_s: float) -> bool:
        """Whether one that has rested works, in bounded time."""

    @abstractmethod
    def _is_clean(self, raw: C) -> bool:
        """Whether one that comes back may be used again."""

    @abstractmethod
    def _disown(self, raw: C) -> None:
        """In a child process: let go of a connection of the parent without a word to its server."""

    # What threads call.

    def acquire(self) -> C:
        """A connection that no other thread has until it is released.

        Raises:
            PoolTimeoutError: all were in use for ``pool_timeout``; it says by whom.
            ConnectionFailedError: the database is closed.
        """
        try:
            raw: C | None = self._idle.pop()  # atomic, so that this needs no lock
        except IndexError:
            raw = self._take_turn()
        if raw is not None and not self._is_fit(raw):
            self._close(raw)
            raw = None
        if raw is None:
            raw = self._open()
        raw.taken_s, raw.taken_by = monotonic(), threading.get_ident()
        if self._keeps_stacks:
            raw.taken_at = _callers()
        return raw

    def release(self, raw: C) -> None:
        if raw not in self._all:  # a child's parent has it
            return
        raw.taken_by = None
        raw.idle_since_s = now_s = monotonic()
        if not self._is_clean(raw):
            self._lost += 1
            self._close(raw)
            self._free_place()
        elif self._is_closed or now_s >= raw.expires_s:
            self._close(raw)
            self._free_place()
        else:
            self._put(raw)

    def drain(self, opened_before_s: float = float("inf")) -> None:
        """Close what is idle, and what is in use when it comes back; later ones stay."""
        with self._lock:
            old = [raw for raw in self._all if raw.opened_s < opened_before_s]
        for raw in old:
            raw.expires_s = 0.0
        self._close_idle(lambda raw: raw.expires_s == 0.0)

    def close(self) -> None:
        """Close what is idle, now, and what is in use when it comes back; nobody waits any more."""
        with self._lock:
            self._is_closed = True
            waiting, self._waiting = self._waiting, deque()
            if self._shrinker is not None:
                self._shrinker.cancel()
        for turn in waiting:
            turn.is_closed = True
            turn.set()
        self._close_idle(lambda _: True)

    def stats(self) -> PoolStats:
        with self._lock:
            return PoolStats(
                limit=self._limit,
                size=len(self._all),
                in_use=sum(raw.taken_by is not None for raw in self._all),
                waiting=len(self._waiting),
                waits=self._waits,
                wait_s=self._wait_s,
                timeouts=self._timeouts,
                opened=self._opened,
                lost=self._lost,
                failed=self._failed,
            )

    # How it is done.

    def _take_turn(self) -> C | None:
        with self._lock:
            if self._is_closed:
                raise ConnectionFailedError("the database is closed", retryable=False)
            with suppress(IndexError):
                return self._idle.pop()
            if self._places < self._limit:
                self._places += 1
                return None
            turn = _Turn()
            self._waiting.append(turn)
            self._waits += 1
        start_s = monotonic()
        try:
            turn.wait(self._timeout_s)
        except BaseException:  # an interrupt: whatever came goes to the next
            if not (self._gives_up(turn) or turn.is_closed):
                self._free_place() if turn.raw is None else self._put(turn.raw)
            raise
        finally:
            with self._lock:
                self._wait_s += monotonic() - start_s
        if self._gives_up(turn):
            with self._lock:
                self._timeouts += 1
                cause = self._last_failure
            raise self._timeout_error(cause) from cause
        if turn.is_closed:
            raise ConnectionFailedError(
                "the database was closed while this thread waited", retryable=False
            )
        return turn.raw  # type: ignore[no-any-return]

    def _gives_up(self, turn: _Turn) -> bool:
        """Leave the queue, if nothing has come."""
        with self._lock:
            if turn not in self._waiting:
                return False
            self._waiting.remove(turn)
            return True

    def _is_fit(self, raw: C) -> bool:
        now_s = monotonic()
        if now_s >= raw.expires_s:
            return False
        if not self._pings:
            return True
        try:
            is_alive = self._is_alive(raw, now_s - raw.idle_since_s)
        except BaseException:
            self._close(raw)
            self._free_place()
            raise
        if not is_alive:
            with self._lock:
                self._lost += 1
            # What took this one has taken the others: they are not asked one by one.
            self.drain(raw.idle_since_s)
        return is_alive

    def _open(self) -> C:
        try:
            raw = self._connect()
        except BaseException as error:
            with self._lock:
                self._failed += 1
                if isinstance(error, Exception):
                    self._last_failure = error
            self._free_place()
            raise
        raw.opened_s = monotonic()
        raw.expires_s = raw.opened_s + self._recycle_s * (1 - _RECYCLE_JITTER * random.random())  # noqa: S311
        with self._lock:
            self._all.add(raw)
            self._opened += 1
            self._last_failure = None
        return raw

    def _put(self, raw: C) -> None:
        """Give a connection to the first that waits, else let it rest."""
        with self._lock:
            if self._waiting:
                turn = self._waiting.popleft()
                turn.raw = raw
                turn.set()
                return
            is_closed = self._is_closed
            if not is_closed:
                self._idle.append(raw)
                if self._places > self._size and self._shrinker is None:
                    self._shrink_later()
        if is_closed:
            self._close(raw)
            self._free_place()

    def _free_place(self) -> None:
        """Give the place of a connection that is no more to the first that waits."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._places -= 1

    def _close(self, raw: C) -> None:
        with self._lock:
            self._all.discard(raw)
        with suppress(Exception):
            raw.close()  # type: ignore[attr-defined]

    def _close_idle(self, is_meant: Any) -> None:
        kept = []
        with suppress(IndexError):
            while True:
                raw = self._idle.pop()
                if is_meant(raw):
                    self._close(raw)
                    self._free_place()
                else:
                    kept.append(raw)
        for raw in reversed(kept):
            self._put(raw)

    def _shrink_later(self) -> None:
        self._shrinker = threading.Timer(_OVERFLOW_IDLE_S, self._shrink)
        self._shrinker.daemon = True
        self._shrinker.start()

    def _shrink(self) -> None:
        rested_since_s = monotonic() - _OVERFLOW_IDLE_S
        with self._lock:
            rested = [raw for raw in self._idle if raw.idle_since_s <= rested_since_s]
            surplus = set(rested[: max(0, self._places - self._size)])
            self._shrinker = None
        self._close_idle(surplus.__contains__)
        with self._lock:
            if self._places > self._size and self._shrinker is None and not self._is_closed:
                self._shrink_later()

    def _timeout_error(self, cause: Exception | None) -> PoolTimeoutError:
        now_s = monotonic()
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        with self._lock:
            held = [raw for raw in self._all if raw.taken_by is not None]
        holders = [
            Holder(
                names.get(raw.taken_by, "a thread that has ended"),
                now_s - raw.taken_s,
                raw.taken_at,
            )
            for raw in sorted(held, key=lambda raw: raw.taken_s)
        ]
        shown = [str(holder) for holder in holders[:_SHOWN_HOLDERS]]
        if len(holders) > _SHOWN_HOLDERS:
            shown.append(f"and {len(holders) - _SHOWN_HOLDERS} more")
        who = f", {', '.join(shown)}" if shown else ""
        why = f"; the last attempt to connect failed: {cause}" if cause else ""
        return PoolTimeoutError(
            f"no connection came free within {self._timeout_s:g} s (pool_timeout): of"
            f" {self._limit}, {len(holders)} are in use{who}{why}",
            holders=holders,
        )

    def _after_fork(self) -> None:
        inherited = list(self._all)
        self._start_afresh()
        for raw in inherited:
            self._disown(raw)


def _callers() -> str:
    """Where this was called from, outside the toolkit."""
    ours = (str(Path(__file__).parents[1]), contextlib.__file__)
    frames = [f for f in traceback.extract_stack() if not f.filename.startswith(ours)]
    return "".join(traceback.format_list(frames[-_SHOWN_FRAMES:]))


_POOLS: WeakSet[Pool[Any]] = WeakSet()


def _start_afresh_in_child() -> None:
    for pool in list(_POOLS):
        pool._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh_in_child)
