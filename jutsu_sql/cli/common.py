"""What the commands share: which database, how to ask, and how to print."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

if TYPE_CHECKING:
    from jutsu_sql.database import Database
    from jutsu_sql.store import BarStore

_Command = TypeVar("_Command", bound=Callable[..., Any])


def database_options(command: _Command) -> _Command:
    """``--url`` and ``--config``, which become the parameters ``url`` and ``config_path``."""
    options = (
        click.option(
            "--url",
            metavar="URL",
            help="The database: sqlite:///file.db or postgresql://user@host/name."
            "  [default: what the configuration says]",
        ),
        click.option(
            "--config",
            "config_path",
            metavar="FILE",
            help="The configuration file.  [default: config.yaml or config/config.yaml]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def format_options(*forms: str) -> Callable[[_Command], _Command]:
    """``--format`` and ``--json``, which become the parameter ``form``: one of ``forms``."""

    def add(command: _Command) -> _Command:
        said = "The same as --format json."
        as_json = click.option("--json", "form", flag_value="json", help=said)
        form = click.option(
            "--format",
            "form",
            type=click.Choice(forms),
            default=forms[0],
            show_default=True,
            help="The table is for people.",
        )
        return form(as_json(command))

    return add


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


@contextmanager
def open_database(
    url: str | None,
    config_path: str | None,
    *,
    create: bool = False,
    queries: Sequence[Path] = (),
) -> Iterator[Database]:
    """The database that the options or the configuration name.

    Only with ``create`` is a missing SQLite file made: to look at one must not leave one behind.
    """
    from jutsu_sql.database import connect

    with connect(url, config_path=config_path, create=create, queries=queries) as db:
        yield db


@contextmanager
def open_store(
    url: str | None, config_path: str | None, *, create: bool = False
) -> Iterator[tuple[Database, BarStore]]:
    """The database, and the bars in it; it must have been migrated."""
    from jutsu_sql.store import BarStore

    with open_database(url, config_path, create=create) as db:
        yield db, BarStore(db)


def require_consent(question: str, *, yes: bool) -> None:
    """Go on if ``yes``, or if a person at the terminal agrees; else fail, with nothing done."""
    if yes:
        return
    if not is_terminal(sys.stdin):
        raise click.ClickException(f"{question} There is nobody to ask: say --yes")
    if not click.confirm(question, err=True):
        raise click.ClickException("nothing was changed")


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[..., None] | None]:
    """What shows on stderr how much is done, if that is a terminal.

    It is called with how much of how much; or with a number of bars, where nobody knows how many
    there will be.
    """
    if not is_terminal(sys.stderr):
        yield None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    done = TaskProgressColumn(text_format_no_percentage="{task.completed:,} bars")
    columns = ("{task.description}", BarColumn(), done, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(escape(title), total=None)
        yield lambda done, total=None: bar.update(task, completed=done, total=total)


def is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()  # a closed one is None


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table for people: framed on a terminal, else plain columns, with every value whole."""
    cells = [[as_text(value) for value in row] for row in rows]
    right = [bool(rows) and all(_is_number(row[at]) for row in rows) for at in range(len(columns))]
    if is_terminal(sys.stdout):
        _print_framed(title, columns, cells, right)
        return
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    pads = [str.rjust if is_right else str.ljust for is_right in right]
    lines = [
        "  ".join(pad(cell, width) for pad, cell, width in zip(pads, row, widths, strict=True))
        for row in (columns, *cells)
    ]
    click.echo("\n".join(line.rstrip() for line in lines))


def _print_framed(
    title: str, columns: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool]
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left")
    for name, is_right in zip(columns, right, strict=True):
        table.add_column(Text(name), justify="right" if is_right else "left", overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    Console().print(table)


def as_text(value: Any) -> str:
    """A value for people; what a terminal would obey is escaped."""
    value = _native(value)
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    text = str(value)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def as_ts(ts: datetime | None, timeframe: str) -> datetime | date | None:
    """The time of a bar for people: from 1D up it is a date."""
    from jutsu_sql.timeframe import parse_timeframe

    return ts.date() if ts and parse_timeframe(timeframe).is_session else ts


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, Number) and not isinstance(value, bool))


def print_json(value: Any) -> None:
    """``value`` as one JSON document.

    Times are ISO 8601 with their offset, NumPy's with that of UTC; a ``Decimal`` is a string of
    exactly its digits, and so are ``NaN`` and ``Infinity``, which JSON has no numbers for; bytes
    are hexadecimal; named tuples and dataclasses are objects with the names of their fields.
    """
    click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def _native(value: Any) -> Any:
    """NumPy's values as Python's; its times are UTC."""
    if type(value).__module__ != "numpy":
        return value
    import numpy as np

    from jutsu_sql.instants import datetime_from_us

    if isinstance(value, np.datetime64):
        us = value.astype("M8[us]").astype(np.int64)
        return None if np.isnat(value) else datetime_from_us(int(us))
    return list(value) if isinstance(value, np.ndarray) else value.item()


def plain(value: Any) -> Any:
    """What :mod:`json` can say of a value."""
    value = _native(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else json.dumps(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return value.hex()
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, (str, int)) else str(value)
