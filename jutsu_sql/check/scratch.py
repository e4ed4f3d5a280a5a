"""A scratch database of each engine: migrated, with fixture bars, and the caller's own schema."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex

from jutsu_sql.check.pack import filled
from jutsu_sql.config import Config, load_config
from jutsu_sql.database import Database, connect
from jutsu_sql.dialects.checker import Checker
from jutsu_sql.errors import ConnectionFailedError, DatabaseError
from jutsu_sql.instants import us_from_datetime
from jutsu_sql.queries import read_script
from jutsu_sql.resources import MIGRATIONS_DIR
from jutsu_sql.scratch_server import scratch_server
from jutsu_sql.store import BarStore

_DATABASE = "jutsu_sql_check_"  # as in sql/check/old_databases.postgresql.sql
_FIRST = datetime(2024, 1, 2, tzinfo=UTC)
_OBSERVED = datetime(2024, 2, 1, tzinfo=UTC)


@contextmanager
def open_scratch(
    dialects: Sequence[str], server: Config | None = None, schemas: Sequence[Path] = ()
) -> Iterator[dict[str, Checker]]:
    """A checker for each dialect, on a scratch database with the schema and a few bars.

    SQLite's is in memory. PostgreSQL's is on a throw-away server, or on ``server``, where it is
    named after what it is made from and stays for the next check. ``schemas`` are directories of
    the caller's own tables: the ``.sql`` files in ``DIALECT/`` are run in the order of their names.

    Raises:
        DatabaseError: the server does not let us make a database, or a schema does not run.
        ServerError: there are no programs for a throw-away server.
    """
    with ExitStack() as stack:
        yield {
            dialect: stack.enter_context(_OPENERS[dialect](server, schemas)) for dialect in dialects
        }


@contextmanager
def _sqlite(_server: Config | None, schemas: Sequence[Path]) -> Iterator[Checker]:
    with connect("sqlite://") as db, db.checker() as checker:
        _build(db, checker, schemas)
        yield checker


@contextmanager
def _postgresql(server: Config | None, schemas: Sequence[Path]) -> Iterator[Checker]:
    if server is None:
        with scratch_server(durable=False) as started:
            with _postgresql(load_config(started.url), schemas) as checker:
                yield checker
            return
    name = f"{_DATABASE}{fingerprint(schemas, server.dialect)[:16]}"
    try:
        db = connect(config=_database_of(server, name))
    except ConnectionFailedError:  # there is none, or making it will say what is wrong
        _make_database(server, name, schemas)
        db = connect(config=_database_of(server, name))
    with db, db.checker() as checker:
        yield checker


def _database_of(server: Config, name: str) -> Config:
    from psycopg.conninfo import make_conninfo

    return replace(server, conninfo=make_conninfo(server.conninfo, dbname=name), database=name)


def _make_database(server: Config, name: str, schemas: Sequence[Path]) -> None:
    """Make it under another name, so that whoever finds the name finds it finished."""
    draft = f"{name}_{token_hex(4)}"
    with connect(config=server) as home, home.checker() as maker:

        def run(query_name: str, **names: str) -> None:
            maker.apply(filled(home.queries[query_name], **names))

        for old in home.run("check.old_databases"):
            with suppress(DatabaseError):  # somebody uses it again, or was faster
                run("check.drop_database", name=old.name)
        run("check.create_database", name=draft)
        try:
            with connect(config=_database_of(server, draft)) as db, db.checker() as checker:
                _build(db, checker, schemas)
            with suppress(DatabaseError):  # another check was first
                run("check.rename_database", draft=draft, name=name)
        finally:
            run("check.drop_database", name=draft)


_Opener = Callable[[Config | None, Sequence[Path]], AbstractContextManager[Checker]]
_OPENERS: dict[str, _Opener] = {"sqlite": _sqlite, "postgresql": _postgresql}


def _build(db: Database, checker: Checker, schemas: Sequence[Path]) -> None:
    db.migrate()
    write_fixture(db)
    for path in schema_files(schemas, db.config.dialect):
        checker.apply(read_script(path, db.config.dialect))


def schema_files(schemas: Sequence[Path], dialect: str) -> list[Path]:
    """The ``.sql`` files of ``DIALECT/`` in each directory by name, without ways back."""
    files = [path for each in schemas for path in sorted((each / dialect).glob("*.sql"))]
    return [path for path in files if not path.name.endswith(".rollback.sql")]


def fingerprint(schemas: Sequence[Path], dialect: str) -> str:
    """What a scratch database is made from, as one hash."""
    files = [*schema_files([MIGRATIONS_DIR, *schemas], dialect), Path(__file__)]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


def write_fixture(db: Database) -> None:
    """A few bars: two series of session dates and one of hours, corrected, refused and deleted."""
    store = BarStore(db)
    daily = [_bar(symbol, "1D", day, day) for symbol in ("AAPL", "MSFT") for day in range(5)]
    hourly = [_bar("AAPL", "1h", hour, hour / 24) for hour in range(8)]
    store.write([*daily, *hourly], source="fixture", observed_at=_OBSERVED)
    corrected = {**daily[2], "close": 101.5}
    store.write([corrected], source="correction", observed_at=_OBSERVED + timedelta(days=1))
    store.delete("MSFT", "1D", start="2024-01-06")
    refused = [[1, "BAD", "1D", _FIRST.isoformat(), us_from_datetime(_FIRST), "no price", "x"]]
    db.run("rejected.insert", load_id=1, rows=json.dumps(refused))
    for load_id in (1, 2, 3):
        # The database's own clock, but for this: what it said is the same on every engine.
        started = _OBSERVED + timedelta(days=load_id)
        db.run(
            "check.set_clock",
            load_id=load_id,
            observed_at=started,
            started_at=started,
            finished_at=started + timedelta(seconds=1),
        )


def _bar(symbol: str, timeframe: str, number: int, days: float) -> dict[str, object]:
    price = 100.0 + number
    return {
        "symbol": symbol,
        "timeframe": timeframe,
        "ts": _FIRST + timedelta(days=days),
        "open": price,
        "high": price + 2.5,
        "low": price - 2.5,
        "close": price + 0.25,
        "volume": 1000.0 * (number % 3),
    }
