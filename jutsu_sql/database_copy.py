"""One database copied to another, of any engine: series by series, compared by checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import numpy as np

from jutsu_sql.bars import VALUES, Bars, Series
from jutsu_sql.database import Connection, Database
from jutsu_sql.instants import (
    MAX_US,
    MIN_US,
    datetime_from_us,
    ends_of,
    us_from_times,
)
from jutsu_sql.store import Action, ActionsReport, BarStore
from jutsu_sql.store.claims import insert_claims, read_claims, undone_loads
from jutsu_sql.store.delete import delete_spans
from jutsu_sql.store.loads import find_series, insert_series, recorded_load
from jutsu_sql.store.scan import matching_series, scan_series
from jutsu_sql.store.spans import subtract_spans

__all__ = ["Checksum", "SeriesCopy", "copy_actions", "copy_claims", "copy_database"]

_ALWAYS = datetime_from_us(MIN_US), datetime_from_us(MAX_US)


class Checksum(NamedTuple):
    """The number of bars of a series, and the SHA-256 of their columns.

    It is the hash of the SHA-256 of each column in the order ``ts`` (int64 microseconds), ``open``,
    ``high``, ``low``, ``close``, ``volume`` (float64), little-endian, in time order, with 0.0 for
    -0.0, which SQLite does not tell from it.
    """

    bars: int
    sha256: str

    @classmethod
    def of(cls, blocks: Iterable[Bars]) -> Checksum:
        """The checksum of the blocks of one series, in order, however they are cut."""
        digests = _Digests()
        for _ in digests.passed(blocks):
            pass
        return digests.checksum()


class _Digests:
    def __init__(self) -> None:
        self._bars = 0
        self._columns = {name: hashlib.sha256() for name in ("ts", *VALUES)}

    def passed(self, blocks: Iterable[Bars]) -> Iterator[Bars]:
        """The blocks as they are, hashed on their way."""
        for block in blocks:
            self._bars += len(block)
            for name, digest in self._columns.items():
                column = getattr(block, name)
                plain = column.astype("<i8") if name == "ts" else column.astype("<f8") + 0.0
                digest.update(plain.data)
            yield block

    def checksum(self) -> Checksum:
        whole = hashlib.sha256(b"".join(digest.digest() for digest in self._columns.values()))
        return Checksum(self._bars, whole.hexdigest())


@dataclass(frozen=True, slots=True)
class SeriesCopy:
    """What became of one series; ``bars`` and ``sha256`` are the checksum of the original.

    ``same``: nothing was to be done. ``copied``: the copy has been compared, and is the same now.
    ``differs``: the copy has ``kept`` bars of a later observation, which stay, or ``extra`` ones.
    """

    symbol: str
    timeframe: str
    state: Literal["same", "copied", "differs"]
    bars: int
    sha256: str
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    kept: int = 0
    extra: int = 0


def copy_database(
    source: Database,
    target: Database,
    *,
    delete: bool = False,
    progress: Callable[[int], None] | None = None,
) -> list[SeriesCopy]:
    """Make every series of ``source`` the same in ``target``; gives what became of each.

    What is copied: the current bars, and where their series are traded (time zone, calendar);
    :func:`copy_actions` copies splits and dividends, :func:`copy_claims` what was asked for. The
    ledger is not: replaced versions, loads
    and refused rows stay behind. Each series is a load of its own in the ledger of ``target``,
    observed when the latest of its bars was; what ``target`` has from a later observation is kept.
    Bars that only ``target`` has stay, unless ``delete``; series that only ``target`` has always
    stay.

    ``source`` is read in one state. A series whose checksums are equal is not written, so that a
    copy which was interrupted goes on with the series at which it was; whatever was written is read
    back and compared. ``progress`` is called with the number of bars so far.

    Raises:
        MigrationError: one of the two is not migrated.
        DatabaseError: an engine refused; series that were done by then stay.
    """
    BarStore(source)  # it must have been migrated
    copier = _Copier(target, f"copy of {source.config.display_url}", delete=delete)
    copies: list[SeriesCopy] = []
    bars = 0
    with source.read_transaction() as tx:
        for row in tx.run("replica.series"):
            copies.append(copier.copy(tx, row))
            bars += copies[-1].bars
            if progress is not None:
                progress(bars)
    return copies


def copy_actions(source: Database, target: Database) -> ActionsReport | None:
    """Write the current splits and dividends of ``source`` to ``target``, as one load.

    It is observed when the latest of them was. None if there are none that ``target`` lacks.
    """
    fields = attrgetter(*Action._fields)
    rows = BarStore(source).actions()
    there = set(map(fields, BarStore(target).actions()))
    missing = [row for row in rows if fields(row) not in there]
    if not missing:
        return None
    observed_at = max(row.observed_at for row in missing)
    name = f"copy of {source.config.display_url}"
    return BarStore(target).write_actions(missing, source=name, observed_at=observed_at)


def copy_claims(source: Database, target: Database) -> int:
    """Note in ``target`` what the loads of ``source`` have asked for, as one load.

    Without it a bar that its vendor does not have would count as never fetched in the copy. Where
    ``source`` has refused a bar, or one was taken away, nothing is claimed: the copy does not know
    of it. Gives the number of series of which ``target`` learns anything.
    """
    ours, theirs = _claims(source), _claims(target)
    missing = {
        name: spans
        for name in ours.keys() & theirs.keys()
        if (spans := subtract_spans(ours[name], theirs[name]))
    }
    if not missing:
        return 0
    with recorded_load(target, "write", f"copy of {source.config.display_url}") as (tx, load):
        ids = find_series(tx, sorted(missing))
        claims = [
            (ids[name], datetime_from_us(start), datetime_from_us(end))
            for name, spans in missing.items()
            for start, end in spans
        ]
        insert_claims(tx, load, claims)
    return len(missing)


def _claims(db: Database) -> dict[Series, list[tuple[int, int]]]:
    """What was asked for of each series, without bars that were refused or taken away."""
    with db.read_transaction() as tx:
        ids = matching_series(tx, None, None)
        claims = read_claims(tx, list(ids.values()), undone_loads(tx))
        span = {"series_ids": list(ids.values()), "start": _ALWAYS[0], "end": _ALWAYS[1]}
        points: dict[int, set[int]] = {}
        for query in ("coverage.rejected", "coverage.removed"):
            rows = tx.run(query, **span)
            starts = us_from_times(rows["ts"]).tolist()
            for series_id, us in zip(rows["series_id"].tolist(), starts, strict=True):
                points.setdefault(int(series_id), set()).add(us)
    return {
        name: subtract_spans(
            claims.of_one(series_id), [(us, us + 1) for us in sorted(points.get(series_id, ()))]
        )
        for name, series_id in ids.items()
    }


class _Copier:
    """Writes series into one database."""

    def __init__(self, target: Database, name: str, *, delete: bool) -> None:
        self._db, self._store = target, BarStore(target)
        self._name, self._delete = name, delete

    def copy(self, tx: Connection, row: Any) -> SeriesCopy:
        """Copy the series of a row of ``replica.series``, read through ``tx``."""
        name = Series(row.symbol, row.timeframe)
        theirs = self._place(name, row)
        blocks = scan_series(tx, {name: row.series_id}, *_ALWAYS)
        is_empty = row.observed_at is None
        if theirs.bars or is_empty:
            ours = Checksum.of(blocks)
            if ours == theirs:
                return SeriesCopy(*name, "same", *ours)
            if is_empty:
                return self._ended(tx, row, ours, {})
            blocks = scan_series(tx, {name: row.series_id}, *_ALWAYS)
        digests = _Digests()
        report = self._store.write(
            digests.passed(blocks), source=self._name, observed_at=row.observed_at
        )
        counts = {key: getattr(report, key) for key in ("inserted", "updated", "kept")}
        return self._ended(tx, row, digests.checksum(), counts)

    def _place(self, name: Series, row: Any) -> Checksum:
        """Have the series in the target, traded where it is; gives the checksum of its bars."""
        with self._db.transaction() as tx:
            if tx.run("series.find", symbol=name.symbol, timeframe=name.timeframe) is None:
                insert_series(tx, [name])
            found = tx.run("series.find", symbol=name.symbol, timeframe=name.timeframe)
            place = {"timezone": row.timezone, "calendar": row.calendar}
            if place != {"timezone": found.timezone, "calendar": found.calendar}:
                tx.run("replica.set_place", series_id=found.series_id, **place)
        return self._checksum(name)

    def _checksum(self, name: Series) -> Checksum:
        with self._store.scan(*name) as blocks:
            return Checksum.of(blocks)

    def _ended(
        self, tx: Connection, row: Any, ours: Checksum, counts: dict[str, Any]
    ) -> SeriesCopy:
        """What became of a series that was written: compared, and rid of what only it has."""
        name = Series(row.symbol, row.timeframe)
        theirs = self._checksum(name)
        if theirs == ours:
            return SeriesCopy(*name, "copied", *ours, **counts)
        deleted = 0
        if theirs.bars > ours.bars and self._delete:
            spans = list(self._extra_spans(tx, row))
            deleted = delete_spans(self._db, name, spans, source=self._name).deleted
            theirs = self._checksum(name)
        return SeriesCopy(
            *name,
            "copied" if theirs == ours else "differs",
            *ours,
            **counts,
            deleted=deleted,
            extra=theirs.bars - ours.bars,
        )

    def _extra_spans(self, tx: Connection, row: Any) -> Iterator[tuple[datetime, datetime]]:
        """Where the target has bars of a series that the source has not."""
        with self._store.scan(row.symbol, row.timeframe) as blocks:
            for block in blocks:
                us = block.ts.view(np.int64)
                first, last = ends_of(us)
                stored = tx.run("bars.read", series_id=row.series_id, start=first, end=last)
                extra = np.flatnonzero(~np.isin(block.ts, stored["ts"]))
                for run in np.split(extra, np.flatnonzero(np.diff(extra) > 1) + 1):
                    if len(run):
                        yield ends_of(us[run[[0, -1]]])
