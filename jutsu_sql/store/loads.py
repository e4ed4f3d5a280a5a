"""The audit trail: one row of ``loads`` for each write or delete."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import jutsu_sql
from jutsu_sql.bars import Series
from jutsu_sql.database import Connection, Database


@dataclass(slots=True)
class Load:
    """A load under way: its id and what it has done so far, in rows."""

    load_id: int
    received: int = 0
    inserted: int = 0
    updated: int = 0
    rejected: int = 0
    deleted: int = 0

    @property
    def unchanged(self) -> int:
        """Rows that were stored already, and stay as they are."""
        return self.received - self.inserted - self.updated - self.rejected


@contextmanager
def recorded_load(
    tx: Connection,
    kind: str,
    source: str,
    *,
    uri: str | None = None,
    content_sha256: str | None = None,
) -> Iterator[Load]:
    """A row of ``loads`` around some work, in the caller's transaction."""
    now = datetime.now(UTC)
    load = Load(
        tx.run(
            "loads.start",
            kind=kind,
            source=source,
            uri=uri,
            content_sha256=content_sha256,
            observed_at=now,
            started_at=now,
            actor=_actor(),
            tool_version=f"jutsu_sql {jutsu_sql.__version__}",
        )
    )
    yield load
    tx.run(
        "loads.finish",
        load_id=load.load_id,
        finished_at=datetime.now(UTC),
        received=load.received,
        inserted=load.inserted,
        updated=load.updated,
        unchanged=load.unchanged,
        rejected=load.rejected,
        deleted=load.deleted,
    )


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
