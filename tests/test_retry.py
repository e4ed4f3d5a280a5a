"""Retry: what is tried again, how often, and how long; the clock is the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import cycle, repeat
from math import inf

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jutsu_sql import errors
from jutsu_sql.dialects.postgresql import translate
from jutsu_sql.retry import Retry

PASSING = [errors.ConnectionFailedError, errors.TransactionError]
LIMITED = [errors.DatabaseLockedError, errors.DatabaseReadOnlyError]
LASTING = [
    errors.OutcomeUnknownError,
    errors.PoolTimeoutError,
    errors.DatabaseFullError,
    errors.IntegrityError,
    errors.DataError,
    errors.StatementError,
    errors.StatementTimeoutError,
    errors.DatabaseCorruptError,
]


class Clock:
    """Time that passes only in pauses, and ``busy_s`` a try."""

    def __init__(self, within_s: float, share: Callable[[], float] = lambda: 1.0) -> None:
        self.now_s = 1000.0
        self.busy_s = 0.0
        self.pauses_s: list[float] = []
        self.retry = Retry(within_s, clock=lambda: self.now_s, sleep=self._sleep, share=share)

    def _sleep(self, pause_s: float) -> None:
        self.pauses_s.append(pause_s)
        self.now_s += pause_s

    def run(self, faults: Iterator[errors.DatabaseError]) -> int:
        """Work that meets each fault once; gives the number of the try that went well."""
        tries = 0

        def work() -> int:
            nonlocal tries
            tries += 1
            self.now_s += self.busy_s
            for fault in faults:
                raise fault
            return tries

        return self.retry.run(work)


def faults_of(
    kind: type[errors.DatabaseError], number: int = 10**6
) -> Iterator[errors.DatabaseError]:
    """As the engines raise them: only some say that they are read-only for a while."""
    says = {"retryable": True} if kind is errors.DatabaseReadOnlyError else {}
    return (kind("it broke", **says) for _ in range(number))


@pytest.mark.parametrize("kind", PASSING)
def test_what_passes_is_tried_until_it_has(kind: type[errors.DatabaseError]) -> None:
    clock = Clock(within_s=60)
    assert clock.run(faults_of(kind, 9)) == 10
    assert clock.pauses_s == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("kind", LIMITED)
def test_what_may_last_is_tried_three_times(kind: type[errors.DatabaseError]) -> None:
    assert Clock(within_s=60).run(faults_of(kind, 2)) == 3
    with pytest.raises(kind) as caught:
        Clock(within_s=60).run(faults_of(kind))
    assert caught.value.__notes__ == ["tried 3 times"]


@pytest.mark.parametrize("kind", LASTING)
def test_what_lasts_is_not_tried_again(kind: type[errors.DatabaseError]) -> None:
    clock = Clock(within_s=60)
    with pytest.raises(kind):
        clock.run(faults_of(kind, 1))
    assert clock.pauses_s == []


def test_what_the_engine_says_will_last_is_not_tried_again() -> None:
    fault = errors.ConnectionFailedError("wrong password", retryable=False)
    with pytest.raises(errors.ConnectionFailedError):
        Clock(within_s=60).run(iter([fault]))


def test_other_errors_are_not_caught() -> None:
    def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Clock(within_s=60).retry.run(work)


def test_zero_never_tries_again() -> None:
    with pytest.raises(errors.ConnectionFailedError) as caught:
        Clock(within_s=0).run(faults_of(errors.ConnectionFailedError))
    assert not hasattr(caught.value, "__notes__")


@given(
    within_s=st.floats(0, 20),
    busy_s=st.floats(1, 30),
    shares=st.lists(st.floats(0, 1, exclude_max=True), min_size=1),
)
def test_no_try_begins_after_the_deadline(
    within_s: float, busy_s: float, shares: list[float]
) -> None:
    turns = cycle(shares)
    clock = Clock(within_s, share=lambda: next(turns))
    clock.busy_s = busy_s
    with pytest.raises(errors.ConnectionFailedError):
        clock.run(faults_of(errors.ConnectionFailedError))
    assert clock.now_s - clock.busy_s - 1000 <= within_s + 1e-6
    assert all(pause_s <= 1.0 for pause_s in clock.pauses_s)


def test_of_nested_retries_only_the_outermost_tries_again() -> None:
    clock = Clock(within_s=60)
    tries = 0

    def inner() -> None:
        nonlocal tries
        tries += 1
        raise errors.ConnectionFailedError("it broke")

    def outer() -> None:
        if len(clock.pauses_s) < 3:
            clock.retry.run(inner)

    clock.retry.run(outer)
    assert (tries, len(clock.pauses_s)) == (3, 3)


# As in docs/reliability.md: until in time, twice, never.
STATES = {
    "40001": inf, "40P01": inf, "57P03": inf, "53300": inf, "08006": inf, "08001": inf,
    "57P01": inf, "57P02": inf, "57P05": inf, "25P03": inf,
    "55P03": 2, "25006": 2,
    "57014": 0, "25P04": 0, "53100": 0, "22003": 0, "23505": 0, "42P01": 0, "28P01": 0,
    "28000": 0, "3D000": 0, "57P04": 0,
}  # fmt: skip


@pytest.mark.parametrize(("state", "most"), STATES.items())
def test_by_sqlstate(state: str, most: float) -> None:
    error_class = type("Refused", (psycopg.errors.lookup(_known(state)),), {"sqlstate": state})
    error = translate(error_class("refused"))
    clock = Clock(within_s=60)
    tries = 5 if most == inf else 1 + int(most)
    with pytest.raises(type(error)) if most < 4 else nullcontext():
        clock.run(repeat(error, 4))
    assert len(clock.pauses_s) == tries - 1


def _known(state: str) -> str:
    """The driver may be older than a state; the class of it will do."""
    return state if state not in {"25P04"} else "25000"
