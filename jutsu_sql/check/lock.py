"""What a pack was when its types were written, so that stale types show without a database.

A lock lists the queries, the schema and the types as ``sha256sum`` does, by their paths from the
lock's folder; a line may end in either way.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from jutsu_sql.errors import QueryError

_REMEDY = "run `jutsu-sql check --write-types`"


def lock_path(directories: Sequence[Path]) -> Path:
    """The lock of a pack: ``sql.lock`` beside its first directory ``sql``."""
    directory = directories[0].resolve()
    return directory.with_name(f"{directory.name}.lock")


def write_lock(directories: Sequence[Path], schemas: Sequence[Path], types: Path) -> None:
    """Note every file of a pack, its schema and its types."""
    path = lock_path(directories)
    hashes = _hashes(path.parent, [*_files([*directories, *schemas]), types])
    lines = [f"{digest}  {name}\n" for name, digest in sorted(hashes.items())]
    path.write_text("".join(lines), "utf-8", newline="\n")


def stale_files(directories: Sequence[Path], schemas: Sequence[Path]) -> dict[Path, str]:
    """The files that are not as they were locked, by path from here: changed, new or gone.

    Raises:
        QueryError: there is no lock.
    """
    path = lock_path(directories)
    if not path.exists():
        raise QueryError(f"there is no {path.name} beside {directories[0]}: {_REMEDY} FILE")
    locked: dict[str, str] = {}
    for line in path.read_text("utf-8").splitlines():
        digest, _, name = line.partition("  ")
        locked[name] = digest
    types = [path.parent / name for name in locked if not name.endswith(".sql")]
    found = [*_files([*directories, *schemas]), *(each for each in types if each.exists())]
    hashes = _hashes(path.parent, found)
    said = dict.fromkeys(locked.keys() - hashes.keys(), "is gone")
    said |= dict.fromkeys(hashes.keys() - locked.keys(), "is new")
    said |= {n: "has changed" for n, digest in hashes.items() if locked.get(n, digest) != digest}
    return {
        Path(os.path.relpath(path.parent / name)): f"{what} since its types were written: {_REMEDY}"
        for name, what in sorted(said.items())
    }


def _files(directories: Iterable[Path]) -> Iterator[Path]:
    for directory in directories:
        if not directory.is_dir():
            raise QueryError(f"{directory} is not a directory of queries")
        yield from directory.rglob("*.sql")


def _hashes(folder: Path, files: Iterable[Path]) -> dict[str, str]:
    return {
        Path(os.path.relpath(path, folder)).as_posix(): hashlib.sha256(
            path.read_bytes().replace(b"\r\n", b"\n")
        ).hexdigest()
        for path in files
    }
