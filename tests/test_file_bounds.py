"""Files that are made to fill a memory or a disk, or to lead elsewhere: refused, with a way out."""

from __future__ import annotations

import gzip
import io
import json
import stat
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jutsu_sql.errors import SourceError
from jutsu_sql.sources import data_file, find_files, read_file, tables

MIB = 2**20
ROWS = b"date,open,high,low,close,volume\n2024-01-02,1,2,0.5,1.5,10\n"


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def read_bytes(content: bytes, name: str = "x.csv") -> Any:
        path = tmp_path / name
        path.write_bytes(content)
        return read_file(path, symbol="X", timeframe="1D")

    return read_bytes


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()


def zstd(content: bytes) -> bytes:
    packed: bytes = pa.compress(content, "zstd", asbytes=True)
    return packed


PACKINGS = {
    "gzip": gzip.compress,
    "zstd": zstd,
    "zip": lambda content: zipped(("x.csv", content)),
    "gzip in a zip": lambda content: zipped(("x.csv.gz", gzip.compress(content))),
}


@pytest.mark.parametrize("packing", PACKINGS)
def test_what_unpacks_to_more_than_bars_do(
    packing: str, read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_file, "_ANY_RATIO_BYTES", 2 * MIB)
    bomb = PACKINGS[packing](ROWS + b"\n" * 64 * MIB)
    assert len(read(PACKINGS[packing](ROWS)).bars) == 1
    tracemalloc.start()
    try:
        with pytest.raises(SourceError, match=r"x\.csv.*over 200 times its size.*unpack it"):
            read(bomb)
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most_bytes < 60 * MIB


LINK = zipfile.ZipInfo("x.csv")
LINK.create_system = 3  # Unix
LINK.external_attr = (stat.S_IFLNK | 0o777) << 16


@pytest.mark.parametrize(
    "name", ["../x.csv", "a/../../x.csv", "/tmp/x.csv", "a\\..\\..\\x.csv", "\\x.csv", LINK]
)
def test_a_member_that_leads_out_of_its_archive(name: Any, read: Any, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"x\.zip: the member '.*x\.csv' leads out"):
        read(zipped(("good.csv", ROWS), (name, ROWS)), "x.zip")
    # Of a folder, the other files are still imported.
    (tmp_path / "y.csv").write_bytes(ROWS)
    files, _ = find_files([tmp_path])
    assert [each.path.name for each in files] == ["x.zip", "y.csv"]


def test_an_archive_of_too_many(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_file, "_MAX_MEMBERS", 3)
    with pytest.raises(SourceError, match=r"x\.zip: an archive of 4 files, and 3 are read"):
        read(zipped(*((f"{at}.csv", ROWS) for at in range(4))), "x.zip")


@pytest.mark.parametrize(
    ("at", "value", "reason"), [(0, 1, "password"), (2, 99, "compression method")]
)
def test_a_member_that_cannot_be_unpacked(at: int, value: int, reason: str, read: Any) -> None:
    """Flags and method stand in both headers of a member: 6 and 8 bytes after where they begin."""
    packed = bytearray(zipped(("x.csv", ROWS)))
    packed[6 + at] = packed[packed.index(b"PK\1\2") + 8 + at] = value
    with pytest.raises(SourceError, match=f"x.zip!x.csv: cannot be unpacked: .*{reason}"):
        read(bytes(packed), "x.zip")


def test_a_link_in_a_folder_that_leads_out_of_it(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_bytes(ROWS)
    folder = tmp_path / "downloads"
    folder.mkdir()
    (folder / "x.csv").write_bytes(ROWS)
    (folder / "inside.csv").symlink_to("x.csv")
    (folder / "outside.csv").symlink_to("../secret.csv")
    files, others = find_files([folder])
    assert [each.path.name for each in files] == ["inside.csv", "x.csv"]
    assert [each.name for each in others] == ["outside.csv"]
    files, _ = find_files([folder / "outside.csv"])  # named, it is meant
    assert len(files) == 1


@pytest.mark.parametrize(
    "content",
    [b"date," + b"x" * 4 * MIB + b"\n" + ROWS, ROWS + b"2024-01-03," + b"1" * 4 * MIB + b",1\n"],
    ids=["header", "field"],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_line_that_does_not_end(content: bytes, pack: Any, read: Any) -> None:
    with pytest.raises(SourceError, match=r"x\.csv: a line is longer than 1 MiB"):
        read(pack(content))


# -- formats that are read whole ------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 10**6,
        b'{"a":' * 10**6,
        b'[["2024-01-02",' + b"[" * 900 + b"]" * 900 + b"]]",
        b'{"a":' * 900 + b"1" + b"}" * 900,
    ],
)
def test_lists_within_lists(content: bytes, read: Any) -> None:
    with pytest.raises(SourceError, match="lists within lists|no rows of bars|no column") as raised:
        read(content)
    assert len(str(raised.value)) < 1000


def test_a_document_that_is_too_long(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_JSON", tables._JSON._replace(most_bytes=3 * MIB))
    with pytest.raises(SourceError, match=r"x\.csv: over 3 MiB.*read whole: divide it"):
        read(b"[" + b" " * 4 * MIB)


@pytest.mark.parametrize(
    "rows",
    [[{f"key{at}": 1} for at in range(1001)], [[1] * 1001]],
    ids=["objects", "arrays"],
)
def test_a_table_that_is_too_wide(rows: Any, read: Any) -> None:
    """Each cell that is not there would take memory too."""
    with pytest.raises(SourceError, match="of 1001 columns; at most 1000"):
        read(json.dumps(rows).encode())


def test_a_table_of_a_million_equal_values(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_MAX_CELLS", 10**6)
    packed = io.BytesIO()
    pq.write_table(pa.table({"close": pa.repeat(1.0, 10**6 + 1)}), packed)
    assert len(packed.getvalue()) < 10_000
    with pytest.raises(SourceError, match="1000001 rows of 1 columns; .* 1,000,000 cells"):
        read(packed.getvalue())
