"""The bytes of a file of bars, plain or packed: gzip, zstd, or inside a zip archive."""

from __future__ import annotations

import glob
import gzip
import hashlib
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from jutsu_sql.errors import SourceError

Progress = Callable[[int, int], None]

_GZIP, _ZSTD, _ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_REFUSED = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"SQLite f": "an SQLite database"}
_PACKED = (".gz", ".zst", ".zip")
_FORMATS = (".csv", ".tsv", ".txt", ".json", ".parquet", ".feather", ".arrow", ".dbn")
_CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file, or one member of a zip archive."""

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return f"{self.path}!{self.member}" if self.member else str(self.path)

    @classmethod
    def at(cls, path: str | Path) -> DataFile:
        """The one file of bars at a path; of an archive, its only member.

        Raises:
            SourceError: an archive of several.
        """
        files = _members(Path(path))
        if len(files) > 1:
            raise SourceError(
                f"an archive of {len(files)} files: import each by itself, as `jutsu-sql import`"
                " does",
                path=str(path),
            )
        return files[0]

    @property
    def names(self) -> tuple[str, ...]:
        """The path, of a member its own name first, without what says how it is packed."""
        paths = [self.path.as_posix(), *([self.member] if self.member else [])]
        return tuple(_unpacked_name(path) for path in reversed(paths))

    @property
    def uri(self) -> str:
        """A ``file:`` URI; the member of an archive is its fragment."""
        fragment = f"#{self.member}" if self.member else ""
        return self.path.absolute().as_uri() + fragment

    def error(self, message: str, *, line: int | None = None) -> SourceError:
        """A :class:`SourceError` that names this file."""
        return SourceError(message, path=str(self), line=line)

    @contextmanager
    def open(self, progress: Progress | None = None) -> Iterator[UnpackedBytes]:
        """The unpacked bytes. Every failure to read them is told here, as a :class:`SourceError`.

        ``progress`` is called with the bytes read and the bytes there are.
        """
        try:
            status = self.path.stat()
            if not stat.S_ISREG(status.st_mode):
                what = "directory" if stat.S_ISDIR(status.st_mode) else "pipe or device"
                raise self.error(f"this is a {what}, not a file")
            with self.path.open("rb") as file:
                yield self._unpacked(file, status.st_size, progress)
        except FileNotFoundError as error:
            raise self.error("there is no such file") from error
        except EOFError as error:
            raise self.error("the packed data is cut off: fetch the file again") from error
        except (gzip.BadGzipFile, zlib.error, zipfile.BadZipFile) as error:
            raise self.error(
                f"the packed data is damaged ({error}): fetch the file again"
            ) from error
        except OSError as error:
            raise self.error(f"cannot be read: {error.strerror or error}") from error

    def _unpacked(self, file: BinaryIO, size: int, progress: Progress | None) -> UnpackedBytes:
        head = file.read(8)
        file.seek(0)
        for magic, kind in _REFUSED.items():
            if head.startswith(magic):
                raise self.error(f"this is {kind}, which is not read here")
        if self.member:
            archive = zipfile.ZipFile(file)
            info = archive.getinfo(self.member)
            watched = _Watched(archive.open(info), info.file_size, progress)
            head = archive.open(info).read(4)
            return _unpack(watched, head, "zip")
        if head.startswith(_ZIP):
            raise self.error("an archive without a file of bars")
        return _unpack(_Watched(file, size, progress), head, None)


class UnpackedBytes:
    """A stream of bytes, how it was packed, and the SHA-256 of what lies on the disk.

    Of a member of an archive it is the SHA-256 of the member.
    """

    def __init__(self, stream: Any, watched: _Watched, compression: str | None) -> None:
        self._stream, self._watched = stream, watched
        self._again = b""
        self.compression = compression

    def read(self, size: int) -> bytes:
        """So many bytes, fewer only at the end."""
        data, self._again = self._again, b""
        while len(data) < size and (more := self._stream.read(size - len(data))):
            data += more
        return data

    def put_back(self, data: bytes) -> None:
        """Have the next :meth:`read` begin with what the last one gave."""
        self._again = data

    def chunks(self) -> Iterator[bytes]:
        """All bytes, some at a time."""
        while chunk := self.read(_CHUNK_BYTES):
            yield chunk

    def read_all(self) -> bytes:
        """All bytes that are left."""
        return b"".join(self.chunks())

    @property
    def content_sha256(self) -> str:
        return self._watched.sha256.hexdigest()


class _Watched:
    """Reads a binary file, and tells how far it is and what it has read."""

    def __init__(self, file: Any, size: int, progress: Progress | None) -> None:
        self._file, self._size, self._progress = file, size, progress
        self._done = 0
        self.sha256 = hashlib.sha256()
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._file.read(size)
        self.sha256.update(data)
        self._done += len(data)
        if self._progress:
            self._progress(self._done, self._size)
        return data

    def close(self) -> None:
        """Whoever opened the file closes it."""


def _unpack(watched: _Watched, head: bytes, archive: str | None) -> UnpackedBytes:
    if head.startswith(_GZIP):
        return UnpackedBytes(gzip.GzipFile(fileobj=watched, mode="rb"), watched, "gzip")  # type: ignore[call-overload]
    if head.startswith(_ZSTD):
        import pyarrow as pa

        stream = pa.CompressedInputStream(pa.PythonFile(watched, mode="r"), "zstd")
        return UnpackedBytes(stream, watched, "zstd")
    return UnpackedBytes(watched, watched, archive)


def _data_members(archive: zipfile.ZipFile) -> list[str]:
    names = [
        info.filename
        for info in archive.infolist()
        if not info.is_dir() and not info.filename.startswith("__MACOSX/")
    ]
    data = [name for name in names if _is_data(name)] or names
    # HistData puts a report of gaps, a .txt, beside each .csv.
    tables = [name for name in data if not name.lower().endswith(".txt")]
    return sorted(tables or data)


def _is_data(name: str) -> bool:
    suffixes = [suffix.lower() for suffix in Path(name).suffixes[-2:]]
    if suffixes and suffixes[-1] in _PACKED:
        return suffixes[-1] == ".zip" or suffixes[0] in _FORMATS or len(suffixes) == 1
    return bool(suffixes) and suffixes[-1] in _FORMATS


def find_files(given: Iterable[str | Path]) -> tuple[list[DataFile], list[Path]]:
    """The files of bars that paths, directories and glob patterns mean, and what is left out.

    A directory is walked, and in it only names are taken that end as files of bars do; the others
    are given back. An archive is one file for each of its members. A path that leads to nothing
    is kept: reading it says so.
    """
    files: list[DataFile] = []
    others: list[Path] = []
    for path in _paths(given):
        if not path.is_dir():
            files += _members(path)
            continue
        for inner in sorted(each for each in path.rglob("*") if each.is_file()):
            if _is_data(inner.name):
                files += _members(inner)
            else:
                others.append(inner)
    return files, others


def _paths(given: Iterable[str | Path]) -> Iterator[Path]:
    for each in given:
        path = Path(each)
        if not path.exists() and glob.has_magic(str(each)):
            yield from [Path(name) for name in sorted(glob.glob(str(each), recursive=True))] or [
                path
            ]
        else:
            yield path


def _members(path: Path) -> list[DataFile]:
    try:
        with path.open("rb") as file:
            if file.read(4) != _ZIP:
                return [DataFile(path)]
            file.seek(0)
            with zipfile.ZipFile(file) as archive:
                members = _data_members(archive)
    except (OSError, zipfile.BadZipFile):
        return [DataFile(path)]  # reading it says what is wrong
    return [DataFile(path, member) for member in members] or [DataFile(path)]


def _unpacked_name(path: str) -> str:
    return path[: -len(Path(path).suffix)] if path.lower().endswith(_PACKED) else path


__all__ = ["DataFile", "Progress", "UnpackedBytes", "find_files"]
