"""``jutsu-sql query``."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from jutsu_sql.cli.common import (
    database_options,
    format_options,
    open_database,
    plain,
    print_json,
    print_table,
)
from jutsu_sql.cli.query_output import (
    differences,
    print_result,
    require_printable,
    rows_of,
    run_for,
)
from jutsu_sql.config import redact
from jutsu_sql.errors import JutsuSqlError
from jutsu_sql.project import load_project
from jutsu_sql.queries import Queries, Query, parse_value

_TEXT = re.compile(r"(?i)text|(?:var)?char(?:acter)?.*|citext|name")
_NUMBERS = {
    re.compile(r"(?i)(?:small|big|tiny)?int(?:eger|\d)?"): (int,),
    re.compile(r"(?i)real|float\d?|double"): (int, float),
}


def _split(_ctx: click.Context, _param: click.Parameter, given: Sequence[str]) -> dict[str, str]:
    params: dict[str, str] = {}
    for each in given:
        key, separator, text = each.partition("=")
        if not separator or not key:
            raise click.BadParameter(f"{each!r} is not of the form key=value")
        if key in params:
            raise click.BadParameter(f"{key} is given twice")
        params[key] = text
    return params


def _complete_name(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    return [
        CompletionItem(name, help=query.summary)
        for name, query in _known(ctx).items()
        if name.startswith(incomplete)
    ]


def _complete_param(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    # The parser stops at the option that lacks its value, and leaves the name where it was.
    query = _known(ctx).get(ctx.params.get("name") or next(iter(ctx.args), ""))
    given = ctx.params.get("params") or ()
    return [
        CompletionItem(f"{each}=")
        for each in (query.params if query else ())
        if each.startswith(incomplete) and each not in given
    ]


def _complete_explain(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    # What stands behind it may be the name as well.
    words = [CompletionItem("analyze")] if "analyze".startswith(incomplete) else []
    return words + _complete_name(ctx, param, incomplete)


def _known(ctx: click.Context) -> Mapping[str, Query]:
    """What may be completed; nothing where a query or the configuration is faulty."""
    given = ctx.params
    try:
        return _load(given.get("directories") or (), given.get("url"), given.get("config_path"))
    except JutsuSqlError:
        return {}


@click.command()
@click.argument("name", required=False, shell_complete=_complete_name)
@click.option(
    "-p",
    "--param",
    "params",
    metavar="KEY=VALUE",
    multiple=True,
    callback=_split,
    shell_complete=_complete_param,
    help="A parameter of the query; may be repeated.",
)
@click.option("--write", is_flag=True, help="Allow a query that may change data.")
@click.option("--list", "is_list", is_flag=True, help="List the queries instead.")
@click.option(
    "--explain",
    is_flag=False,
    flag_value="plan",
    metavar="[analyze]",
    shell_complete=_complete_explain,
    help="Print the plan instead; with analyze PostgreSQL runs it too, and takes it back.",
)
@click.option("--timing", is_flag=True, help="Say on stderr how long the query took.")
@click.option(
    "--queries",
    "directories",
    type=click.Path(path_type=Path),
    metavar="DIR",
    multiple=True,
    help="A directory with .sql files of your own; may be repeated."
    "  [default: queries under tool.jutsu-sql in pyproject.toml]",
)
@click.option(
    "--engine-url",
    "engine_urls",
    metavar="URL",
    multiple=True,
    help="Given twice: print the rows that only one of these databases gives.",
)
@format_options("table", "csv", "json", "parquet")
@database_options
def command(
    name: str | None,
    params: Mapping[str, str],
    write: bool,
    is_list: bool,
    explain: str | None,
    timing: bool,
    directories: Sequence[Path],
    engine_urls: Sequence[str],
    form: str,
    url: str | None,
    config_path: str | None,
) -> None:
    """Run the query NAME, one of the toolkit's or of --queries DIR, and print what it gives.

    A value that is a number, null, true, false, a [list] or "text" in JSON is that; an ISO 8601
    date or time is one; anything else is text, and so is whatever the query casts to text. An
    unknown or missing parameter fails before anything runs.

    With --engine-url twice the exit status is that of diff: 0 for the same rows in the same order,
    1 for others, 2 when there is nothing to compare.

    \b
    Example:
      jutsu-sql query --list
      jutsu-sql query bars.latest -p series_id=1 -p n=5
      jutsu-sql query bars.latest -p series_id=1 -p n=5 --explain
      jutsu-sql query reports.gaps --queries my_sql --format parquet > gaps.parquet
      jutsu-sql query series.summary --engine-url sqlite:///a.db --engine-url postgresql://db/b
    """
    if explain not in {None, "plan", "analyze"}:
        if name is not None:
            raise click.UsageError(f"--explain is alone or with analyze, not with {explain!r}")
        name, explain = explain, "plan"
    if is_list == (name is not None):
        raise click.UsageError("give the NAME of a query, or --list")
    if (explain or engine_urls or is_list) and form in {"csv", "parquet"}:
        raise click.UsageError(f"--format {form} is for the rows of one query")
    if name is None:
        _list(directories, as_json=form == "json", url=url, config_path=config_path)
        return
    own = directories or load_project().queries
    if engine_urls:
        if len(engine_urls) != 2 or url or explain or timing or write:
            raise click.UsageError("--engine-url goes twice, for a query that only reads")
        _compare(name, params, engine_urls, own, config_path, as_json=form == "json")
        return
    with open_database(url, config_path, queries=own) as db:
        query = db.queries[name]
        given = _typed(query, params, db.config.dialect)
        if explain:
            with _timed(timing):
                plan = db.explain(name, given, analyze=explain == "analyze")
            print_json(plan.split("\n")) if form == "json" else click.echo(plan)
            return
        if query.writes and not write:
            raise click.UsageError(f"{name} may change data: say --write to run it")
        require_printable(query, form)
        with _timed(timing):
            result = run_for(form, db, query, given)
    print_result(query, result, form)


@contextmanager
def _timed(is_wanted: bool) -> Iterator[None]:
    started = perf_counter()
    yield
    if is_wanted:
        click.echo(f"Time: {(perf_counter() - started) * 1e3:.1f} ms", err=True)


def _typed(query: Query, texts: Mapping[str, str], dialect: str) -> dict[str, Any]:
    """The parameters' values: as their texts read, or as the query casts them."""
    casts = query.casts(dialect)
    return {key: _value(query, key, text, casts.get(key, "")) for key, text in texts.items()}


def _value(query: Query, key: str, text: str, cast: str) -> Any:
    value = parse_value(text)
    if value is None or key in query.timestamps:
        return value
    if _TEXT.fullmatch(cast):
        return value if isinstance(value, str) else text
    for pattern, types in _NUMBERS.items():
        if pattern.fullmatch(cast) and not isinstance(value, types):
            raise click.UsageError(f"{query.name}: {key} is cast to {cast}, and {text!r} is none")
    return value


def _compare(
    name: str,
    params: Mapping[str, str],
    urls: Sequence[str],
    own: Sequence[Path],
    config_path: str | None,
    *,
    as_json: bool,
) -> NoReturn:
    try:
        shown, results = [], []
        for url in urls:
            with open_database(url, config_path, queries=own) as db:
                query = db.queries[name]
                if query.writes:
                    raise click.UsageError(f"{name} may change data: only what reads is compared")
                result = db.run(name, **_typed(query, params, db.config.dialect))
                shown.append(db.config.display_url)
                results.append(rows_of(query, result))
    except JutsuSqlError as error:
        raise _NotComparedError(redact(str(error))) from error
    found = list(differences(*results))
    if as_json:
        print_json([{"database": shown[is_second], "row": row} for is_second, row in found])
    elif found:
        click.echo(f"--- {shown[0]}\n+++ {shown[1]}")
        for is_second, row in found:
            click.echo(f"{'-+'[is_second]}{json.dumps(plain(row), ensure_ascii=False)}")
    sys.exit(1 if found else 0)


class _NotComparedError(click.ClickException):
    """One of two results is not there: nothing is known of their difference."""

    exit_code = 2


def _load(directories: Sequence[Path], url: str | None, config_path: str | None) -> Queries:
    from jutsu_sql.config import load_config
    from jutsu_sql.resources import SQL_DIR

    dialect = load_config(url, config_path=config_path).dialect
    return Queries.load(SQL_DIR, *(directories or load_project().queries), dialect=dialect)


def _list(
    directories: Sequence[Path], *, as_json: bool, url: str | None, config_path: str | None
) -> None:
    queries = _load(directories, url, config_path)
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
    print_table(f"queries for {queries.dialect}", columns, shown)
