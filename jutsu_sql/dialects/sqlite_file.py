"""Pages of a database file as one read transaction sees them, read beside SQLite.

SQLite's locks are POSIX locks: a process loses its own on a file as soon as it closes *any*
descriptor of it (https://www.sqlite.org/howtocorrupt.html, 2.2). So none is opened here; those that
SQLite has open are looked for. While a connection has a lock on the file, and one that reads has,
SQLite closes none of them, for the same reason.

A reader sees the log's frames up to its mark. Until it ends, neither these frames are overwritten
nor what is in the file for pages that have none (https://www.sqlite.org/walformat.html, 2.3). It
tells nobody its mark; but the log's index says what a reader would get now, and where it says the
same before the reader began and after, that is its mark.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from jutsu_sql.sqlite_image import page_bytes_of
from jutsu_sql.sqlite_tree import Bytes, Ints, UnreadableTreeError

_DESCRIPTORS = "/dev/fd"
# Where a file that is read is what others have mapped, at any moment; on OpenBSD it is not.
_IS_COHERENT = sys.platform in {"linux", "darwin"} or sys.platform.startswith("freebsd")
# https://www.sqlite.org/fileformat2.html, "1.3. The Database Header".
_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES, _READ_VERSION_AT, _RESERVED_AT = 100, 19, 20
_HAS_JOURNAL, _HAS_LOG = 1, 2
# "4. The Write-Ahead Log".
_LOG_HEADER_BYTES = 32
_FRAME_HEADER = struct.Struct(">I4x8s8x")
# walformat.html, "2.1. The WAL-Index File Format": a header twice, how many frames have been copied
# into the file, and then the page of each frame, in parts, of which the first begins with all that.
_INDEX_HEADER = struct.Struct("=I8xB3xI12x8s8x")
_INDEX_VERSION, _COPIED_AT, _FIRST_FRAME_AT = 3_007_000, 2 * _INDEX_HEADER.size, 136 // 4
_INDEX_PART_BYTES, _FRAMES_A_PART = 32_768, 4_096

_Identity = tuple[int, int]


class DatabaseFile:
    """The file that a connection has open: ``identity`` is that of the path when it was opened."""

    def __init__(self, path: str, identity: _Identity) -> None:
        self._path = os.path.realpath(path)
        self._identity = identity
        self._descriptors: dict[_Identity, int] = {}

    def mark(self) -> bytes:
        """What would now become a reader's mark; empty if there is no log."""
        with suppress(OSError, UnreadableTreeError):
            index = self._index()  # where there is none, there may be no pread
            return os.pread(index, _COPIED_AT, 0)
        return b""

    def seen_since(self, mark: bytes) -> Seen | None:
        """What a reader sees of the log that has begun since, if this is its mark."""
        with suppress(OSError, UnreadableTreeError):
            index = self._index()
            copied = int.from_bytes(os.pread(index, 4, _COPIED_AT), sys.byteorder)
            header, same = mark[: _INDEX_HEADER.size], mark[_INDEX_HEADER.size :]
            if mark and header == same and self.mark() == mark:
                version, is_init, frames, salts = _INDEX_HEADER.unpack(header)
                if version == _INDEX_VERSION and is_init:
                    return Seen(copied, frames, salts)
        return None

    @contextmanager
    def pages(self, seen: Seen | None) -> Iterator[SeenPages]:
        """The pages of a reader, which must not end meanwhile.

        Raises:
            UnreadableTreeError: there is a log, and what the reader sees of it is not known, or
                the files are not as expected.
        """
        try:
            if identity_of(self._path) != self._identity:
                raise UnreadableTreeError("another file has taken the place of this one")
            database = self._descriptor(self._identity)
            header = os.pread(database, _HEADER_BYTES, 0)
            if not header.startswith(_MAGIC):
                raise UnreadableTreeError("the file has another format")
            if header[_READ_VERSION_AT] == _HAS_JOURNAL:
                yield SeenPages(database, header, None)
            elif header[_READ_VERSION_AT] == _HAS_LOG:
                with self._log(seen) as log:
                    yield SeenPages(database, header, log)
            else:
                raise UnreadableTreeError("the file is of another version")
            if identity_of(database) != self._identity:
                raise UnreadableTreeError("the file was closed")
        except OSError as error:
            raise UnreadableTreeError(str(error)) from error

    @contextmanager
    def _log(self, seen: Seen | None) -> Iterator[_Log | None]:
        if seen is None:
            raise UnreadableTreeError("somebody wrote while the reader began")
        if seen.copied == seen.frames:
            # All is in the file, and the log may begin anew under such a reader.
            yield None
            return
        newest_first = _pages_of_frames(self._index(), seen.copied, seen.frames)[::-1]
        pages, behind = np.unique(newest_first, return_index=True)
        # On this file there are no locks.
        descriptor = os.open(f"{self._path}-wal", os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield _Log(descriptor, pages, seen.frames - behind, seen.salts)
        finally:
            os.close(descriptor)

    def _index(self) -> int:
        return self._descriptor(identity_of(f"{self._path}-shm"))

    def _descriptor(self, identity: _Identity) -> int:
        """One of the process for this file."""
        known = self._descriptors.get(identity)
        if known is not None:
            with suppress(OSError):
                if identity_of(known) == identity:
                    return known
        for descriptor in map(int, os.listdir(_DESCRIPTORS) if _IS_COHERENT else ()):
            with suppress(OSError):  # that of the list itself is closed by now
                if identity_of(descriptor) == identity:
                    self._descriptors[identity] = descriptor
                    return descriptor
        raise UnreadableTreeError("SQLite has opened the file otherwise")


class Seen(NamedTuple):
    """A reader's part of the log: its frames, how many of them are in the file already, and what
    tells them from those of an earlier log."""

    copied: int
    frames: int
    salts: bytes


class _Log(NamedTuple):
    """Pages that are newer in the log than in the file, ascending, and the last frame of each."""

    descriptor: int
    pages: Ints
    frames: Ints
    salts: bytes


class SeenPages:
    """The pages of a database as one reader sees them."""

    def __init__(self, descriptor: int, header: bytes, log: _Log | None) -> None:
        self.page_bytes = page_bytes_of(header)
        self.usable_bytes = self.page_bytes - header[_RESERVED_AT]
        self._descriptor = descriptor
        self._log = log

    def page(self, number: int) -> bytes:
        if self._log and number in self._log.pages:
            page = np.empty((1, self.page_bytes), dtype=np.uint8)
            self.read(np.array([number]), page)
            return page.tobytes()
        found = os.pread(self._descriptor, self.page_bytes, (number - 1) * self.page_bytes)
        if len(found) < self.page_bytes:
            raise UnreadableTreeError("the file ends before a page")
        return found

    def read(self, numbers: Ints, pages: Bytes) -> None:
        in_file = np.arange(len(numbers))
        if self._log:
            places = self._log.pages.searchsorted(numbers)
            places[places == len(self._log.pages)] = 0
            is_newer = self._log.pages[places] == numbers
            for i in np.flatnonzero(is_newer).tolist():
                self._read_frame(self._log, int(places[i]), pages[i])
            in_file = np.flatnonzero(~is_newer)
        if not len(in_file):
            return
        # Pages that are one behind the other are read as one.
        is_next = (np.diff(in_file) == 1) & (np.diff(numbers[in_file]) == 1)
        edges = [0, *(np.flatnonzero(~is_next) + 1).tolist(), len(in_file)]
        for first, stop in pairwise(edges):
            place = int(in_file[first])
            part = pages[place : place + stop - first]
            offset = (int(numbers[place]) - 1) * self.page_bytes
            if os.preadv(self._descriptor, [part.data], offset) != part.nbytes:
                raise UnreadableTreeError("the file ends before a page")

    def _read_frame(self, log: _Log, place: int, page: Bytes) -> None:
        header = bytearray(_FRAME_HEADER.size)
        frame_bytes = _FRAME_HEADER.size + self.page_bytes
        offset = _LOG_HEADER_BYTES + (int(log.frames[place]) - 1) * frame_bytes
        is_whole = os.preadv(log.descriptor, [header, page.data], offset) == frame_bytes
        if not is_whole or _FRAME_HEADER.unpack(header) != (log.pages[place], log.salts):
            raise UnreadableTreeError("a frame of the log is another one")


def identity_of(file: str | int) -> _Identity:
    """What two names or descriptors of one file have in common."""
    status = os.stat(file)
    return status.st_dev, status.st_ino


def _pages_of_frames(index: int, first: int, stop: int) -> Ints:
    """The page of each frame from one on, counted from 0, up to another."""
    first, stop = first + _FIRST_FRAME_AT, stop + _FIRST_FRAME_AT
    first_part = first // _FRAMES_A_PART
    parts = [
        os.pread(index, 4 * _FRAMES_A_PART, number * _INDEX_PART_BYTES)
        for number in range(first_part, -(-stop // _FRAMES_A_PART))
    ]
    skipped = first_part * _FRAMES_A_PART
    found = np.frombuffer(b"".join(parts), dtype=np.uint32)[first - skipped : stop - skipped]
    if len(found) != stop - first:
        raise UnreadableTreeError("the log's index ends before its frames")
    return found.astype(np.int64)
