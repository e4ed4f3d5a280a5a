"""Writing bars: one load, in one transaction or over several connections."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from jutsu_sql.bars import Bars, Rejection
from jutsu_sql.database import Database
from jutsu_sql.errors import BarsError
from jutsu_sql.instants import us_from_datetime
from jutsu_sql.store.origin import Origin
from jutsu_sql.store.parallel import parallel_writer
from jutsu_sql.store.writer import DescribeRejection, serial_writer, summarize

_log = logging.getLogger("jutsu_sql")
# How far the clock that an observation was stamped with may run ahead of ours.
_CLOCK_SKEW = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What one write did, in rows.

    ``received = inserted + updated + unchanged + kept + rejected``. ``unchanged`` counts the bars
    that were stored already and stay as they are; ``kept`` those that were observed later than
    this batch and differ from it, ``kept_from_partial`` of them because the batch has them from
    before their interval ended. ``rejections`` are the rows that validation refused, as they came.
    ``skipped``: the same content was loaded before by the load ``load_id``, nothing has touched its
    series since, and nothing was done; the other figures are then 0.
    """

    load_id: int
    received: int
    inserted: int
    updated: int
    unchanged: int
    kept: int
    kept_from_partial: int
    rejected: int
    rejections: list[Rejection]
    skipped: bool = False


def write_bars(
    db: Database,
    parts: Iterable[Bars],
    *,
    source: str,
    on_conflict: str,
    strict: bool,
    observed_at: datetime | None,
    uri: str | None,
    content_sha256: str | None,
    force: bool,
    describe: DescribeRejection | None,
    progress: Callable[[int], None] | None,
    parallel: int,
    origin: Origin,
) -> LoadReport:
    """See :meth:`jutsu_sql.BarStore.write`."""
    if on_conflict not in {"update", "ignore", "error"}:
        raise ValueError(f'on_conflict is "update", "ignore" or "error", not {on_conflict!r}')
    if observed_at is not None:
        us_from_datetime(observed_at)  # refuses a naive one
        if observed_at > datetime.now(UTC) + _CLOCK_SKEW:
            # It would keep every later correction back until that day comes.
            raise BarsError(f"observed_at {observed_at.isoformat()} lies in the future")
    if content_sha256 is not None and not force:
        load_id = db.run("loads.with_content", content_sha256=content_sha256)
        if load_id is not None:
            return LoadReport(load_id, 0, 0, 0, 0, 0, 0, 0, [], skipped=True)
    record: dict[str, Any] = {
        "source": source,
        "observed_at": observed_at,
        "uri": uri,
        "content_sha256": content_sha256,
    }
    if parallel > 1 and db.can_write_in_parallel:
        opened = parallel_writer(db, parallel, on_conflict, **record)
    else:
        opened = serial_writer(db, on_conflict, **record)
    rejections: list[Rejection] = []
    with opened as writer:
        writer.origin = origin
        for bars in parts:
            rejections += writer.write(bars, strict=strict, describe=describe)
            if progress is not None:
                progress(writer.load.received)
    load = writer.load
    if rejections:
        _log.warning(summarize(rejections))
    return LoadReport(
        load.load_id,
        load.received,
        load.inserted,
        load.updated,
        load.unchanged,
        load.kept,
        load.kept_from_partial,
        load.rejected,
        rejections,
    )
