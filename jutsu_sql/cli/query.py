"""``jutsu-sql query``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jutsu_sql.cli.common import (
    as_text,
    database_options,
    json_option,
    open_database,
    print_json,
    print_table,
)
from jutsu_sql.project import load_project

if TYPE_CHECKING:
    from jutsu_sql.queries import Query


def _parse(_ctx: click.Context, _param: click.Parameter, given: Sequence[str]) -> dict[str, Any]:
    from jutsu_sql.queries import parse_value

    params: dict[str, Any] = {}
    for each in given:
        key, separator, text = each.partition("=")
        if not separator or not key:
            raise click.BadParameter(f"{each!r} is not of the form key=value")
        if key in params:
            raise click.BadParameter(f"{key} is given twice")
        params[key] = parse_value(text)
    return params


@click.command()
@click.argument("name", required=False)
@click.option(
    "-p",
    "--param",
    "params",
    metavar="KEY=VALUE",
    multiple=True,
    callback=_parse,
    help="A parameter of the query; may be repeated.",
)
@click.option("--write", is_flag=True, help="Allow a query that may change data.")
@click.option("--list", "is_list", is_flag=True, help="List the queries instead.")
@click.option(
    "--queries",
    "directories",
    type=click.Path(path_type=Path),
    metavar="DIR",
    multiple=True,
    help="A directory with .sql files of your own; may be repeated."
    "  [default: queries under tool.jutsu-sql in pyproject.toml]",
)
@json_option
@database_options
def command(
    name: str | None,
    params: Mapping[str, Any],
    write: bool,
    is_list: bool,
    directories: Sequence[Path],
    as_json: bool,
    url: str | None,
    config_path: str | None,
) -> None:
    """Run the query NAME, one of the toolkit's or of --queries DIR, and print what it gives.

    A value that is a number, null, true, false, a [list] or "text" in JSON is that; an ISO 8601
    date or time is one; anything else is text, and so is 0005. Write -p 'symbol="600519"' for text
    that looks like a number. An unknown or missing parameter fails before anything runs.

    \b
    Example:
      jutsu-sql query --list
      jutsu-sql query bars.latest -p series_id=1 -p n=5
      jutsu-sql query reports.gaps -p since=2024-01-01 --queries my_sql --json
    """
    if is_list == (name is not None):
        raise click.UsageError("give the NAME of a query, or --list")
    if is_list:
        _list(directories, as_json=as_json, url=url, config_path=config_path)
        return
    assert name is not None
    with open_database(url, config_path, queries=directories or load_project().queries) as db:
        query = db.queries[name]
        if query.writes and not write:
            raise click.UsageError(f"{name} may change data: say --write to run it")
        result = db.run(name, **params)
    _print_result(query, result, as_json=as_json)


def _list(
    directories: Sequence[Path], *, as_json: bool, url: str | None, config_path: str | None
) -> None:
    from jutsu_sql.config import load_config
    from jutsu_sql.queries import Queries
    from jutsu_sql.resources import SQL_DIR

    dialect = load_config(url, config_path=config_path).dialect
    own = directories or load_project().queries
    queries = Queries.load(SQL_DIR, *own, dialect=dialect)
    columns = ("name", "kind", "writes", "params", "summary")
    rows = [
        (query.name, str(query.kind), query.writes, query.params, query.summary)
        for _, query in sorted(queries.items())
    ]
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    shown = [
        (query, kind, "yes" if writes else "no", " ".join(params), summary)
        for query, kind, writes, params, summary in rows
    ]
    print_table(f"queries for {dialect}", columns, shown)


def _print_result(query: Query, result: Any, *, as_json: bool) -> None:
    rows: list[Any]
    if isinstance(result, Mapping):  # NumPy columns
        names = list(result)
        rows = list(zip(*result.values(), strict=True))
        if as_json:
            print_json([dict(zip(names, row, strict=True)) for row in rows])
        else:
            print_table(query.name, names, rows)
    elif as_json:
        print_json({"rows": max(result, 0)} if query.kind == "exec" else result)
    elif query.kind == "script":
        click.echo("Done.")
    elif query.kind == "exec":
        click.echo(f"{result} rows." if result >= 0 else "Done.")
    elif query.kind == "value":
        click.echo(as_text(result))
    else:
        rows = result if query.kind == "many" else [result] if result else []
        if rows:
            print_table(query.name, rows[0]._fields, rows)
