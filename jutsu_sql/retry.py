"""Work done again, as a whole, after a fault that passes: pauses with jitter, and a deadline."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count
from math import inf
from typing import TypeVar

from jutsu_sql.errors import (
    ConnectionFailedError,
    DatabaseError,
    DatabaseLockedError,
    DatabaseReadOnlyError,
    TransactionError,
)

T = TypeVar("T")

_log = logging.getLogger("jutsu_sql")
_is_within = ContextVar("is_within", default=False)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0
# How often a retryable error of a kind is tried again at most, however much time there is. Work
# that was refused a lock has waited for it already; a server that is read-only may stay so.
_MOST_REPEATS: dict[type[DatabaseError], float] = {
    ConnectionFailedError: inf,
    TransactionError: inf,
    DatabaseLockedError: 2,
    DatabaseReadOnlyError: 2,
}


@dataclass(frozen=True, slots=True)
class Retry:
    """Tries again until ``within_s`` seconds after the first try began; 0 never does.

    A pause is a random share of a length that doubles up to a second ("full jitter", as Brooker
    names it in "Exponential Backoff And Jitter", AWS 2015), so that clients that one fault has
    hit do not come back together. A try that begins in time is not interrupted. Within work that is
    tried again as a whole, no part of it is.
    """

    within_s: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    share: Callable[[], float] = random.random

    def run(self, work: Callable[[], T]) -> T:
        """What ``work`` gives, in the first try that does not end in a fault that passes."""
        if _is_within.get():
            return work()
        start_s = self.clock()
        token = _is_within.set(True)
        try:
            return work()
        except DatabaseError as error:
            return self._run_again(work, error, start_s)
        finally:
            _is_within.reset(token)

    def run_again(self, work: Callable[[], T], error: DatabaseError, start_s: float) -> T:
        """The same, when a first try, begun at ``start_s``, has ended in ``error``."""
        if _is_within.get():
            raise error
        return self._run_again(work, error, start_s)

    def _run_again(self, work: Callable[[], T], error: DatabaseError, start_s: float) -> T:
        for repeats in count():
            pause_s = self.share() * min(_FIRST_PAUSE_S * 2 ** min(repeats, 9), _LONGEST_PAUSE_S)
            is_late = self.clock() + pause_s >= start_s + self.within_s
            if is_late or repeats >= _most_repeats(error):
                break
            _log.info("once more in %.2f s: %s", pause_s, error)
            self.sleep(pause_s)
            try:
                return work()
            except DatabaseError as another:
                error = another
        if repeats:
            error.add_note(f"tried {repeats + 1} times")
        raise error


def _most_repeats(error: DatabaseError) -> float:
    if not error.retryable:
        return 0
    kinds = (most for kind, most in _MOST_REPEATS.items() if isinstance(error, kind))
    return next(kinds, 0)
