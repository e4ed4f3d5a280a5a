"""Scratch space on a configured database: a schema or a file of its own, always removed."""

from __future__ import annotations

import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

from jutsu_sql.bench.verdict import NotMeasuredError
from jutsu_sql.config import Config
from jutsu_sql.database import Connection, Database, connect
from jutsu_sql.errors import ConnectionFailedError, DatabaseError
from jutsu_sql.instants import us_from_datetime
from jutsu_sql.store import BarStore

# As many as the toolkit's own pool has at most, unless told otherwise.
_POOL_BY_HAND = 30


@dataclass(frozen=True, slots=True)
class Scale:
    """How many bars. Targets hold for the full sizes only: fixed costs rule small ones."""

    name: str
    history: int
    batch: int
    bulk: int
    lookups: int
    is_judged: bool

    @classmethod
    def of(cls, name: str) -> Scale:
        """``"full"``, or ``"small"`` for a quick look."""
        if name == "full":
            return cls("full", 50_000, 10_000, 200_000, 1_000, is_judged=True)
        return cls("small", 2_000, 500, 5_000, 100, is_judged=False)


class Engine(Protocol):
    """What it takes to measure one engine without the toolkit."""

    # SQL text and parameters of a bare call, as the driver's user would write them.
    style: str

    def instant(self, ts: datetime) -> Any:
        """A time as the driver takes it."""

    def bare(self, db: Database, pinned: Connection) -> AbstractContextManager[Any]:
        """The driver's connection, to compare calls of its own with those of ``pinned``."""

    def fetch_all(self, raw: Any, text: str, key: Sequence[Any]) -> list[Any]:
        """Every row of a bare call, in the driver's fastest way."""

    def pool_by_hand(self, db: Database) -> AbstractContextManager[Callable[[str, Any], Any]]:
        """One row by a bare call on a connection of a pool, as the driver's user would have it."""

    def empty(self, db: Database) -> None:
        """No bars, and nothing left of them in files or logs."""

    def load_reference(self, db: Database) -> None:
        """Load the rows kept by ``keep_rows`` into ``bars``, as fast as the engine can."""

    def keep_rows(self, db: Database) -> AbstractContextManager[None]:
        """Put the rows of ``bars`` where the query ``bench.load_reference`` takes them from, and
        into ``bench_rows``, to compare later ones with.

        Raises:
            NotMeasuredError: the engine cannot get at them there.
        """


@dataclass(frozen=True, slots=True)
class Space:
    """A migrated database in scratch space."""

    db: Database
    store: BarStore
    engine: Engine
    scale: Scale


@contextmanager
def open_space(config: Config, scale: Scale) -> Iterator[Space]:
    """Scratch space on the engine, and with the pool, of ``config``; nothing of it survives.

    PostgreSQL: a new schema of the same database. SQLite: a file in a new folder beside the
    configured one, or in the system's folder for temporary files where that is not there.

    Raises:
        DatabaseError: no scratch space can be made there.
    """
    # It is the database that is measured: neither a file beside it, nor what counting calls costs.
    config = replace(config, snapshots=False, telemetry=False)
    with _SPACES[config.dialect](config) as (db, engine):
        db.migrate()
        yield Space(db, BarStore(db), engine, scale)


class _Sqlite:
    style = "qmark"

    def instant(self, ts: datetime) -> int:
        return us_from_datetime(ts)

    @contextmanager
    def bare(self, db: Database, pinned: Connection) -> Iterator[sqlite3.Connection]:
        del pinned
        with closing(sqlite3.connect(db.config.database, isolation_level=None)) as raw:
            for statement in db.queries["connection.open"].statements:
                raw.execute(statement)
            yield raw

    def fetch_all(self, raw: Any, text: str, key: Sequence[Any]) -> list[Any]:
        return list(raw.execute(text, key).fetchall())

    @contextmanager
    def pool_by_hand(self, db: Database) -> Iterator[Callable[[str, Any], Any]]:
        with ExitStack() as opened:
            idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
            for _ in range(_POOL_BY_HAND):
                raw = sqlite3.connect(
                    db.config.database, isolation_level=None, check_same_thread=False
                )
                opened.enter_context(closing(raw))
                for statement in db.queries["connection.open"].statements:
                    raw.execute(statement)
                idle.put(raw)

            def look_up(text: str, key: Any) -> Any:
                raw = idle.get()
                row = raw.execute(text, key).fetchone()
                idle.put(raw)
                return row

            yield look_up

    def empty(self, db: Database) -> None:
        self._run_bare(db, "bench.empty")
        db.run("bench.shrink")
        db.run("bench.checkpoint")

    def load_reference(self, db: Database) -> None:
        # Without the triggers, as a big load of the toolkit.
        self._run_bare(db, "bench.load_reference")

    def _run_bare(self, db: Database, query_name: str) -> None:
        with db.transaction() as tx:
            tx.run("bars.make_bare")
            tx.run(query_name)
            tx.run("bars.make_whole")

    @contextmanager
    def keep_rows(self, db: Database) -> Iterator[None]:
        # A temporary table belongs to a connection: the pool gives the one used last.
        with _kept_rows(db):
            yield


@contextmanager
def _sqlite_space(config: Config) -> Iterator[tuple[Database, Engine]]:
    home: Path | None = Path(config.database).absolute().parent
    if config.database == ":memory:" or not (home and home.is_dir()):
        home = None
    try:
        folder = Path(tempfile.mkdtemp(prefix="jutsu-bench-", dir=home))
    except OSError as error:
        raise ConnectionFailedError(
            f"cannot make a scratch folder in {home}: {error.strerror}"
        ) from error
    try:
        with connect(config=replace(config, database=str(folder / "bench.db"))) as db:
            db.run("bench.mark_scratch")
            yield db, _Sqlite()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Postgresql:
    style = "numbered"

    # The server refuses to read files, cannot see this one, or is an engine that has no such COPY.
    _REFUSALS = frozenset({"42501", "58P01", "58030", "0A000"})

    def __init__(self, file: Path) -> None:
        self._file = file

    def instant(self, ts: datetime) -> datetime:
        return ts

    @contextmanager
    def bare(self, db: Database, pinned: Connection) -> Iterator[Any]:
        del db
        # The very connection: two backends of a server land on different cores, and whether that
        # core has to be woken makes 60 or 120 us of the same call.
        yield pinned._raw

    def fetch_all(self, raw: Any, text: str, key: Sequence[Any]) -> list[Any]:
        return list(raw.execute(text, key, binary=True).fetchall())

    @contextmanager
    def pool_by_hand(self, db: Database) -> Iterator[Callable[[str, Any], Any]]:
        import psycopg
        from psycopg_pool import ConnectionPool

        settings = {"autocommit": True, "cursor_factory": psycopg.RawCursor}
        with ConnectionPool(
            db.config.conninfo,
            kwargs=settings,
            min_size=_POOL_BY_HAND,
            open=True,
        ) as pool:
            pool.wait()

            def look_up(text: str, key: Any) -> Any:
                with pool.connection() as raw:
                    return raw.execute(text, key).fetchone()

            yield look_up

    def empty(self, db: Database) -> None:
        db.run("bench.empty")

    def load_reference(self, db: Database) -> None:
        db.run("bench.load_reference")

    @contextmanager
    def keep_rows(self, db: Database) -> Iterator[None]:
        import psycopg

        text = db.queries["bench.copy_out"].statements[0].encode()
        with (
            psycopg.connect(db.config.conninfo) as raw,
            raw.cursor() as cursor,
            cursor.copy(text) as copy,
            self._file.open("wb") as file,
        ):
            for data in copy:
                file.write(data)
        # The server is another user; these rows are nobody's secret.
        self._file.chmod(0o644)
        with _kept_rows(db):
            self.empty(db)
            try:
                self.load_reference(db)
            except DatabaseError as error:
                if error.sqlstate in self._REFUSALS:
                    raise NotMeasuredError(
                        f"the server cannot COPY from a file here: {error}"
                    ) from error
                raise
            yield


@contextmanager
def _postgresql_space(config: Config) -> Iterator[tuple[Database, Engine]]:
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    schema = f"jutsu_bench_{secrets.token_hex(6)}"
    with tempfile.TemporaryDirectory(prefix="jutsu-bench-") as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "bars.copy"
        # Settings of the session, so that every connection of the pool has them.
        settings = {"search_path": schema, "jutsu_bench.schema": schema, "jutsu_bench.file": file}
        options = [str(conninfo_to_dict(config.conninfo).get("options") or "")]
        options += [f"-c {name}={_escaped(str(value))}" for name, value in settings.items()]
        conninfo = make_conninfo(config.conninfo, options=" ".join(options).strip())
        with connect(config=replace(config, conninfo=conninfo)) as db:
            try:
                db.run("bench.create_schema")
                yield db, _Postgresql(file)
            finally:
                db.run("bench.drop_schema")


@contextmanager
def _kept_rows(db: Database) -> Iterator[None]:
    db.run("bench.keep_rows")
    try:
        yield
    finally:
        db.run("bench.forget_rows")


def _escaped(value: str) -> str:
    """A value inside libpq's ``options``, which are cut at spaces."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


_SPACES = {"sqlite": _sqlite_space, "postgresql": _postgresql_space}
