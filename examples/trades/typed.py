# Written by `jutsu-sql check --write-types`: do not edit.
# ruff: noqa
# fmt: off
"""Named queries as type checkers and editors see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from datetime import date, datetime
    from typing import NamedTuple
    from jutsu_sql import Connection, Database, topics

    class FillsMarkedRow(NamedTuple):
        fill_id: int | None
        series_id: int | None
        ts: datetime | None
        quantity: float | None
        price: float | None
        close: float | None

    class FillsOfSeriesRow(NamedTuple):
        fill_id: int
        ts: datetime
        quantity: float
        price: float
        note: str | None

    class FillsPerDayRow(NamedTuple):
        day: datetime | None
        fills: int | None
        turnover: float | None

    class FillsPositionRow(NamedTuple):
        quantity: float | None
        cost: float | None

    class FillsTopic:
        def marked(self) -> list[FillsMarkedRow]:
            """Each fill beside the close of the bar that its day has, oldest first."""
            raise NotImplementedError
        def of_series(self, *, series_id: int, start: datetime | date, end: datetime | date) -> list[FillsOfSeriesRow]:
            """The fills of one series from :start to :end, both inclusive, in time order."""
            raise NotImplementedError
        def per_day(self) -> list[FillsPerDayRow]:
            """How many fills there were on each day in UTC, and their turnover."""
            raise NotImplementedError
        def position(self, *, series_id: int, at: datetime | date) -> FillsPositionRow | None:
            """What is held of one series after :at, and what it has cost."""
            raise NotImplementedError
        def record(self, *, series_id: int | None, ts: datetime | date | None, quantity: float | None, price: float | None, note: str | None) -> int | None:
            """Record a fill, and give its id."""
            raise NotImplementedError

    class Topics(topics.Topics):
        fills: FillsTopic


def typed(db: Database | Connection) -> Topics:
    """``db.q`` with the types of these queries."""
    return cast("Topics", db.q)
