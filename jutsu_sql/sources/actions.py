"""Splits and dividends of a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from jutsu_sql.errors import SourceError
from jutsu_sql.store import Action

# What people call the columns, lower-cased.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "symbol": ("symbol", "ticker"),
    "ex_date": ("ex_date", "ex-date", "exdate", "date"),
    "kind": ("kind", "type", "action"),
    "value": ("value", "ratio", "amount"),
}


def read_actions(path: str | Path) -> list[Action]:
    """The corporate actions of a CSV file with the columns symbol, ex_date, kind and value.

    ``ex_date`` is ``2024-06-10``; ``kind`` is ``split`` or ``dividend``; the value of a split is
    ``4`` or ``4:1``, new shares for old ones, and that of a dividend the amount for one share.

    Raises:
        SourceError: the file cannot be read; with its line.
    """
    actions = []
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [name.strip().lower() for name in next(reader, [])]
            places = {field: _place(field, header, path) for field in _NAMES}
            for row in reader:
                if row:
                    actions.append(_action(row, places, path, reader.line_num))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"cannot be read: {error}", path=str(path)) from error
    return actions


def _place(field: str, header: list[str], path: str | Path) -> int:
    for name in _NAMES[field]:
        if name in header:
            return header.index(name)
    raise SourceError(
        f"there is no column {field}; the columns are {header}", path=str(path), line=1
    )


def _action(row: list[str], places: Mapping[str, int], path: str | Path, line: int) -> Action:
    try:
        symbol, ex_date, kind, value = (row[at].strip() for at in places.values())
        kind = kind.lower()
        return Action(symbol, date.fromisoformat(ex_date), kind, _number(value, kind))
    except (IndexError, ValueError, ZeroDivisionError) as error:
        raise SourceError(
            f"{','.join(row)!r} is no corporate action: {error}", path=str(path), line=line
        ) from error


def _number(text: str, kind: str) -> float:
    new, colon, old = text.partition(":")
    if colon and kind == "split":
        return float(new) / float(old)
    return float(text)
