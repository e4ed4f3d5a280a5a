"""What a peer is, and how it is run: in this process, or apart in one of its own."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import Connection as Pipe
from time import perf_counter
from typing import Any

import numpy.typing as npt

from jutsu_sql.bench import NotMeasuredError
from jutsu_sql.config import Config
from jutsu_sql.database import Database
from jutsu_sql.queries import Queries

# The columns of the table bars: series_id and load_id int32, ts datetime64[us], the rest float64.
Columns = Mapping[str, npt.NDArray[Any]]


def as_given(columns: Columns) -> Columns:
    """The shape of a peer that takes columns."""
    return columns


@dataclass(frozen=True, slots=True)
class Place:
    """Where a peer connects to, and the statements that it may need."""

    config: Config
    queries: Queries


@dataclass(frozen=True, slots=True)
class Peer:
    """One way of moving bars.

    ``connect`` opens the peer's own connection, untimed; without one it gets the
    :class:`Database`. ``run(connection, queries, data)`` is timed; a writer's ``data`` is what
    ``shape`` makes of columns (timed too, and shown apart), and its rows are committed when it
    returns. ``libraries`` are the distributions that it needs. A slow peer is measured with
    ``most_rows``. ``is_apart`` is for a library that must not share a process with the toolkit.
    """

    name: str
    libraries: tuple[str, ...]
    connect: Callable[[Place], AbstractContextManager[Any]] | None
    run: Callable[[Any, Queries, Any], object]
    shape: Callable[[Columns], Any] = as_given
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

    @contextmanager
    def opened(self, db: Database, columns: Columns) -> Iterator[Session]:
        """The peer, connected and with the bars at hand.

        Raises:
            NotMeasuredError: it is not installed, or it failed.
        """
        self.versions()
        place = Place(db.config, db.queries)
        with ExitStack() as stack:
            if self.connect is None:
                yield Session(self, db, db.queries, columns)
            elif self.is_apart:
                pipe = stack.enter_context(_process(self, place, columns))
                yield _SessionApart(self, pipe, db.queries, columns)
            else:
                with _told():
                    connection = stack.enter_context(self.connect(place))
                yield Session(self, connection, db.queries, columns)


@dataclass(slots=True)
class Session:
    """A peer at work; ``shaping_s`` is what the last move took to make its rows of columns."""

    peer: Peer
    connection: Any
    queries: Queries
    columns: Columns
    data: Any = None
    shaping_s: float = 0.0

    def move(self) -> None:
        with _told():
            start = perf_counter()
            self.data = self.peer.shape(self.columns)
            self.shaping_s = perf_counter() - start
            self.peer.run(self.connection, self.queries, self.data)

    def forget(self) -> None:
        """Free the rows, in nobody's time."""
        self.data = None


class _SessionApart(Session):
    def move(self) -> None:
        self.connection.send(True)
        self.shaping_s = _answer(self.peer, self.connection)


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
def _process(peer: Peer, place: Place, columns: Columns) -> Iterator[Pipe]:
    """A fresh interpreter: a forked one would have our threads' locks without the threads."""
    ours, theirs = multiprocessing.Pipe()
    spawn = multiprocessing.get_context("spawn")
    child = spawn.Process(target=_serve, args=(theirs, peer, place, columns), daemon=True)
    child.start()
    theirs.close()
    try:
        _answer(peer, ours)
        yield ours
    finally:
        with suppress(OSError):  # it has ended already
            ours.send(False)
        ours.close()
        child.join()


def _answer(peer: Peer, pipe: Pipe) -> float:
    try:
        answer = pipe.recv()
    except EOFError:
        raise NotMeasuredError(f"the process of {peer.name} ended") from None
    if isinstance(answer, str):
        raise NotMeasuredError(answer)
    return float(answer)


def _serve(pipe: Pipe, peer: Peer, place: Place, columns: Columns) -> None:
    """Move the bars each time something comes, and answer with the seconds of shaping."""
    gc.disable()
    assert peer.connect is not None
    try:
        with _told(), peer.connect(place) as connection:
            session = Session(peer, connection, place.queries, columns)
            pipe.send(0.0)
            while pipe.recv():
                session.move()
                pipe.send(session.shaping_s)
                session.forget()
    except NotMeasuredError as error:
        pipe.send(str(error))
