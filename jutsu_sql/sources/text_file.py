"""A text file as blocks of whole lines that know their line numbers.

A CSV parser that skips blank lines and drops broken rows cannot say which line a row stood on.
Cutting the file here, where lines are still bytes, keeps that for the price of one scan.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jutsu_sql.sources.data_file import DataFile, UnpackedBytes

_MAX_LINE_BYTES = 2**20
_LF, _CR = 10, 13
_UTF8_BOM = b"\xef\xbb\xbf"
# Longest first: UTF-32 begins as UTF-16 does.
_OTHER_BOMS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines: ``starts`` and ``ends`` (without the line break) of each within ``data``."""

    data: bytes
    first_line: int
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]

    @property
    def filled(self) -> npt.NDArray[np.int64]:
        """The lines that are not empty, counted from 0 within the block."""
        return np.flatnonzero(self.ends > self.starts)

    def line(self, index: int) -> str:
        """The text of one line, counted from 0 within the block."""
        return self.data[self.starts[index] : self.ends[index]].decode()


class TextFile:
    """The UTF-8 text of one file. ``has_bom`` is known once :meth:`blocks` has begun."""

    def __init__(self, file: DataFile, data: UnpackedBytes) -> None:
        self.has_bom = False
        self._file, self._data = file, data

    def blocks(self) -> Iterator[Block]:
        """The file from its beginning, about 1 MiB at a time; the last line ends like the others.

        Raises:
            SourceError: the file cannot be read, is damaged, or is no UTF-8 text.
        """
        line = 1
        for data in self._whole_lines():
            self._require_text(data, line)
            starts, ends = _lines(data)
            yield Block(data, line, starts, ends)
            line += len(starts)

    def texts(self, lines: Collection[int]) -> dict[int, str]:
        """The text of some lines, counted from 1; those the file does not have are left out."""
        found: dict[int, str] = {}
        wanted = np.array(sorted(lines), dtype=np.int64)
        if not len(wanted):
            return found
        for block in self.blocks():
            here = wanted[(wanted >= block.first_line)] - block.first_line
            for index in here[here < len(block.starts)].tolist():
                found[block.first_line + index] = block.line(index)
            if block.first_line + len(block.starts) > wanted[-1]:
                break
        return found

    def _whole_lines(self) -> Iterator[bytes]:
        """The text, without a byte order mark, cut at line breaks."""
        # The last lines go with those before: the first ones are to be seen together.
        whole, pending, is_first = b"", b"", True
        for chunk in self._data.chunks():
            data = pending + (self._without_bom(chunk) if is_first else chunk)
            is_first = False
            cut = data.rfind(b"\n") + 1
            if not cut:  # old Macintosh lines; a CR at the end may be half of a CR LF
                cut = data.rfind(b"\r", 0, -1) + 1
            pending = data[cut:]
            if cut:
                if whole:
                    yield whole
                whole = data[:cut]
            elif len(pending) > _MAX_LINE_BYTES:
                self._require_text(pending, 1)
                raise self._file.error("a line is longer than 1 MiB: this is no CSV file of bars")
        if pending and not pending.endswith((b"\n", b"\r")):
            pending += b"\n"
        if whole or pending:
            yield whole + pending

    def _without_bom(self, data: bytes) -> bytes:
        for bom, encoding in _OTHER_BOMS.items():
            if data.startswith(bom):
                raise self._file.error(
                    f"this is {encoding}, not UTF-8: convert it, as with"
                    f" iconv -f {encoding} -t UTF-8"
                )
        self.has_bom = data.startswith(_UTF8_BOM)
        return data.removeprefix(_UTF8_BOM)

    def _require_text(self, data: bytes, first_line: int) -> None:
        if (at := data.find(b"\0")) >= 0:
            raise self._file.error(
                "a NUL byte: this is a binary file, or UTF-16 without a mark; CSV is UTF-8 text",
                line=first_line + data.count(b"\n", 0, at),
            )
        try:
            data.isascii() or data.decode()
        except UnicodeDecodeError as error:
            raise self._file.error(
                f"byte 0x{data[error.start]:02x} is no UTF-8: convert the file, as with"
                " iconv -f WINDOWS-1252 -t UTF-8",
                line=first_line + data.count(b"\n", 0, error.start),
            ) from error


def _lines(data: bytes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where each line starts and ends, its break (LF, CR LF or CR) not counted in."""
    codes = np.frombuffer(data, dtype=np.uint8)
    breaks = codes == _LF
    returns = data.count(b"\r")
    pairs = returns and data.count(b"\r\n")
    if returns > pairs:
        breaks[:-1] |= (codes[:-1] == _CR) & (codes[1:] != _LF)
        breaks[-1] = True
    ends = np.flatnonzero(breaks)
    starts = np.concatenate(([0], ends[:-1] + 1))
    if pairs:
        ends = ends - ((codes[ends] == _LF) & (ends > starts) & (codes[ends - 1] == _CR))
    return starts, ends
