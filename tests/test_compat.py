"""The original's calls, with only the import changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from jutsu_sql import BarStore, Database
from jutsu_sql.compat import DatabaseFactory, bulk_delete_market_data, bulk_insert_market_data


@dataclass(frozen=True)
class MarketDataEvent:
    symbol: str
    timestamp: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    timeframe: str = "1D"


def events(symbol: str, count: int, first: datetime) -> list[MarketDataEvent]:
    price = Decimal("187.15")
    return [
        MarketDataEvent(
            symbol, first + timedelta(days=i), price, price + 1, price - 1, price, 82_488_700 + i
        )
        for i in range(count)
    ]


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_database: str
) -> Iterator[Database]:
    url = urlsplit(postgres_database)
    settings = {
        "sqlite": {"database": str(tmp_path / "market_data.db"), "echo": False},
        "postgresql": {
            "host": url.hostname,
            "port": url.port,
            "user": url.username,
            "password": url.password or "",
            "database": url.path.removeprefix("/"),
            "pool_size": 10,
            "max_overflow": 20,
            "pool_timeout": 30,
            "pool_recycle": 3600,
        },
    }
    with DatabaseFactory.create_engine(request.param, settings[request.param]) as database:
        yield database


def test_insert_and_delete(engine: Database) -> None:
    start = datetime(2024, 1, 1, 5, tzinfo=UTC)
    bars = events("AAPL", 60, start) + events("MSFT", 60, start)
    assert bulk_insert_market_data(bars, engine) == 120
    assert bulk_insert_market_data(bars, engine, chunk_size=7) == 120
    stored = BarStore(engine).read("AAPL", "1D", as_decimal=True)
    assert len(stored) == 60
    assert stored.close[0] == Decimal("187.15")
    assert stored.ts[0].item() == datetime(2024, 1, 1)
    assert bulk_delete_market_data(engine, symbol="AAPL", start_date=datetime(2024, 2, 1)) == 29
    january = {"start_date": datetime(2024, 1, 1), "end_date": datetime(2024, 1, 10)}
    assert bulk_delete_market_data(engine, **january) == 20
    assert bulk_delete_market_data(engine) == 71
    assert bulk_delete_market_data(engine) == 0


def test_an_evening_stamp_is_the_session_of_that_evening(engine: Database) -> None:
    evening = datetime(2024, 1, 9, 1, tzinfo=UTC)
    bulk_insert_market_data(events("SPY", 1, evening), engine)
    assert BarStore(engine).read("SPY", "1D").ts.tolist() == [datetime(2024, 1, 8)]


def test_what_was_a_value_error_is_one(engine: Database) -> None:
    with pytest.raises(ValueError, match="no bars"):
        bulk_insert_market_data([], engine)
    with pytest.raises(ValueError, match="bar 0: .* has no time zone"):
        bulk_insert_market_data(events("SPY", 1, datetime(2024, 1, 2)), engine)
    assert bulk_insert_market_data(
        events("SPY", 1, datetime(2024, 1, 2)), engine, tz="America/New_York"
    )
    with pytest.raises(ValueError, match="Unsupported|unknown|oracle"):
        DatabaseFactory.create_engine("oracle", {})
    with pytest.raises(ValueError, match="password"):
        DatabaseFactory.create_engine(
            "postgresql", {"host": "h", "port": 1, "user": "u", "database": "d"}
        )


def test_one_bad_bar_refuses_all(engine: Database) -> None:
    good = events("SPY", 2, datetime(2024, 1, 2, tzinfo=UTC))
    bad = MarketDataEvent("SPY", datetime(2024, 1, 9, tzinfo=UTC), *[Decimal(1)] * 4, volume=-1)
    with pytest.raises(ValueError, match="row 2: volume -1.0 is negative"):
        bulk_insert_market_data([*good, bad], engine)
    assert BarStore(engine).series() == []
