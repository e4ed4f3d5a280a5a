"""What a peer is, and how it is run: in this process, or apart in one of its own."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import Connection as Pipe
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy.typing as npt

from jutsu_sql.bench import NotMeasuredError
from jutsu_sql.config import Config
from jutsu_sql.database import Database
from jutsu_sql.queries import Queries

# The columns of the table bars: series_id and load_id int32, ts datetime64[us], the rest float64.
Columns = Mapping[str, npt.NDArray[Any]]


def as_given(data: Any) -> Any:
    """The shape of a peer that takes, or gives, columns."""
    return data


class Cost(NamedTuple):
    """What one move took, in seconds: of shaping, and of its process's CPU, all threads."""

    shaping_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where a peer connects to, and the statements that it may need."""

    config: Config
    queries: Queries


@dataclass(frozen=True, slots=True)
class Peer:
    """One way of writing bars.

    ``connect`` opens the peer's own connection, untimed; without one it gets the
    :class:`Database`. ``run(connection, queries, data)`` is timed; its ``data`` is what
    ``shape`` makes of columns (timed too, and shown apart), and its rows are committed when it
    returns. ``libraries`` are the distributions that it needs. A slow peer is measured with
    ``most_rows``. ``is_apart`` is for a library that must not share a process with the toolkit.
    """

    name: str
    libraries: tuple[str, ...]
    connect: Callable[[Place], AbstractContextManager[Any]] | None
    run: Callable[[Any, Queries, Any], Any]
    shape: Callable[[Any], Any] = as_given
    most_rows: int | None = None
    is_apart: bool = False

    def versions(self) -> list[str]:
        """The libraries with their versions.

        Raises:
            NotMeasuredError: one is not installed.
        """
        try:
            return [f"{library} {version(library)}" for library in self.libraries]
        except PackageNotFoundError as error:
            raise NotMeasuredError(
                f"{error.name} is not installed: pip install '.[peers]'"
            ) from None

    def move(self, connection: Any, queries: Queries, given: Any) -> tuple[Any, float]:
        """Write columns; gives the rows that were made of them, and the seconds of making them."""
        start = perf_counter()
        rows = self.shape(given)
        shaping_s = perf_counter() - start
        self.run(connection, queries, rows)
        return rows, shaping_s

    @contextmanager
    def opened(self, db: Database, given: Any) -> Iterator[Session]:
        """The peer, connected and with what it is to move at hand.

        Raises:
            NotMeasuredError: it is not installed, or it failed.
        """
        self.versions()
        place = Place(db.config, db.queries)
        with ExitStack() as stack:
            if self.connect is None:
                yield Session(self, db, db.queries, given)
            elif self.is_apart:
                pipe = stack.enter_context(_process(self, place, given))
                yield _SessionApart(self, pipe, db.queries, given)
            else:
                with _told():
                    connection = stack.enter_context(self.connect(place))
                yield Session(self, connection, db.queries, given)


class Reader(Peer):
    """One way of reading bars: ``run(connection, queries, name)`` gives the rows of the query of
    that name in the peer's own form, and ``shape`` makes columns of them (timed too, and shown
    apart): ``series_id`` if the query has it, ``ts`` as int64 or M8[us], the rest float64.
    """

    __slots__ = ()

    def move(self, connection: Any, queries: Queries, given: Any) -> tuple[Any, float]:
        rows = self.run(connection, queries, given)
        start = perf_counter()
        columns = self.shape(rows)
        return columns, perf_counter() - start


@dataclass(slots=True)
class Session:
    """A peer at work: ``given`` is what it moves, ``data`` what the last move left."""

    peer: Peer
    connection: Any
    queries: Queries
    given: Any
    data: Any = None

    def move(self) -> Cost:
        with _told():
            start = process_time()
            self.data, shaping_s = self.peer.move(self.connection, self.queries, self.given)
            return Cost(shaping_s, process_time() - start)

    def look(self, at: Callable[[Any], Any]) -> Any:
        """What a function of a module makes of the data, wherever they are; in nobody's time."""
        return at(self.data)

    def forget(self) -> None:
        """Free the data, in nobody's time."""
        self.data = None


class _SessionApart(Session):
    def move(self) -> Cost:
        cost: Cost = self._ask(Session.move)
        return cost

    def look(self, at: Callable[[Any], Any]) -> Any:
        return self._ask(partial(Session.look, at=at))

    def forget(self) -> None:
        self._ask(Session.forget)

    def _ask(self, order: Callable[[Session], Any]) -> Any:
        self.connection.send(order)
        return _answer(self.peer, self.connection)


@contextmanager
def _told() -> Iterator[None]:
    """What a peer raises is what came of it: it ends no run of many."""
    try:
        yield
    except NotMeasuredError:
        raise
    except Exception as error:
        raise NotMeasuredError(f"{type(error).__name__}: {error}") from error


@contextmanager
def _process(peer: Peer, place: Place, given: Any) -> Iterator[Pipe]:
    """A fresh interpreter: a forked one would have our threads' locks without the threads."""
    ours, theirs = multiprocessing.Pipe()
    spawn = multiprocessing.get_context("spawn")
    child = spawn.Process(target=_serve, args=(theirs, peer, place, given), daemon=True)
    child.start()
    theirs.close()
    try:
        _answer(peer, ours)
        yield ours
    finally:
        with suppress(OSError):  # it has ended already
            ours.send(None)
        ours.close()
        child.join()


def _answer(peer: Peer, pipe: Pipe) -> Any:
    try:
        answer = pipe.recv()
    except EOFError:
        raise NotMeasuredError(f"the process of {peer.name} ended") from None
    if isinstance(answer, NotMeasuredError):
        raise answer
    return answer


def _serve(pipe: Pipe, peer: Peer, place: Place, given: Any) -> None:
    """Answer with what each order that comes gives; one that fails is the last."""
    gc.disable()
    assert peer.connect is not None
    try:
        with _told(), peer.connect(place) as connection:
            session = Session(peer, connection, place.queries, given)
            pipe.send(None)
            while order := pipe.recv():
                pipe.send(order(session))
    except NotMeasuredError as error:
        pipe.send(error)
