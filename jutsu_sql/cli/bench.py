"""``jutsu-sql bench``: measure this machine and database, in scratch space."""

from __future__ import annotations

import os
import platform
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from jutsu_sql.cli.common import database_options, json_option, print_json, print_table

if TYPE_CHECKING:
    from jutsu_sql.bench import Result
    from jutsu_sql.config import Config

_COLUMNS = (
    "scenario",
    "median",
    "middle half",
    "rate",
    "reference",
    "ratio",
    "target",
    "verdict",
)


@click.command("bench")
@database_options
@click.option(
    "--postgres",
    is_flag=True,
    help="Measure PostgreSQL: the configured one, or else a throw-away server.",
)
@click.option("--rounds", type=click.IntRange(1), help="Samples of each scenario.")
@click.option(
    "--scale",
    type=click.Choice(["small", "full"]),
    default="full",
    show_default=True,
    help="small is a quick look that judges nothing.",
)
@json_option
def command(
    url: str | None,
    config_path: str | None,
    postgres: bool,
    rounds: int | None,
    scale: str,
    as_json: bool,
) -> None:
    """Measure this machine and database, against the targets and the engine's own limits.

    It runs in a schema or file of its own, which it removes: your bars are not touched. Exit
    status 1 when a target is missed.

    \b
    Example:
      jutsu-sql bench
      jutsu-sql bench --postgres --json
    """
    from jutsu_sql.bench import SCENARIOS, Scale, Verdict, measure_one, open_space

    results: list[Result] = []
    with _unwound_by_sigterm(), _target(url, config_path, postgres=postgres) as config:
        _say(f"measuring {config.display_url} in scratch space ...")
        with open_space(config, Scale.of(scale)) as space:
            machine = _machine(space.db.describe())
            for scenario in SCENARIOS:
                _say(f"  {scenario.name}: {scenario.measures}", only_terminal=True)
                results.append(measure_one(scenario, space, rounds))
    missed = [result for result in results if result.verdict is Verdict.FAIL]
    if as_json:
        print_json(
            {
                "machine": machine,
                "database": config.display_url,
                "scale": scale,
                "is_passed": not missed,
                "results": [asdict(result) for result in results],
            }
        )
    else:
        print_table("", _COLUMNS, [_row(result) for result in results])
        for result in results:
            if result.note:
                click.echo(f"{result.name}: {result.note}")
        click.echo(", ".join(machine.values()))
    if missed:
        _say(f"missed: {', '.join(result.name for result in missed)}")
        sys.exit(1)


@contextmanager
def _unwound_by_sigterm() -> Iterator[None]:
    """Whoever stops us (``timeout``, a CI runner) must not leave a schema behind; Ctrl-C cannot."""

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _target(url: str | None, config_path: str | None, *, postgres: bool) -> Iterator[Config]:
    """The configured database, or for ``--postgres`` a server, if need be of our own."""
    from jutsu_sql.config import load_config
    from jutsu_sql.scratch_server import scratch_server

    config = load_config(url, config_path=config_path)
    if not postgres or config.conninfo:
        yield config
        return
    _say("no PostgreSQL is configured: starting a throw-away server")
    with scratch_server() as server:
        _say(f"PostgreSQL {server.version} from {server.bindir}")
        yield replace(load_config(server.url), source="throw-away server")


def _say(text: str, *, only_terminal: bool = False) -> None:
    """To people, beside what programs read."""
    if not only_terminal or sys.stderr.isatty():
        click.echo(text, err=True)


def _machine(described: dict[str, Any]) -> dict[str, str]:
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # there is none outside Linux
        cpus = os.cpu_count() or 1
    return {
        "python": f"Python {platform.python_version()}",
        "engine": described["engine"],
        "driver": described["driver"],
        "cpus": f"{cpus} CPUs",
        "system": f"{platform.system()} {platform.machine()}",
    }


def _row(result: Result) -> tuple[str, ...]:
    if result.median_s is None:
        return (result.name, "", "", "", "", "", _target_text(result), result.verdict)
    return (
        result.name,
        _time(result, result.median_s),
        "..".join(_time(result, quartile) for quartile in result.quartiles_s or ()),
        f"{result.rate:,.0f} {result.unit}/s",
        _time(result, result.reference_s),
        _ratio(result),
        _target_text(result),
        result.verdict,
    )


def _time(result: Result, seconds: float | None) -> str:
    """Of a whole sample of bars, but of one call where calls are counted."""
    if seconds is None:
        return ""
    if result.unit == "calls":
        return f"{seconds / result.work * 1e6:,.1f} us"
    return f"{seconds * 1e3:,.1f} ms"


def _ratio(result: Result) -> str:
    if result.ratio is None:
        return ""
    spread = "..".join(f"{quartile:.2f}" for quartile in result.ratio_quartiles or ())
    return f"{result.ratio:.2f}x ({spread})"


def _target_text(result: Result) -> str:
    from jutsu_sql.bench import Metric

    if result.limit is None:
        return ""
    return {
        Metric.SECONDS: f"<= {result.limit * 1e3:,.0f} ms",
        Metric.RATIO: f"<= {result.limit:.2f}x",
        Metric.RATE: f">= {result.limit:,.0f} {result.unit}/s",
    }[result.metric]
