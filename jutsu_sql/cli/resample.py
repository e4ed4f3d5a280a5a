"""``jutsu-sql resample``."""

from __future__ import annotations

import click

from jutsu_sql.cli.bars import PRINTERS, explain_unknown
from jutsu_sql.cli.common import as_text, as_ts, database_options, format_options, open_store


def _session(
    _ctx: click.Context, _param: click.Parameter, given: str | None
) -> tuple[str, str] | None:
    if given is None:
        return None
    opens, dash, closes = given.partition("-")
    if not dash:
        raise click.BadParameter(f"{given!r} is not of the form 09:30-16:00")
    return opens, closes


@click.command()
@click.argument("symbol")
@click.argument("timeframe", metavar="FROM")
@click.argument("to")
@click.option("--start", metavar="WHEN", help="The first date, or time with its offset.")
@click.option("--end", metavar="WHEN", help="The last one; a bare date is its whole day, in UTC.")
@click.option(
    "--tz", metavar="ZONE", default="UTC", show_default=True, help="Where the exchange is."
)
@click.option(
    "--session",
    metavar="HH:MM-HH:MM",
    callback=_session,
    help="Only bars that start in it; 18:00-17:00 begins the evening before its date.",
)
@format_options("table", "csv", "json")
@database_options
def command(
    symbol: str,
    timeframe: str,
    to: str,
    start: str | None,
    end: str | None,
    tz: str,
    session: tuple[str, str] | None,
    form: str,
    url: str | None,
    config_path: str | None,
) -> None:
    """Print the bars of one series, put together to those of a longer timeframe; store nothing.

    1D, 1W and 1M are dates in the zone; intraday intervals count from each midnight there, or from
    the start of the session. --start and --end are about the bars that come out, which are always
    whole; whether the last is still partial is said on stderr. Prints as `jutsu-sql bars` does.

    \b
    Example:
      jutsu-sql resample AAPL 1m 1h --start 2024-01-02
      jutsu-sql resample AAPL 1m 1D --tz America/New_York --session 09:30-16:00
      jutsu-sql resample ES 1m 4h --tz America/New_York --session 18:00-17:00 --format csv
    """
    with open_store(url, config_path) as (db, store):
        bars, is_partial = store.resample(symbol, timeframe, to, start, end, tz=tz, session=session)
        if not bars.series:
            raise click.ClickException(explain_unknown(db, symbol, timeframe))
    PRINTERS[form](bars)
    if is_partial.any():
        last = bars[-1]
        ts = as_text(as_ts(last.ts, last.timeframe))
        click.echo(f"Note: the bar of {ts} is partial: its interval has not ended yet", err=True)
