"""The sessions of calendars in the database, so that SQL can tell what is missing.

Whoever asks for them first, or with a newer version of the package, stores them: reading them needs
no package, and no right to write.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from jutsu_sql.calendars import Sessions, calendar_version, open_calendar
from jutsu_sql.database import Connection, Database
from jutsu_sql.errors import ConfigError, DatabaseReadOnlyError, StatementError
from jutsu_sql.instants import (
    DAY_US,
    datetime_from_us,
    us_from_times,
)
from jutsu_sql.timeframe import Timeframe, floor_session

_log = logging.getLogger("jutsu_sql")
_FRAMES = [Timeframe(1, unit) for unit in "DWM"]


def fill_calendars(db: Database, names: Iterable[str]) -> dict[str, ConfigError]:
    """Have the sessions of calendars stored, up to the present and by the package at hand.

    Gives the calendars that cannot be had, each with the reason.

    Raises:
        DatabaseError: one is not stored yet, and may not be stored here.
    """
    stored = {row.calendar: row for row in db.run("calendars.list")}
    now = datetime.now(UTC)
    unknown = {}
    for name in sorted(names):
        row, version = stored.get(name), calendar_version(name)
        if row is not None and row.version == (version or row.version) and row.end_ts > now:
            continue
        try:
            _fill(db, name, str(version), is_needed=row is None)
        except ConfigError as error:
            if row is None:
                unknown[name] = error
            else:
                _log.warning("the sessions of %s end at %s: %s", name, row.end_ts.date(), error)
    return unknown


def _fill(db: Database, name: str, version: str, *, is_needed: bool) -> None:
    sessions = open_calendar(name).sessions()
    try:
        with db.transaction() as tx:
            _store(tx, name, version, sessions)
    except (DatabaseReadOnlyError, StatementError) as error:
        if is_needed:
            raise type(error)(
                f"the sessions of {name} are not stored yet, and cannot be stored here:"
                f" `jutsu-sql coverage` by a role that may load does that ({error})",
                sqlstate=error.sqlstate,
            ) from error
        _log.warning("the sessions of %s are stored as an older version knew them", name)


def _store(tx: Connection, name: str, version: str, sessions: Sessions) -> None:
    days = us_from_times(sessions.days)
    first, end = datetime_from_us(int(days[0])), datetime_from_us(int(days[-1]) + DAY_US)
    tx.run("calendars.note", calendar=name, version=version, first=first, end=end)
    tx.run("calendars.forget_sessions", calendar=name)
    for frame in _FRAMES:
        tx.copy_into("calendar_sessions", _rows(name, frame, days, sessions))


def _rows(name: str, frame: Timeframe, days: Any, sessions: Sessions) -> dict[str, Any]:
    """The sessions put together to those of a frame: the first opens, the last closes."""
    ts, first = np.unique(floor_session(days, frame), return_index=True)
    last = np.append(first[1:], len(days)) - 1
    return {
        "calendar": [name] * len(ts),
        "timeframe": [str(frame)] * len(ts),
        "ts": ts.view("M8[us]"),
        "number": np.arange(len(ts)),
        "open_ts": sessions.opens[first],
        "close_ts": sessions.closes[last],
        "break_start_ts": sessions.break_starts[first],
        "break_end_ts": sessions.break_ends[first],
    }


__all__ = ["fill_calendars"]
