"""Which replica may answer: with a clock and positions of the test's own."""

from __future__ import annotations

import pytest

from jutsu_sql.errors import ConnectionFailedError
from jutsu_sql.replicas import Position, Replica, Replicas
from jutsu_sql.stats import ReplicaStats

MAX_LAG_S = 10.0


class World:
    """Servers that are where the test says; ``"down"`` is one that does not answer."""

    def __init__(self, *names: str) -> None:
        self.now_s = 100.0
        self.at: dict[str, Position | str] = dict.fromkeys(("primary", *names), Position(1, 0))
        self.asked: list[str] = []
        members = [Replica(name, lambda name=name: name, self._ask) for name in names]
        self.replicas = Replicas(
            members, lambda: self._ask("primary"), MAX_LAG_S, lambda: self.now_s
        )

    def _ask(self, name: str) -> Position:
        self.asked.append(name)
        position = self.at[name]
        if isinstance(position, str):
            raise ConnectionFailedError(f"{name} is {position}")
        return position

    def choose(self, after_s: float = 0.1) -> str | None:
        self.now_s += after_s
        return self.replicas.choose()


def test_nobody_is_asked_while_what_is_known_holds() -> None:
    world = World("a")
    assert world.choose() == "a"
    world.asked.clear()
    assert [world.choose() for _ in range(20)] == ["a"] * 20
    assert world.asked == []


def test_turns() -> None:
    world = World("a", "b")
    assert {world.choose() for _ in range(4)} == {"a", "b"}


@pytest.mark.parametrize("lag_s", [9.0, 11.0])
def test_the_lag(lag_s: float) -> None:
    """A replica that stands still answers as long as it is surely not too old."""
    world = World("a")
    world.choose()
    start_s = world.now_s
    chosen = None
    while world.now_s < start_s + lag_s:
        world.at["primary"] = Position(1, int(world.now_s * 1000))
        chosen = world.choose(after_s=0.5)
    assert chosen == ("a" if lag_s < MAX_LAG_S else None)


def test_a_primary_that_writes_nothing_makes_no_lag() -> None:
    world = World("a")
    assert [world.choose(after_s=7.0) for _ in range(10)] == ["a"] * 10


def test_own_writes() -> None:
    world = World("a")
    world.choose()
    world.at["primary"] = Position(1, 50)
    assert world.choose() == "a"
    world.replicas.note_write()
    assert world.choose() is None
    world.at["a"] = Position(1, 49)
    assert world.choose() is None
    world.at["a"] = Position(1, 50)
    assert world.choose() == "a"


def test_one_that_lags_is_not_asked_for_each_read() -> None:
    world = World("a")
    world.at["primary"] = Position(1, 50)
    world.replicas.note_write()
    for _ in range(100):
        assert world.choose(after_s=0.001) is None
    assert 4 <= world.asked.count("a") <= 6


def test_an_older_timeline_does_not_count_however_far_it_goes() -> None:
    world = World("a")
    world.at |= {"primary": Position(2, 10), "a": Position(1, 999)}
    world.replicas.note_write()
    assert world.choose() is None
    world.at["a"] = Position(2, 10)
    assert world.choose() == "a"


def test_a_primary_that_does_not_answer_vouches_for_nobody() -> None:
    world = World("a")
    world.choose()
    world.at["primary"] = "down"
    assert world.choose() == "a"
    assert world.choose(after_s=MAX_LAG_S) is None
    world.replicas.note_write()
    assert world.choose() is None


def test_rest() -> None:
    """0.5 s, 1 s, 2 s ... and no longer than 30 s."""
    world = World("a")
    world.at["a"] = "down"
    assert world.choose() is None
    assert world.replicas.stats()[0].state == "resting"
    while world.now_s < 500:
        world.choose(after_s=0.25)
    assert 15 <= world.asked.count("a") <= 21
    world.at["a"] = Position(1, 0)
    assert any(world.choose(after_s=1.0) for _ in range(31))
    assert world.replicas.stats() == [
        ReplicaStats("a", "in use", pytest.approx(0, abs=MAX_LAG_S), reads=1, error="")
    ]


def test_a_failure_in_a_read() -> None:
    world = World("a", "b")
    failed = world.choose()
    assert failed is not None
    world.replicas.note_failure(failed, ConnectionFailedError("lost"))
    assert {world.choose(after_s=0.05) for _ in range(5)} == {"a", "b"} - {failed}
