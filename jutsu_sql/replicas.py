"""Which replica may answer a read: one that has what this session wrote, and is not too old.

How old a replica is cannot be read off clocks: one that shows nothing new may be cut off, or have
nothing to show. So the primary is asked now and then how far its log goes. A replica that has
replayed what the primary had written at some time is, whatever the clocks say, at most as old as
that. After a write the primary is asked once more, when something is read, and only a replica that
has got so far may answer.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from jutsu_sql.errors import DatabaseError
from jutsu_sql.forks import new_lock
from jutsu_sql.stats import ReplicaStats

S = TypeVar("S")

# A replica that lags is asked again after this long at the earliest.
_ASK_EVERY_S = 0.02
# One that failed is left alone, each time in a row for twice as long.
_FIRST_REST_S, _LONGEST_REST_S = 0.5, 30.0


class Position(NamedTuple):
    """How far a server's log goes; that of a newer timeline leads on from those of older ones."""

    timeline: int
    lsn: int

    def holds(self, other: Position) -> bool:
        """Whether all of ``other`` is in it."""
        return self.timeline >= other.timeline and self.lsn >= other.lsn


_NOWHERE = Position(0, 0)


@dataclass(slots=True)
class Replica(Generic[S]):
    """One replica: how it is opened, and what is known of it; instants are of the clock."""

    name: str
    open: Callable[[], S]
    ask: Callable[[S], Position]
    source: S | None = None
    position: Position = _NOWHERE
    asked_s: float = float("-inf")
    is_asked: bool = False
    rests_until_s: float = float("-inf")
    failures: int = 0
    error: str = ""
    reads: int = 0


class Replicas(Generic[S]):
    """The replicas of one primary; safe to share between threads."""

    def __init__(
        self,
        replicas: Sequence[Replica[S]],
        ask_primary: Callable[[], Position],
        max_lag_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._replicas = replicas
        self._ask_primary = ask_primary
        self._max_lag_s = max_lag_s
        self._clock = clock
        self._lock = new_lock()
        # When the primary was asked, and how far it was; oldest first, none older than the lag.
        self._marks: deque[tuple[float, Position]] = deque()
        # How often this session may have written, how often of that the primary was asked since,
        # and what it said.
        self._writes = self._covered_writes = 0
        self._written = _NOWHERE
        self._turn = 0

    def note_write(self) -> None:
        """This session may have written: what it reads next must show it."""
        with self._lock:
            self._writes += 1

    def choose(self) -> S | None:
        """A replica that may answer now, in turn; None if only the primary may."""
        needed = self._needed()
        if needed is not None:
            with self._lock:
                self._turn += 1
                first = self._turn % len(self._replicas)
            for replica in (*self._replicas[first:], *self._replicas[:first]):
                if self._is_fit(replica, needed):
                    replica.reads += 1
                    return replica.source
        return None

    def note_failure(self, source: S, error: DatabaseError) -> None:
        """A read on a replica failed in a way that passes: let it rest."""
        for replica in self._replicas:
            if replica.source is source:
                self._rest(replica, error)

    def stats(self) -> list[ReplicaStats]:
        """Each replica as it is now."""
        now_s = self._clock()
        return [
            ReplicaStats(
                replica=each.name,
                state=self._state(each, now_s),
                lag_s=self._lag_s(each, now_s),
                reads=each.reads,
                error=each.error,
            )
            for each in self._replicas
        ]

    def close(self, close: Callable[[S], None]) -> None:
        for replica in self._replicas:
            if replica.source is not None:
                close(replica.source)

    def _needed(self) -> Position | None:
        """How far a replica must be; None if the primary does not say."""
        now_s = self._clock()
        with self._lock:
            writes = self._writes
            newest_s = self._marks[-1][0] if self._marks else float("-inf")
            is_known = writes == self._covered_writes and now_s - newest_s <= self._max_lag_s / 2
        if not is_known:
            try:
                position = self._ask_primary()
            except DatabaseError:
                return None
        with self._lock:
            if not is_known:
                self._marks.append((now_s, position))
            if writes > self._covered_writes:
                self._covered_writes, self._written = writes, position
            while now_s - self._marks[0][0] > self._max_lag_s and len(self._marks) > 1:
                self._marks.popleft()
            oldest = self._marks[0][1]
            return Position(
                max(oldest.timeline, self._written.timeline), max(oldest.lsn, self._written.lsn)
            )

    def _is_fit(self, replica: Replica[S], needed: Position) -> bool:
        now_s = self._clock()
        with self._lock:
            if replica.is_asked or now_s < replica.rests_until_s:
                return False
            if replica.source is not None and replica.position.holds(needed):
                return True
            if now_s - replica.asked_s < _ASK_EVERY_S:
                return False
            replica.is_asked, replica.asked_s = True, now_s
        try:
            if replica.source is None:
                replica.source = replica.open()
            replica.position = replica.ask(replica.source)
        except DatabaseError as error:
            self._rest(replica, error)
            return False
        finally:
            replica.is_asked = False
        replica.failures, replica.error = 0, ""
        return replica.position.holds(needed)

    def _rest(self, replica: Replica[S], error: DatabaseError) -> None:
        rest_s = min(_FIRST_REST_S * 2**replica.failures, _LONGEST_REST_S)
        replica.failures += 1
        replica.error = str(error)
        replica.rests_until_s = self._clock() + rest_s
        replica.position = _NOWHERE  # it is asked before it is used again

    def _lag_s(self, replica: Replica[S], now_s: float) -> float | None:
        with self._lock, suppress(ValueError):
            return now_s - max(t for t, mark in self._marks if replica.position.holds(mark))
        return None

    def _state(self, replica: Replica[S], now_s: float) -> str:
        if now_s < replica.rests_until_s:
            return "resting"
        if replica.source is None:
            return "unused"
        lag_s = self._lag_s(replica, now_s)
        return "behind" if lag_s is None or lag_s > self._max_lag_s else "in use"
