"""Bars out of the store, as files: CSV, Parquet and Feather."""

from __future__ import annotations

import csv
import io
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import quote

import numpy as np

from jutsu_sql.bars import VALUES, Bars, Series
from jutsu_sql.errors import ExportError
from jutsu_sql.exported_csv import COLUMNS, guard_symbol
from jutsu_sql.instants import SECOND_US, Micros, local_from_utc, zone
from jutsu_sql.interchange import joined_batches
from jutsu_sql.timeframe import parse_timeframe

if TYPE_CHECKING:
    import pyarrow as pa

    from jutsu_sql.store import BarStore

__all__ = ["ExportReport", "export_bars"]

Form = Literal["csv", "parquet", "feather"]
_SUFFIXES: dict[str, Form] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".feather": "feather",
    ".arrow": "feather",
}


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What one export wrote; ``guarded`` are the symbols that have an apostrophe in front in it."""

    form: Form
    series: int
    bars: int
    files: int
    guarded: list[str]


def export_bars(
    store: BarStore,
    target: str | Path,
    *,
    form: Form | None = None,
    symbol: str | Sequence[str] | None = None,
    timeframe: str | Sequence[str] | None = None,
    start: Any = None,
    end: Any = None,
    tz: str | None = None,
    partition: bool = False,
    progress: Callable[[int], None] | None = None,
) -> ExportReport:
    """Write the bars of all series, or of some, to a file, a directory or a pipe.

    ``target`` is a path, or ``"-"`` for the standard output. The ``form`` is that of its suffix
    (``.csv``, ``.parquet``, ``.feather``), else CSV. Columns are ``symbol``, ``timeframe``, ``ts``,
    ``open``, ``high``, ``low``, ``close``, ``volume``, rows by series and time. A file that is
    there is replaced when the new one is whole; a target that is no regular file is a pipe.

    ``partition`` makes ``target`` a new directory with a file for each series, by the names that
    Hive gives: ``symbol=AAPL/timeframe=1D/bars.parquet``, percent-encoded; the two columns are in
    the names and not in the files.

    CSV has for each value the fewest digits that give the same double back. Its times are ISO 8601,
    with the offset of the zone ``tz`` (UTC), and from ``1D`` up session dates. A symbol that a
    spreadsheet would take for a formula has an apostrophe in front, which an import takes off.
    Parquet and Feather hold ``timestamp[us, UTC]`` and doubles.

    All bars are of one state, and memory is bounded. ``progress`` is called with the number of bars
    so far.

    Raises:
        ExportError: the target cannot be written, or there is no bar to write.
        BarsError: as :meth:`BarStore.scan`.
        ConfigError: ``tz`` is no time zone.
    """
    form = form or _SUFFIXES.get(Path(target).suffix.lower(), "csv")
    if tz is not None:
        zone(tz)
        if form != "csv":
            raise ExportError(f"{form} holds instants, which readers show in any zone: no tz=")
    if partition and _is_pipe(target) and not os.path.isdir(target):
        raise ExportError(f"{target} is one file: partition= needs a directory")
    tally = _Tally(progress)
    try:
        with store.scan(symbol, timeframe, start, end) as blocks:
            counted = tally.count(blocks)
            if partition:
                with _new_directory(Path(target)) as directory:
                    for series, of_one in groupby(counted, key=lambda block: block.series[0]):
                        path = directory / _partition_of(series)
                        path.mkdir(parents=True)
                        with open(path / f"bars.{form}", "xb") as file:
                            _write(of_one, file, form, tz, is_partition=True)
                        tally.files += 1
            else:
                with _new_file(target) as file:
                    _write(counted, file, form, tz, is_partition=False)
                tally.files = 1
    except BrokenPipeError:
        raise  # whoever read it has had enough
    except OSError as error:
        raise ExportError(f"{target} cannot be written: {error.strerror or error}") from error
    symbols = {series.symbol for series in tally.series}
    guarded = sorted(name for name in symbols if guard_symbol(name) != name)
    return ExportReport(
        form,
        len(tally.series),
        tally.bars,
        tally.files,
        guarded if form == "csv" and not partition else [],
    )


class _Tally:
    """What has gone through, counted on its way."""

    def __init__(self, progress: Callable[[int], None] | None) -> None:
        self._progress = progress
        self.series: set[Series] = set()
        self.bars = self.files = 0

    def count(self, blocks: Iterator[Bars]) -> Iterator[Bars]:
        for block in blocks:
            yield block
            self.series.update(block.series)
            self.bars += len(block)
            if self._progress is not None:
                self._progress(self.bars)
        if not self.bars:
            raise ExportError("there is no bar to export there")


def _partition_of(series: Series) -> str:
    names = zip(Series._fields, series, strict=True)
    return "/".join(f"{name}={quote(value, safe='')}" for name, value in names)


def _is_pipe(target: str | Path) -> bool:
    return str(target) == "-" or (os.path.exists(target) and not os.path.isfile(target))


@contextmanager
def _new_file(target: str | Path) -> Iterator[IO[bytes]]:
    """A file that takes its place when it is whole; a pipe is written to as it is."""
    if str(target) == "-":
        yield sys.stdout.buffer
        return
    if os.path.isdir(target):
        raise ExportError(f"{target} is a directory: name a file in it, or say partition=True")
    if _is_pipe(target):
        with open(target, "wb") as file:
            yield file
        return
    path = Path(os.path.realpath(target))  # what a link leads to is replaced, not the link
    with _temporary(path) as new:
        with open(new, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)


@contextmanager
def _new_directory(target: Path) -> Iterator[Path]:
    """A directory that takes its name when all is in it."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ExportError(f"{target} is there already: name a new directory")
    with _temporary(target) as new:
        new.mkdir()
        yield new
        if target.exists():
            target.rmdir()
        new.rename(target)


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A name beside ``path``; what still has it in the end is removed."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield new
    finally:
        if new.is_dir():
            shutil.rmtree(new)
        else:
            new.unlink(missing_ok=True)


def _write(
    blocks: Iterator[Bars], file: IO[bytes], form: Form, tz: str | None, *, is_partition: bool
) -> None:
    if form == "csv":
        _write_csv(blocks, file, tz, is_partition=is_partition)
    else:
        _write_arrow(blocks, file, _ARROW_WRITERS[form], is_partition=is_partition)


class _ArrowWriter(Protocol):
    def __call__(self, sink: Any, schema: pa.Schema) -> Any: ...


def _parquet_writer(sink: Any, schema: pa.Schema) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetWriter(sink, schema, compression="zstd")


def _feather_writer(sink: Any, schema: pa.Schema) -> Any:
    """Feather version 2, which is Arrow's file format."""
    import pyarrow as pa

    options = pa.ipc.IpcWriteOptions(compression="lz4")
    return pa.ipc.new_file(sink, schema, options=options)


_ARROW_WRITERS: dict[str, _ArrowWriter] = {"parquet": _parquet_writer, "feather": _feather_writer}


def _write_arrow(
    blocks: Iterator[Bars], file: IO[bytes], make: _ArrowWriter, *, is_partition: bool
) -> None:
    import pyarrow as pa

    # Of a dictionary, Feather takes no second one; Parquet makes its own.
    text = [(name, pa.string()) for name in Series._fields]
    values = [("ts", pa.timestamp("us", "UTC")), *((name, pa.float64()) for name in VALUES)]
    schema = pa.schema(values if is_partition else [*text, *values])
    # A pipe has no position: pyarrow counts for itself.
    with make(pa.PythonFile(file, "w"), schema) as writer:
        for table in joined_batches(
            block.to_arrow().select(schema.names).cast(schema) for block in blocks
        ):
            writer.write_table(table)


def _write_csv(
    blocks: Iterator[Bars], file: IO[bytes], tz: str | None, *, is_partition: bool
) -> None:
    names = COLUMNS[len(Series._fields) :] if is_partition else COLUMNS
    file.write(f"{','.join(names)}\n".encode())
    for block in blocks:
        (series,) = block.series
        file.write(_csv_lines(block, "" if is_partition else _csv_prefix(series), tz))


def _csv_prefix(series: Series) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([guard_symbol(series.symbol), series.timeframe, ""])
    return text.getvalue().removesuffix("\r\n")


def _csv_lines(block: Bars, prefix: str, tz: str | None) -> bytes:
    """The lines of a block of one series. Arrow writes doubles as short as they can be."""
    import pyarrow as pa
    import pyarrow.compute as pc

    stamps, offsets = _iso_times(block, tz)
    values = [pc.cast(pa.array(getattr(block, name)), pa.string()) for name in VALUES]
    firsts = pc.binary_join_element_wise(prefix, stamps, offsets, "")
    lines = pc.binary_join_element_wise(firsts, *values, ",")
    ends = pc.binary_join_element_wise(lines, "\n", "")
    text = pc.binary_join(pa.ListArray.from_arrays([0, len(ends)], ends), "")
    return bytes(text[0].as_buffer())


def _iso_times(block: Bars, tz: str | None) -> tuple[pa.Array, pa.Array | str]:
    """The times of a block of one series as text, and what of their offsets stands behind."""
    import pyarrow as pa
    import pyarrow.compute as pc

    us = block.ts.view(np.int64)
    if parse_timeframe(block.series[0].timeframe).is_session:
        return pc.cast(pa.array(block.ts.astype("M8[D]")), pa.string()), ""
    local_us = us if tz is None else local_from_utc(us, tz)
    local = local_us.view("M8[us]")
    if not (local_us % SECOND_US).any():
        local = local.astype("M8[s]")
    text = pc.binary_replace_slice(pc.cast(pa.array(local), pa.string()), 10, 11, "T")
    return text, "Z" if tz is None else _iso_offsets(local_us - us)


def _iso_offsets(offset_us: Micros) -> pa.Array:
    import pyarrow as pa

    distinct, codes = np.unique(offset_us, return_inverse=True)
    texts = []
    for offset_s in (distinct // SECOND_US).tolist():
        minutes, seconds = divmod(abs(offset_s), 60)
        sign = "-" if offset_s < 0 else "+"
        text = f"{sign}{minutes // 60:02}:{minutes % 60:02}"
        texts.append(f"{text}:{seconds:02}" if seconds else text)
    return pa.array(texts).take(pa.array(codes))
