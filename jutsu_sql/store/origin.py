"""Where the bars of a load come from: the exchange's time zone and calendar, how stamps read, and
what the source was asked for.

A bar from ``1D`` up is a session date where its exchange is. So a series has one time zone and one
calendar, and a load that says others would store its sessions twice.
"""

from __future__ import annotations

from dataclasses import dataclass

from jutsu_sql.bars import Series
from jutsu_sql.database import Connection
from jutsu_sql.errors import BarsError
from jutsu_sql.store.claims import Asked, note_claims
from jutsu_sql.store.loads import Load
from jutsu_sql.timeframe import parse_timeframe


@dataclass(frozen=True, slots=True)
class Origin:
    """What a load says of its series; None is not said. ``named`` is the one that it is all of."""

    timezone: str | None = None
    calendar: str | None = None
    reading: str | None = None
    asked: Asked | None = None
    named: Series | None = None


def note_origin(tx: Connection, load: Load, origin: Origin) -> None:
    """Keep the origin of a load, and have its series keep the first one that is said.

    Raises:
        BarsError: a series of sessions has another time zone or calendar; there is no series that
            anything can have been asked of.
    """
    if origin.asked is not None:
        note_claims(tx, load, origin.asked, origin.named)
    if origin.reading is not None:
        tx.run("loads.note_reading", load_id=load.load_id, reading=origin.reading)
    if origin.timezone is None and origin.calendar is None:
        return
    said = {"timezone": origin.timezone, "calendar": origin.calendar}
    for other in tx.run("series.elsewhere", load_id=load.load_id, **said):
        if parse_timeframe(other.timeframe).is_session:
            known = " and ".join(name for name in (other.timezone, other.calendar) if name)
            here = " and ".join(name for name in said.values() if name)
            raise BarsError(
                f"{other.symbol} {other.timeframe} is a series of {known}, and these bars are of"
                f" {here}: its sessions would be stored twice. Say the same, or another symbol"
            )
    tx.run("series.settle", load_id=load.load_id, **said)


__all__ = ["Origin", "note_origin"]
