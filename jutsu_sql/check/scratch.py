"""A scratch database of each engine: migrated, with fixture bars, and the caller's own schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jutsu_sql.config import Config
from jutsu_sql.database import Database, connect
from jutsu_sql.dialects.checker import Checker
from jutsu_sql.instants import us_from_datetime
from jutsu_sql.queries import read_script
from jutsu_sql.store import BarStore

_FIRST = datetime(2024, 1, 2, tzinfo=UTC)
_OBSERVED = datetime(2024, 2, 1, tzinfo=UTC)


@contextmanager
def open_scratch(
    configs: Sequence[Config], schemas: Sequence[Path] = ()
) -> Iterator[dict[str, Checker]]:
    """A checker for the database of each config; each must be empty, or left by an earlier one."""
    with ExitStack() as stack:
        checkers = {}
        for config in configs:
            db = stack.enter_context(connect(config=config))
            is_new = bool(db.migrate())
            if is_new:
                write_fixture(db)
            checker = checkers[config.dialect] = stack.enter_context(db.checker())
            for path in schema_files(schemas, config.dialect) if is_new else ():
                checker.apply(read_script(path, config.dialect))
        yield checkers


def schema_files(schemas: Sequence[Path], dialect: str) -> list[Path]:
    """The ``.sql`` files of ``DIALECT/`` in each directory by name, without ways back."""
    files = [path for each in schemas for path in sorted((each / dialect).glob("*.sql"))]
    return [path for path in files if not path.name.endswith(".rollback.sql")]


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
