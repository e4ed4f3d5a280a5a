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
from math import inf
from pathlib import Path
from typing import Any, BinaryIO

from jutsu_sql.errors import SourceError

Progress = Callable[[int, int], None]

_GZIP, _ZSTD, _ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_REFUSED = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"SQLite f": "an SQLite database"}
_PACKED = (".gz", ".zst", ".zip")
_FORMATS = (".csv", ".tsv", ".txt", ".json", ".parquet", ".feather", ".arrow", ".dbn")
_CHUNK_BYTES = 2**20
# Bars as text are packed to a tenth, and rarely to a fiftieth.
_MAX_RATIO = 200
_ANY_RATIO_BYTES = 64 * 2**20
_MAX_MEMBERS = 10_000


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
            try:
                watched = _Watched(archive.open(info), info.file_size, progress)
                head = archive.open(info).read(4)
            except RuntimeError as error:  # so zipfile calls what it has no key or no method for
                raise self.error(f"cannot be unpacked: {error}: unpack it yourself") from error
            return UnpackedBytes(self, watched, head, "zip", info.compress_size)
        if head.startswith(_ZIP):
            _data_members(self.path, file)
            raise self.error("an archive without a file of bars")
        return UnpackedBytes(self, _Watched(file, size, progress), head, None, size)


class UnpackedBytes:
    """A stream of bytes, how it was packed, and the SHA-256 of what lies on the disk.

    Of a member of an archive it is the SHA-256 of the member.
    """

    def __init__(
        self,
        file: DataFile,
        watched: _Watched,
        head: bytes,
        archive: str | None,
        packed_bytes: int,
    ) -> None:
        self._file, self._watched = file, watched
        self._stream, self.compression = _unpack(watched, head, archive)
        self._again = b""
        self._bytes_left = inf
        if self.compression:
            self._bytes_left = max(_ANY_RATIO_BYTES, packed_bytes * _MAX_RATIO)

    def read(self, size: int) -> bytes:
        """So many bytes, fewer only at the end.

        Raises:
            SourceError: they are too many for what they were packed in.
        """
        data, self._again = self._again, b""
        while len(data) < size and (more := self._stream.read(size - len(data))):
            data += more
            self._bytes_left -= len(more)
            if self._bytes_left < 0:
                raise self._file.error(
                    f"unpacks to over {_MAX_RATIO} times its size, which no bars do: if these are"
                    " some, unpack it yourself, and import what comes out"
                )
        return data

    def put_back(self, data: bytes) -> None:
        """Have the next :meth:`read` begin with what the last one gave."""
        self._again = data

    def chunks(self) -> Iterator[bytes]:
        """All bytes, some at a time."""
        while chunk := self.read(_CHUNK_BYTES):
            yield chunk

    def read_all(self, most_bytes: int) -> bytes:
        """All bytes that are left.

        Raises:
            SourceError: they are more than ``most_bytes``.
        """
        chunks: list[bytes] = []
        left_bytes = most_bytes
        for chunk in self.chunks():
            chunks.append(chunk)
            left_bytes -= len(chunk)
            if left_bytes < 0:
                raise self._file.error(
                    f"over {most_bytes // 2**20} MiB, and a file of this format is read whole:"
                    " divide it, or convert it to CSV"
                )
        return b"".join(chunks)

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


def _unpack(watched: _Watched, head: bytes, archive: str | None) -> tuple[Any, str | None]:
    if head.startswith(_GZIP):
        return gzip.GzipFile(fileobj=watched, mode="rb"), "gzip"  # type: ignore[call-overload]
    if head.startswith(_ZSTD):
        import pyarrow as pa

        return pa.CompressedInputStream(pa.PythonFile(watched, mode="r"), "zstd"), "zstd"
    return watched, archive


def _data_members(path: Path, file: BinaryIO) -> list[str]:
    """The members of an archive that hold bars by their names.

    Raises:
        SourceError: there are too many, or one that is no file below the archive.
        zipfile.BadZipFile: it is damaged.
    """
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
    if len(members) > _MAX_MEMBERS:
        raise SourceError(
            f"an archive of {len(members)} files, and {_MAX_MEMBERS} are read: unpack it yourself,"
            " and import the folder",
            path=str(path),
        )
    for info in members:
        _require_inside(path, info)
    names = [
        info.filename
        for info in members
        if not info.is_dir() and not info.filename.startswith("__MACOSX/")
    ]
    data = [name for name in names if _is_data(name)] or names
    # HistData puts a report of gaps, a .txt, beside each .csv.
    tables = [name for name in data if not name.lower().endswith(".txt")]
    return sorted(tables or data)


def _require_inside(path: Path, info: zipfile.ZipInfo) -> None:
    """Nothing is unpacked to the disk; but a name becomes part of what is stored of a load."""
    first, *more = info.filename.replace("\\", "/").split("/")
    leads_out = not first or ".." in (first, *more)
    if leads_out or stat.S_ISLNK(info.external_attr >> 16):
        raise SourceError(
            f"the member {info.filename!r} leads out of the archive, which no archive of bars does:"
            " unpack it yourself if you trust it",
            path=str(path),
        )


def _is_data(name: str) -> bool:
    suffixes = [suffix.lower() for suffix in Path(name).suffixes[-2:]]
    if suffixes and suffixes[-1] in _PACKED:
        return suffixes[-1] == ".zip" or suffixes[0] in _FORMATS or len(suffixes) == 1
    return bool(suffixes) and suffixes[-1] in _FORMATS


def find_files(given: Iterable[str | Path]) -> tuple[list[DataFile], list[Path]]:
    """The files of bars that paths, directories and glob patterns mean, and what is left out.

    A directory is walked, and in it only names are taken that end as files of bars do, and no
    links that lead out of it; the others are given back. An archive is one file for each of its
    members. A path that leads to nothing is kept: reading it says so.
    """
    files: list[DataFile] = []
    others: list[Path] = []
    for path in _paths(given):
        if not path.is_dir():
            files += _members(path)
            continue
        root = path.resolve()
        for inner in sorted(each for each in path.rglob("*") if each.is_file()):
            if _is_data(inner.name) and inner.resolve().is_relative_to(root):
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
            is_archive = file.read(4) == _ZIP
            members = _data_members(path, file) if is_archive else []
    except (OSError, SourceError, zipfile.BadZipFile):
        members = []  # reading it says what is wrong
    return [DataFile(path, member) for member in members] or [DataFile(path)]


def _unpacked_name(path: str) -> str:
    return path[: -len(Path(path).suffix)] if path.lower().endswith(_PACKED) else path


__all__ = ["DataFile", "Progress", "UnpackedBytes", "find_files"]
