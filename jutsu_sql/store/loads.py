"""The audit trail: one row of ``loads`` for each write, delete or undo, and what it touched."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import jutsu_sql
from jutsu_sql.bars import Series
from jutsu_sql.database import Connection, Database


@dataclass(slots=True)
class Load:
    """A load under way: its id, and what it has done so far, in rows."""

    load_id: int
    observed_at: datetime
    received: int = 0
    inserted: int = 0
    updated: int = 0
    kept: int = 0
    rejected: int = 0
    deleted: int = 0

    @property
    def unchanged(self) -> int:
        """Rows that were stored already, and stay as they are."""
        return self.received - self.inserted - self.updated - self.kept - self.rejected


class Touched(NamedTuple):
    """One series, and between which times a load touches it."""

    series_id: int
    first_ts: datetime
    last_ts: datetime


@contextmanager
def recorded_load(
    tx: Connection,
    kind: str,
    source: str,
    *,
    observed_at: datetime | None = None,
    uri: str | None = None,
    content_sha256: str | None = None,
) -> Iterator[Load]:
    """A row of ``loads`` around some work, in the caller's transaction."""
    now = datetime.now(UTC)
    observed_at = observed_at or now
    tx.run("bars.claim")
    load_id = tx.run(
        "loads.start",
        kind=kind,
        source=source,
        uri=uri,
        content_sha256=content_sha256,
        observed_at=observed_at,
        started_at=now,
        actor=_actor(),
        tool_version=f"jutsu_sql {jutsu_sql.__version__}",
    )
    load = Load(load_id, observed_at)
    yield load
    tx.run(
        "loads.finish",
        load_id=load.load_id,
        received=load.received,
        inserted=load.inserted,
        updated=load.updated,
        unchanged=load.unchanged,
        kept=load.kept,
        rejected=load.rejected,
        deleted=load.deleted,
    )


def note_series(tx: Connection, load: Load, touched: Iterable[Touched]) -> None:
    """Note which series a load is about, and where in them."""
    rows = list(touched)
    if rows:
        series_ids, firsts, lasts = map(list, zip(*rows, strict=True))
        tx.run(
            "loads.note_series",
            load_id=load.load_id,
            series_ids=series_ids,
            firsts=firsts,
            lasts=lasts,
        )


def touch_series(tx: Connection, load: Load, series_ids: Sequence[int]) -> None:
    """Note a load as the last one that changed these series."""
    if series_ids:
        tx.run("series.touch", load_id=load.load_id, series_ids=list(series_ids))


def _actor() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user without a name
        return "unknown"


def resolve_series(
    tx: Connection, names: Sequence[Series]
) -> tuple[dict[Series, int], set[Series]]:
    """The id of each series, locked until the transaction ends, and which of them are new."""
    found = find_series(tx, names)
    new = [name for name in names if name not in found]
    if new:
        # Only what is missing: an upsert would burn an id for every series that is there.
        tx.run("series.insert", names=json.dumps(new))
        found = find_series(tx, names)
    tx.run("series.lock", series_ids=list(found.values()))
    return found, set(new)


def find_series(source: Database | Connection, names: Sequence[Series]) -> dict[Series, int]:
    """The id of each series that exists, in the order of ``names``."""
    rows = source.run("series.named", names=json.dumps(names))
    ids = {Series(row.symbol, row.timeframe): row.series_id for row in rows}
    return {name: ids[name] for name in names if name in ids}
