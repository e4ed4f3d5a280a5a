"""Where the shipped SQL files and migrations are.

A wheel carries ``sql/`` and ``migrations/`` inside the package; an editable install and a
bare checkout have them beside it.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _find(name: str) -> Path:
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


SQL_DIR = _find("sql")
MIGRATIONS_DIR = _find("migrations")
