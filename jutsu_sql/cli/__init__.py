"""The command line: each command parses, calls the public API and prints.

Exit status: 0 done, 1 refused or failed (``Error: ...`` on stderr), 2 a wrong command line,
130 interrupted. What else escapes is a bug, and shows its traceback.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NamedTuple

import click

from jutsu_sql import __version__
from jutsu_sql.config import redact
from jutsu_sql.errors import JutsuSqlError

if "_JUTSU_SQL_COMPLETE" in os.environ:
    import_module("jutsu_sql.cli.completion")

__all__ = ["main"]

_INTERRUPTED = 130  # 128 + SIGINT, as a shell says it


class _Entry(NamedTuple):
    """Where a command is, and its line in the help: that needs no import of it."""

    module: str
    summary: str


_COMMANDS = {
    "migrate": _Entry("migrate", "Bring the schema up to date, or tell, preview or undo it."),
    "import": _Entry("import_files", "Load bars from files."),
    "sync": _Entry("sync", "Fetch the bars that are missing from a source."),
    "export": _Entry("export", "Write bars to files or a pipe."),
    "copy": _Entry("copy", "Copy a database to another one."),
    "bars": _Entry("bars", "Print the bars of one series."),
    "resample": _Entry("resample", "Print bars put together to a longer timeframe."),
    "series": _Entry("series", "List the series that are stored."),
    "delete": _Entry("delete", "Delete bars."),
    "loads": _Entry("loads", "List the last loads: writes, deletes and undos."),
    "history": _Entry("history", "Show every version of one bar."),
    "undo": _Entry("undo", "Take one load back."),
    "rejected": _Entry("rejected", "Print the rows that were refused."),
    "actions": _Entry("actions", "Load or list splits and dividends."),
    "coverage": _Entry("coverage", "Show which bars are there, which are not, and why."),
    "audit": _Entry("audit", "Look for bars that are wrong though valid."),
    "query": _Entry("query", "Run a named query."),
    "check": _Entry("check", "Prove every query on both engines."),
    "bench": _Entry("bench", "Measure this machine and database."),
    "stats": _Entry("stats", "Show what the database engine is doing, and its size."),
    "doctor": _Entry("doctor", "Look for what is wrong, and say what to do."),
    "roles": _Entry("roles", "Print or apply the rights of readers, loaders and migrators."),
    "info": _Entry("info", "Show the database, its versions and its configuration."),
}


class _Commands(click.Group):
    """Imports the module of a command when that command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _COMMANDS:
            module = import_module(f"jutsu_sql.cli.{_COMMANDS[cmd_name].module}")
            command: click.Command = module.command
            return command
        near = get_close_matches(cmd_name, _COMMANDS, 1)
        if near and not ctx.resilient_parsing:
            ctx.fail(f"No such command {cmd_name!r}: did you mean {near[0]!r}?")
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _warnings_on_stderr():
                result = super().invoke(ctx)
            # A broken pipe shows here, where click knows what to do, and not at the exit.
            if sys.stdout is not None:
                sys.stdout.flush()
        except JutsuSqlError as error:
            raise click.ClickException(redact(str(error))) from error
        except click.UsageError as error:
            # It quotes what was typed, and that may be a URL where none belongs.
            message = error.format_message()
            if (safe := redact(message)) == message:
                raise
            raise click.UsageError(safe, error.ctx) from None
        except (KeyboardInterrupt, click.Abort):
            ctx.exit(_INTERRUPTED)
        return result


class _StderrHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        click.echo(f"{record.levelname.capitalize()}: {redact(self.format(record))}", err=True)


@contextmanager
def _warnings_on_stderr() -> Iterator[None]:
    ours, statements = logging.getLogger("jutsu_sql"), logging.getLogger("jutsu_sql.sql")
    handler, level = _StderrHandler(), statements.level
    # The pool reports every attempt there; what became of them is in the error.
    silent, pool = logging.NullHandler(), logging.getLogger("psycopg.pool")
    # What is wrong with a version is told by `info` and `doctor`, and not at every command.
    handler.addFilter(lambda record: record.name != "jutsu_sql.versions")
    ours.addHandler(handler)
    statements.setLevel(logging.INFO)  # the setting `echo` decides whether there are any
    pool.addHandler(silent)
    try:
        yield
    finally:
        ours.removeHandler(handler)
        statements.setLevel(level)
        pool.removeHandler(silent)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="jutsu-sql")
def main() -> None:
    """Market bars in SQL: SQLite and PostgreSQL, without an ORM.

    Which database: --url, else DATABASE_URL, DATABASE_TYPE and its companions, .env, config.yaml,
    else SQLite at data/market_data.db.

    \b
    Example:
      jutsu-sql migrate
      jutsu-sql import AAPL.csv --timeframe 1D --tz America/New_York
      jutsu-sql bars AAPL 1D --last 5
    """
