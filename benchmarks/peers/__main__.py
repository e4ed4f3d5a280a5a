"""``python -m benchmarks.peers write`` or ``read``: leave the figures, a table and a chart."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial, reduce
from pathlib import Path
from typing import Any

import click

from benchmarks.peers import goals, large, postgresql, read, report, sqlite, write
from benchmarks.peers.peer import Peer, Reader
from benchmarks.peers.readers import files
from benchmarks.peers.report import Kind, Line
from jutsu_sql.bench import Scale, Space, measure_one, open_space
from jutsu_sql.cli.common import json_option, print_json, print_table
from jutsu_sql.config import load_config
from jutsu_sql.scratch_server import scratch_server

_FULL_ROWS = 1_000_000
_PEERS = {"postgresql": postgresql, "sqlite": sqlite}
# How far from the engine's own limit a write may be: into an empty table, and into one with bars.
_LIMITS = {"postgresql": (0.75, 1.10), "sqlite": (1.35, 1.35)}
_GOALS = "other goals"
Command = Callable[..., Any]


@click.group()
def main() -> None:
    """Measure the toolkit beside other ways of moving bars."""


def _options(verb: str) -> Callable[[Command], Command]:
    """What both commands take."""
    options = (
        click.option(
            "--engine",
            type=click.Choice([*_PEERS, "both"]),
            default="both",
            show_default=True,
            callback=lambda _ctx, _param, name: [*_PEERS] if name == "both" else [name],
        ),
        click.option("--rows", type=click.IntRange(1_000), default=_FULL_ROWS, show_default=True),
        click.option("--rounds", type=click.IntRange(1), default=5, show_default=True),
        click.option(
            "--only", multiple=True, help="Only what has this in its name or its panel's."
        ),
        click.option(
            "--output",
            type=click.Path(file_okay=False, path_type=Path),
            default=Path("build/peers"),
            show_default=True,
            help="Where the figures go. Those that are there, and are not measured now, stay.",
        ),
        json_option,
    )
    return lambda command: main.command(verb)(
        reduce(lambda made, option: option(made), reversed(options), command)
    )


@_options("write")
@click.option("--large", "with_large", is_flag=True, help="Also 10 M bars against 1 M.")
def write_command(
    engine: list[str],
    rows: int,
    rounds: int,
    only: tuple[str, ...],
    with_large: bool,
    output: Path,
    as_json: bool,
) -> None:
    """Load the same bars with BarStore.write and each peer in turn.

    Exit status 1 when a target is missed or something could not be measured. Targets hold for a
    million rows and more.
    """
    lines = partial(_write_lines, rows=rows, rounds=rounds, only=only, with_large=with_large)
    _measure("write", engine, lines, output, as_json=as_json)


@_options("read")
def read_command(
    engine: list[str],
    rows: int,
    rounds: int,
    only: tuple[str, ...],
    output: Path,
    as_json: bool,
) -> None:
    """Read the same bars with BarStore.read and each peer in turn.

    Exit status 1 when a target is missed or something could not be measured. Targets hold for a
    million rows and more.
    """
    lines = partial(_read_lines, rows=rows, rounds=rounds, only=only)
    _measure("read", engine, lines, output, as_json=as_json)


def _measure(
    verb: str,
    engines: Sequence[str],
    lines_of: Callable[[str], Iterator[Line]],
    output: Path,
    *,
    as_json: bool,
) -> None:
    """Each line of each engine, into the files and onto the screen."""
    # Whoever stops us must not leave a schema behind.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    output.mkdir(parents=True, exist_ok=True)
    file = output / f"{verb}.json"
    lines: list[Line] = []
    everything = report.update(file, lines)
    for dialect in engines:
        with _url(dialect) as url:
            for line in lines_of(url):
                click.echo(f"{line.panel}: {line.result.name}: {line.result.verdict}", err=True)
                lines.append(line)
                # At once: whoever stops a run of half an hour keeps what it has measured.
                everything = report.update(file, [line])
    report.write_markdown(file.with_suffix(".md"), verb, everything)
    try:
        report.draw(file.with_suffix(".png"), verb, everything)
    except ModuleNotFoundError as error:
        click.echo(f"no chart: {error.name} is not installed: pip install '.[peers]'", err=True)
    if as_json:
        print_json({"machine": report.machine(), "lines": lines})
    else:
        for title, group in report.panels(lines):
            print_table(title, *report.table(verb, group))
            click.echo("\n".join(report.notes(group)))
        click.echo(f"{report.machine()}\nthe figures are in {output}")
    if failed := report.failed(lines):
        click.echo(f"missed or not measured: {'; '.join(failed)}", err=True)
        sys.exit(1)


@contextmanager
def _url(dialect: str) -> Iterator[str]:
    if dialect == "sqlite":
        yield "sqlite://"  # scratch space makes a file of it, in the folder for temporary ones
    elif given := os.environ.get("JUTSU_TEST_POSTGRES_URL"):
        yield given
    else:
        with scratch_server() as server:
            yield server.url


@contextmanager
def _space(url: str, rows: int) -> Iterator[tuple[str, Space]]:
    """Scratch space, and the name and version of its engine."""
    scale = Scale.of("full" if rows >= _FULL_ROWS else "small")
    with open_space(load_config(url), scale) as space:
        space.db.run("bench.settle")
        yield str(space.db.describe()["engine"]), space


def _write_lines(
    url: str, rows: int, rounds: int, only: Sequence[str], *, with_large: bool
) -> Iterator[Line]:
    with _space(url, rows) as (engine, space):
        yield from _peer_lines(engine, space, rows, rounds, only)
        for scenario in goals.scenarios(rows, rounds, space.db.config.dialect):
            if _is_chosen(only, _GOALS, scenario.name):
                yield Line(engine, _GOALS, Kind.OTHER, measure_one(scenario, space))
    if with_large:
        yield Line(engine, _GOALS, Kind.OTHER, large.compare(url, rounds))


def _peer_lines(
    engine: str, space: Space, rows: int, rounds: int, only: Sequence[str]
) -> Iterator[Line]:
    dialect = space.db.config.dialect
    peers = _PEERS[dialect]
    panels = ("into an empty table", f"into a table with {rows:,} bars of other series")
    for history_rows, panel, limit in zip((0, rows), panels, _LIMITS[dialect], strict=True):
        contenders: list[tuple[Kind, Peer, float | None]] = [
            (Kind.LIMIT, peers.LIMIT, limit),
            (Kind.OWN, peers.COPY_INTO, None),
            *((Kind.PEER, peer, 1.0) for peer in peers.WRITERS),
        ]
        chosen = [entry for entry in contenders if _is_chosen(only, panel, entry[1].name)]
        with write.history(space, history_rows if chosen else 0):
            for kind, peer, target in chosen:
                done = write.compare(space, peer, rows, history_rows, rounds, target)
                yield Line(engine, panel, kind, done.result, done.shaping_s, done.versions)


def _read_lines(url: str, rows: int, rounds: int, only: Sequence[str]) -> Iterator[Line]:
    with _space(url, rows) as (engine, space):
        dialect = space.db.config.dialect
        stored = read.fill(space, rows)
        for panel in read.PANELS:
            for kind, peer in _readers(panel, dialect):
                if not _is_chosen(only, f"{panel.title}: {peer.name}"):
                    continue
                done = read.compare(space, panel, peer, stored, rounds)
                yield Line(
                    engine,
                    panel.title,
                    kind,
                    done.result,
                    done.shaping_s,
                    done.versions,
                    done.cpu_s,
                )
                if done.cpu:
                    yield Line(engine, f"{panel.title}: CPU", Kind.OTHER, done.cpu)


def _readers(panel: read.Panel, dialect: str) -> Iterator[tuple[Kind, Reader]]:
    peers, limits = _PEERS[dialect], panel.limits.get(dialect, {})
    if panel.for_all:
        yield from ((Kind.PEER, peer) for peer in peers.READERS)
    else:
        everyone = (*peers.READERS, *peers.PARALLEL_READERS)
        yield from ((Kind.PEER, peer) for peer in everyone if peer.name in limits)
    yield from ((Kind.LIMIT, peer) for peer in files(panel.query))


def _is_chosen(only: Sequence[str], *names: str) -> bool:
    return not only or any(word in name for word in only for name in names)


if __name__ == "__main__":
    main()
