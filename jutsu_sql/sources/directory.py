"""A directory of files as a source: whatever `import` reads, fetched by series and time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from jutsu_sql.bars import Bars, Series
from jutsu_sql.errors import ConfigError, JutsuSqlError, SourceError
from jutsu_sql.instants import datetime_from_us, us_from_datetime
from jutsu_sql.sources.data_file import DataFile, find_files
from jutsu_sql.sources.read import FileBars, read_file
from jutsu_sql.sources.sessions import NAT
from jutsu_sql.store.source import Answer, Interval, Prices, Source
from jutsu_sql.timeframe import interval_end, parse_timeframe

_log = logging.getLogger("jutsu_sql")
# One file may hold the series that are asked for one after the other.
_KEPT_FILES = 4


@dataclass(frozen=True, slots=True)
class _Part:
    """What one file has of one series: from its first bar to the end of its last."""

    file: DataFile
    observed_at: datetime
    interval: Interval


class DirectorySource(Source):
    """The files of bars in a directory. Each is read once to see what it has, and again for it.

    A file says nothing of times before its first bar and after its last: what comes with a later
    file is fetched then. Where files overlap, the bar of the one that was changed last counts, and
    bars are observed when the oldest of the files they are from was changed. Prices are as the
    files have them. ``tz`` and ``calendar`` are those of :func:`jutsu_sql.sources.read_file`.
    """

    name = "directory"
    prices: Prices = "not said"
    parallel = 1

    def __init__(
        self, path: str | Path, *, tz: str | None = None, calendar: str | None = None
    ) -> None:
        if not Path(path).is_dir():
            raise ConfigError(f"there is no directory {str(path)!r}: say directory:PATH")
        self._path = Path(path)
        self._place = {"tz": tz, "calendar": calendar}
        self._left_out = 0
        self._read = lru_cache(_KEPT_FILES)(self._read_file)

    def offers(self, symbol: str, timeframe: str) -> Sequence[Interval]:
        """See :meth:`Source.offers`."""
        return [part.interval for part in self._parts_of(symbol, timeframe)]

    def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Answer:
        """See :meth:`Source.fetch`."""
        first_us, end_us = us_from_datetime(start), us_from_datetime(end)
        pieces: list[Bars] = []
        parts = [
            part
            for part in self._parts_of(symbol, timeframe)
            if part.interval[0] < end and start < part.interval[1]
        ]
        notes: list[str] = []
        layout = None
        for part in sorted(parts, key=lambda part: part.observed_at, reverse=True):
            file = self._read(part.file)
            layout = layout or file.layout
            bars = file.bars.select(symbol, timeframe)
            us = bars.ts.view(np.int64)
            if unread := int((us == NAT).sum()):
                notes.append(f"{part.file}: the times of {unread} rows cannot be read")
            wanted = (first_us <= us) & (us < end_us)
            for newer in pieces:
                wanted &= ~np.isin(bars.ts, newer.ts)
            pieces.append(bars[wanted])
        return Answer(
            Bars.concat(pieces),
            timezone=layout.timezone if layout else None,
            calendar=layout.calendar if layout else None,
            observed_at=min((part.observed_at for part in parts), default=None),
            notes=notes,
        )

    def _read_file(self, file: DataFile) -> FileBars:
        return read_file(file, **self._place)  # type: ignore[arg-type]

    def _parts_of(self, symbol: str, timeframe: str) -> list[_Part]:
        parts = self._index.get(Series(symbol, timeframe))
        if parts is None:
            left_out = f"; {self._left_out} could not be read" if self._left_out else ""
            raise SourceError(
                f"no file has bars of {symbol} {timeframe}{left_out}", path=str(self._path)
            )
        return parts

    @cached_property
    def _index(self) -> dict[Series, list[_Part]]:
        index: dict[Series, list[_Part]] = {}
        for file in find_files([self._path])[0]:
            try:
                bars = self._read(file).bars
            except JutsuSqlError as error:
                _log.warning("left out: %s", error)
                self._left_out += 1
                continue
            modified_at = datetime.fromtimestamp(file.path.stat().st_mtime, UTC)
            for series in bars.series:
                us = bars.select(*series).ts.view(np.int64)
                us = us[us != NAT]
                if len(us):
                    last = us.max(keepdims=True)
                    end = interval_end(last, parse_timeframe(series.timeframe))
                    interval = datetime_from_us(int(us.min())), datetime_from_us(int(end[0]))
                    # A file that is older than its bars has its time from another clock.
                    is_older = modified_at < datetime_from_us(int(last[0]))
                    observed_at = datetime.now(UTC) if is_older else modified_at
                    index.setdefault(series, []).append(_Part(file, observed_at, interval))
        return index


def open_directory(argument: str, *, tz: str | None, calendar: str | None) -> DirectorySource:
    """The entry point of ``directory:PATH``."""
    return DirectorySource(argument or ".", tz=tz, calendar=calendar)


__all__ = ["DirectorySource", "open_directory"]
