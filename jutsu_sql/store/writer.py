"""The parts of one load: validated, the refused rows kept with their reasons, the others stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from jutsu_sql.bars import VALUES, Bars, Rejection
from jutsu_sql.database import Connection, Database
from jutsu_sql.errors import RejectedBarsError
from jutsu_sql.instants import us_from_datetime
from jutsu_sql.store.batches import BatchWriter, batches_of
from jutsu_sql.store.loads import Load, recorded_load
from jutsu_sql.store.origin import Origin, note_origin

_SHOWN_REJECTIONS = 5
# So many refused rows go in with one call: a parameter of PostgreSQL ends at 1 GB.
_REJECTED_ROWS = 10_000

# What a rejected row is called where it came from: its position there, the reason, its raw text.
DescribeRejection = Callable[[Rejection], tuple[int, str, str]]


def summarize(rejections: Sequence[Rejection]) -> str:
    """The first few of them, in one line."""
    shown = "; ".join(f"row {r.row}: {r.reason}" for r in rejections[:_SHOWN_REJECTIONS])
    more = len(rejections) - _SHOWN_REJECTIONS
    return f"{len(rejections)} rows refused: {shown}" + (f"; and {more} more" if more > 0 else "")


@contextmanager
def serial_writer(db: Database, on_conflict: str, **record: Any) -> Iterator[Writer]:
    """A writer of one load in one transaction: all of it, or on any exception nothing."""
    with recorded_load(db, "write", **record) as (tx, load):
        writer = Writer(tx, load, on_conflict)
        yield writer
        writer.finish()


class Writer:
    """Bars into one load, part by part, on the connection of the load's transaction."""

    def __init__(self, tx: Connection, load: Load, on_conflict: str) -> None:
        self._tx = tx
        self.load = load
        self.origin = Origin()
        self._batch_writer = BatchWriter(tx, load, on_conflict)

    def write(
        self, bars: Bars, *, strict: bool, describe: DescribeRejection | None
    ) -> list[Rejection]:
        """Store the valid rows of a part, and keep the others as rejected: gives those."""
        if bars.open.dtype == object:
            bars = bars.as_double()
        validation = bars.validate()
        first_row = self.load.received
        rejections = [r.moved(first_row) for r in validation.rejections]
        if rejections and strict:
            raise RejectedBarsError(summarize(rejections), rejections=rejections)
        self.load.received += len(bars)
        self.load.rejected += len(rejections)
        self._quarantine(rejections, describe or _describe)
        if len(validation.order):
            self._store(bars, validation.order)
        return rejections

    def finish(self) -> None:
        """Leave nothing behind on the connection, and note where the bars come from."""
        self._batch_writer.finish()
        note_origin(self._tx, self.load, self.origin)

    def _store(self, bars: Bars, order: npt.NDArray[np.intp]) -> None:
        self._batch_writer.write(bars, batches_of(self._tx, self.load, bars, order))

    def _quarantine(self, rejections: Sequence[Rejection], describe: DescribeRejection) -> None:
        for start in range(0, len(rejections), _REJECTED_ROWS):
            rows = []
            for rejection in rejections[start : start + _REJECTED_ROWS]:
                position, reason, raw = describe(rejection)
                iso = rejection.ts and rejection.ts.isoformat()
                us = rejection.ts and us_from_datetime(rejection.ts)
                series = (rejection.symbol, rejection.timeframe)
                rows.append([position, *series, iso, us, reason, raw])
            self._tx.run("rejected.insert", load_id=self.load.load_id, rows=json.dumps(rows))


def _describe(rejection: Rejection) -> tuple[int, str, str]:
    values = dict(zip(VALUES, map(repr, rejection.values), strict=True))
    return rejection.row, rejection.reason, json.dumps(values)
