"""Snapshots: what one read gave is kept as a column file, and mapped while nothing has changed.

A file belongs to the series of one call, in their order. It holds, for each, the state of its bars
when they were read: the database gives another one after every change, whoever makes it, and never
the same twice. So one query tells what of a file still holds, whatever else is true of it.
"""

from __future__ import annotations

import json
import logging
import os
import stat
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from jutsu_sql.bars import VALUES, Bars, Series
from jutsu_sql.column_file import (
    STATE_BYTES,
    Column,
    ColumnFileError,
    Columns,
    file_bytes,
    map_columns,
    write_columns,
)
from jutsu_sql.database import Database
from jutsu_sql.instants import datetime_from_us, us_from_datetime
from jutsu_sql.store.read import bounds, read_bars
from jutsu_sql.timeframe import parse_timeframe

_log = logging.getLogger("jutsu_sql")
# Fewer are read from the database in less time than a file takes to be written and found.
_MIN_ROWS = 1_000
_SUFFIX = ".bars"
_NEW_SUFFIX = ".bars-new"
# Windows has no links to follow, and text files.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)

# The id and the state of each series that there is, in the order in which they were asked for.
_States = dict[Series, tuple[int, bytes]]


class Snapshots:
    """The snapshots of one database; safe to share between threads, and with other processes."""

    def __init__(self, db: Database) -> None:
        self._db = db
        config = db.config
        self._directory = Path(config.snapshot_dir)
        self._max_bytes = config.snapshot_max_mb * 2**20
        # Not for safety, which the states give: so that two databases do not share names.
        self._where = config.display_url if config.conninfo else os.path.abspath(config.database)
        self._obstacle: str | None = None
        self._is_examined = False
        # Files whose checksum was compared, with what a change of them would change.
        self._verified: dict[Path, tuple[int, ...]] = {}

    def describe(self) -> str:
        """Whether snapshots are on, and where; or why not."""
        obstacle = self._find_obstacle()
        return f"off: {obstacle}" if obstacle else f"on: {self._directory}"

    def read(
        self,
        db: Database,
        symbol: str | Sequence[str],
        timeframe: str,
        start: Any,
        end: Any,
        parallel: int,
    ) -> Bars:
        """See :meth:`jutsu_sql.BarStore.read`; the arrays are read-only.

        ``db`` is the database or its replica: one that answers every query of a read.
        """
        if self._find_obstacle():
            return _read_only(read_bars(db, symbol, timeframe, start, end, parallel))
        frame = str(parse_timeframe(timeframe))
        names = [Series(s, frame) for s in ([symbol] if isinstance(symbol, str) else symbol)]
        first_us, last_us = map(us_from_datetime, bounds(start, end).values())
        states = self._states(db, names)
        path = self._path(states)
        kept = self._open(path)
        if kept and (content := self._brought_up(db, kept, states, first_us, last_us)):
            if content is not kept:
                self._keep(path, content)
            return _bars_of(content, states, first_us, last_us)
        bars = _read_only(read_bars(db, symbol, timeframe, start, end, parallel))
        # What is the same before and after is the state of what was read in between.
        if len(bars) >= _MIN_ROWS and states and states == self._states(db, names):
            now = [state for _, state in states.values()]
            content = Columns(now, _counts(bars), first_us, last_us, _columns(bars))
            # Of one state, the largest read is kept.
            if not kept or kept.states != content.states or len(bars) > sum(kept.rows):
                self._keep(path, content)
        return bars

    def _find_obstacle(self) -> str | None:
        if not self._is_examined:
            self._obstacle = self._examine()
            self._is_examined = True
        return self._obstacle

    def _examine(self) -> str | None:
        config = self._db.config
        if not config.snapshots:
            return "switched off (snapshots)"
        try:
            self._directory = Path(config.snapshot_dir) if config.snapshot_dir else _cache_dir()
        except RuntimeError as error:  # there is no home
            return f"{error} (set snapshot_dir)"
        guard = self._db.run("snapshots.obstacle")
        if guard is None:
            return "the view bars_guard finds no bars"
        return guard.obstacle or _claim_directory(self._directory)

    def _states(self, db: Database, names: Sequence[Series]) -> _States:
        """Empty also if the database cannot vouch for them any more."""
        rows = db.run("snapshots.states", names=json.dumps(names))
        if any(row.state is None for row in rows):
            return {}
        found = {
            Series(row.symbol, row.timeframe): (
                row.series_id,
                blake2b(f"{row.series_id} {row.state}".encode(), digest_size=STATE_BYTES).digest(),
            )
            for row in rows
        }
        return {name: found[name] for name in names if name in found}

    def _path(self, states: _States) -> Path:
        ids = [series_id for series_id, _ in states.values()]
        name = blake2b(f"{self._where} {ids}".encode(errors="surrogateescape"), digest_size=16)
        return self._directory / f"{name.hexdigest()}{_SUFFIX}"

    def _brought_up(
        self, db: Database, kept: Columns, states: _States, first_us: int, last_us: int
    ) -> Columns | None:
        """A file's content with the series read again that have changed, if it holds the range."""
        if first_us < kept.first_us or last_us > kept.last_us or len(kept.states) != len(states):
            return None
        now = [state for _, state in states.values()]
        changed = [n for n, old, new in zip(states, kept.states, now, strict=True) if old != new]
        if not changed:
            return kept
        if len(changed) * 2 > len(states):
            return None
        symbols = [name.symbol for name in changed]
        span = (datetime_from_us(kept.first_us), datetime_from_us(kept.last_us))
        fresh = read_bars(db, symbols, changed[0].timeframe, *span)
        if len(fresh.series) < len(changed) or states != self._states(db, list(states)):
            return None
        parts = dict(zip(states, _parts(kept.columns, kept.rows), strict=True))
        parts |= zip(changed, _parts(_columns(fresh), _counts(fresh)), strict=True)
        rows = [len(part["ts"]) for part in parts.values()]
        columns = {
            name: np.concatenate([part[name] for part in parts.values()]) for name in kept.columns
        }
        columns["series_index"] = np.repeat(np.arange(len(rows), dtype=np.int32), rows)
        return Columns(now, rows, kept.first_us, kept.last_us, columns)

    def _open(self, path: Path) -> Columns | None:
        """What a file holds; one that cannot be trusted is taken away."""
        try:
            descriptor = os.open(path, _OPEN_FLAGS)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._discard(path, error)
            return None
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or not _is_ours(found):
                raise ColumnFileError("somebody else's")
            identity = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
            content = map_columns(descriptor, verify=self._verified.get(path) != identity)
            self._verified[path] = identity
            # The last use, by which files go; a mount may not note it.
            os.utime(path, ns=(time.time_ns(), found.st_mtime_ns))
        except (ColumnFileError, OSError) as error:
            self._discard(path, error)
            return None
        finally:
            os.close(descriptor)
        return content

    def _discard(self, path: Path, error: Exception) -> None:
        _log.warning("the snapshot %s cannot be used (%s): read anew", path, error)
        with suppress(OSError):
            path.unlink()

    def _keep(self, path: Path, content: Columns) -> None:
        """Write a file and put it in its place at once; a failure costs only the file."""
        size = file_bytes(len(content.states), len(content.columns["ts"]))
        if size > self._max_bytes:
            return
        try:
            descriptor, new = tempfile.mkstemp(dir=self._directory, suffix=_NEW_SUFFIX)
            try:
                with open(descriptor, "wb") as file:
                    write_columns(file, content)
                os.replace(new, path)
            except BaseException:
                os.unlink(new)
                raise
            self._evict()
        except OSError as error:
            _log.warning("no snapshot could be kept in %s: %s", self._directory, error)

    def _evict(self) -> None:
        """Take away what was used least recently, until the rest fits."""
        files = []
        for entry in os.scandir(self._directory):
            if entry.name.endswith((_SUFFIX, _NEW_SUFFIX)):
                with suppress(OSError):  # another process has been faster
                    found = entry.stat(follow_symlinks=False)
                    files.append((found.st_atime_ns, found.st_size, entry.path))
        excess = sum(size for _, size, _ in files) - self._max_bytes
        for _, size, name in sorted(files):
            if excess <= 0:
                return
            with suppress(OSError):  # and Windows keeps what is mapped
                os.unlink(name)
                excess -= size


def _cache_dir() -> Path:
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "jutsu_sql"


def _claim_directory(directory: Path) -> str | None:
    """Make the directory, for its owner only; or say why it cannot be used."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.lstat()
    except OSError as error:
        return f"{directory}: {error.strerror}"
    if not stat.S_ISDIR(found.st_mode) or not _is_ours(found):
        return f"{directory} is not a directory that only you may write to"
    return None


def _is_ours(found: os.stat_result) -> bool:
    """Whether nobody else may write there; Windows gives each user a folder of his own."""
    if sys.platform == "win32":
        return True
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _read_only(bars: Bars) -> Bars:
    for name in ("series_index", "ts", *VALUES):
        getattr(bars, name).setflags(write=False)
    return bars


def _columns(bars: Bars) -> dict[str, Column]:
    return {name: getattr(bars, name) for name in ("series_index", "ts", *VALUES)}


def _counts(bars: Bars) -> list[int]:
    """The number of rows of each series."""
    counts: list[int] = np.bincount(bars.series_index, minlength=len(bars.series)).tolist()
    return counts


def _parts(columns: Mapping[str, Column], rows: Sequence[int]) -> list[dict[str, Column]]:
    """The columns of each series."""
    stops = np.cumsum(rows)
    return [
        {name: column[stop - count : stop] for name, column in columns.items()}
        for stop, count in zip(stops, rows, strict=True)
    ]


def _bars_of(content: Columns, states: _States, first_us: int, last_us: int) -> Bars:
    """The bars of a range: of all that a file holds, or of one series, without a copy."""
    rows: Any = slice(None)
    if first_us > content.first_us or last_us < content.last_us:
        us = content.columns["ts"].view(np.int64)
        stops = np.cumsum(content.rows)
        spans = [
            us[stop - count : stop].searchsorted([first_us, last_us + 1]) + stop - count
            for stop, count in zip(stops, content.rows, strict=True)
        ]
        rows = (
            slice(*spans[0])
            if len(spans) == 1
            else np.concatenate([np.arange(*span) for span in spans])
        )
    columns = (content.columns[name][rows] for name in ("series_index", "ts", *VALUES))
    return _read_only(Bars(tuple(states), *columns))
