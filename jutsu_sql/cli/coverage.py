"""``jutsu-sql coverage``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from jutsu_sql.cli.common import (
    as_text,
    as_ts,
    database_options,
    is_terminal,
    json_option,
    open_store,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from jutsu_sql.store import Coverage, Fetch, Gap, Month, SeriesCoverage

_MISSING = 3
_SHOWN_SERIES, _SHOWN_GAPS = 40, 100
# Cells of a picture, and what is before them.
_MOST_MONTHS, _WIDEST_NAME = 120, 24
_COUNTS = ("expected", "stored", "never_fetched", "empty", "rejected", "deleted", "off_calendar")
# A month by the share of its bars that are stored, up to which each; the last is all of them.
_SHADES = ((0.5, "-", "red"), (0.95, "+", "yellow"), (1.0, "#", "green4"), (1.1, "@", "green"))
_NEVER, _EMPTY = ("?", "bold red"), ("0", "blue")
_KEY = "@ all, # 95 %, + half, - less; ? never fetched, 0 empty at the source"


@click.command()
@click.argument("symbols", metavar="[SYMBOL]...", nargs=-1)
@click.option("--timeframe", help="Only series of this one: 1m, 1h, 1D.")
@click.option("--start", metavar="TIME", help="From here: 2024-01-31, or a time with its offset.")
@click.option("--end", metavar="TIME", help="Up to here; a date is its whole day, in UTC.")
@click.option("--calendar", metavar="NAME", help="24/7, weekdays, or an exchange's, such as XNYS.")
@click.option("--gaps", is_flag=True, help="List what is absent, and why.")
@click.option("--plan", is_flag=True, help="List what to fetch, and nothing else.")
@json_option
@database_options
@click.pass_context
def command(
    ctx: click.Context,
    symbols: Sequence[str],
    timeframe: str | None,
    start: str | None,
    end: str | None,
    calendar: str | None,
    gaps: bool,
    plan: bool,
    as_json: bool,
    url: str | None,
    config_path: str | None,
) -> None:
    """Show which bars are stored, which are not, and why.

    Of each series, by the calendar that it was stored with, or by --calendar: one bar for each
    session, or for each interval of one. A bar that is absent was never fetched, or its source does
    not have it (a load has asked for it), or it was refused, or deleted. Without --start and --end,
    from the first to the last bar that is stored or was asked for. The picture has a row for each
    series, those that lack most first, and a cell for each month.

    --plan lists the fewest intervals that have all that was never fetched. Docs: docs/coverage.md.

    \b
    Exit status:
      0  nothing that anybody could fetch is missing
      3  bars were never fetched, or nobody can say which to expect (--calendar)

    \b
    Example:
      jutsu-sql coverage
      jutsu-sql coverage AAPL MSFT --timeframe 1D --start 2020-01-01 --end 2024-12-31 --gaps
      jutsu-sql coverage --calendar 24/7 --plan --json
    """
    with open_store(url, config_path) as (_, store):
        found = store.coverage(list(symbols) or None, timeframe, start, end, calendar=calendar)
    if as_json:
        print_json(_document(found, plan=plan))
    elif plan:
        columns = ("symbol", "timeframe", "start", "end", "bars")
        print_table("What to fetch, without the end", columns, _dated(found.plan()))
    else:
        _print(found, with_gaps=gaps)
    if any(each.never_fetched or each.expected is None for each in found.series):
        ctx.exit(_MISSING)


def _document(found: Coverage, *, plan: bool) -> dict[str, object]:
    document: dict[str, object] = {"plan": found.plan()}
    return document if plan else {"series": found.series, "gaps": found.gaps, **document}


def _print(found: Coverage, *, with_gaps: bool) -> None:
    if not found.series:
        click.echo("No series is stored.")
        return
    worst = sorted(found.series, key=_urgency)
    shown = worst[:_SHOWN_SERIES]
    print_table(
        "coverage",
        (
            "symbol",
            "timeframe",
            "calendar",
            "start",
            "end",
            *(c.replace("_", " ") for c in _COUNTS),
        ),
        [_row(each) for each in shown],
    )
    if rest := worst[_SHOWN_SERIES:]:
        missing = sum(each.never_fetched for each in rest)
        click.echo(f"... and {len(rest)} series more, which lack {missing:,} bars; name some")
    _print_picture(found, shown)
    for note in dict.fromkeys(each.note for each in found.series if each.note):
        names = [each for each in found.series if each.note == note]
        click.echo(f"{len(names)} series, such as {as_text(names[0].symbol)}: {note}")
    if with_gaps:
        _print_gaps(found.gaps)


def _urgency(each: SeriesCoverage) -> tuple[int, int, str, str]:
    absent = each.empty + each.rejected + each.deleted
    return -each.never_fetched, -absent, each.symbol, each.timeframe


def _row(each: SeriesCoverage) -> tuple[object, ...]:
    span = (as_ts(moment, each.timeframe) for moment in (each.start, each.end))
    return each.symbol, each.timeframe, each.calendar, *span, *(getattr(each, c) for c in _COUNTS)


def _dated(spans: Sequence[Gap] | Sequence[Fetch]) -> list[tuple[object, ...]]:
    """With dates for the times of those from 1D up."""
    return [
        (*each[:2], as_ts(each.start, each.timeframe), as_ts(each.end, each.timeframe), *each[4:])
        for each in spans
    ]


def _print_gaps(gaps: Sequence[Gap]) -> None:
    click.echo()
    columns = ("symbol", "timeframe", "start", "end", "bars", "reason")
    print_table("Absent, without the end", columns, _dated(gaps[:_SHOWN_GAPS]))
    if len(gaps) > _SHOWN_GAPS:
        click.echo(f"... and {len(gaps) - _SHOWN_GAPS} more; --json lists them all")


def _print_picture(found: Coverage, shown: Sequence[SeriesCoverage]) -> None:
    """A row for each series, a cell for each of the last months; years above."""
    rows = [(each, found.months(each.symbol, each.timeframe)) for each in shown if each.expected]
    if not rows:
        return
    from rich.console import Console
    from rich.text import Text

    names = [as_text(f"{each.symbol} {each.timeframe}")[:_WIDEST_NAME] for each, _ in rows]
    width = max(map(len, names)) + 1
    console = Console(width=None if is_terminal(sys.stdout) else width + _MOST_MONTHS)
    numbers = [_number(month) for _, months in rows for month in (months[0], months[-1])]
    count = min(max(numbers) - min(numbers) + 1, max(console.width - width, 1), _MOST_MONTHS)
    shown_months = range(max(numbers) - count + 1, max(numbers) + 1)
    click.echo()
    console.print(Text(" " * width + _years(shown_months)), soft_wrap=True)
    for name, (_, months) in zip(names, rows, strict=True):
        line = Text(name.ljust(width))
        cells = {_number(month): _cell(month) for month in months}
        for number in shown_months:
            line.append(*cells.get(number, (" ", "")))
        console.print(line, soft_wrap=True)
    click.echo(_KEY)


def _number(month: Month) -> int:
    return 12 * month.start.year + month.start.month - 1


def _years(months: range) -> str:
    """The years, each above its January; the first where the picture begins."""
    line = [" "] * (len(months) + 4)
    for at, number in enumerate(months):
        if number % 12 == 0 or (at == 0 and number % 12 <= 6):
            line[at : at + 4] = str(number // 12)
    return "".join(line).rstrip()


def _cell(month: Month) -> tuple[str, str]:
    absent = month.never_fetched + month.empty + month.rejected + month.deleted
    if month.never_fetched == month.expected:
        return _NEVER
    if month.empty == month.expected:
        return _EMPTY
    share = 1 - absent / month.expected
    sign, style = next((sign, style) for above, sign, style in _SHADES if share < above)
    return sign, style
