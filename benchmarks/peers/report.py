"""Figures as JSON, as a table and as a chart."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jutsu_sql.bench import Result, Verdict

_LINE_INCHES = 0.32


class Kind(StrEnum):
    """What ``BarStore.write`` or ``read`` is compared with."""

    PEER = "peer"
    LIMIT = "the engine's own limit"
    OWN = "another way of the toolkit"
    OTHER = "something that is no way of moving these bars"


_COLOURS = {Kind.PEER: "#2e86c1", Kind.LIMIT: "#7f8c8d", Kind.OWN: "#e59866"}
_TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison, with ``BarStore.write`` or ``read`` as the subject of ``result``.

    What its reference is, ``kind`` says: a peer, the engine's limit, ... ; ``versions`` are those
    of its libraries, ``shaping_s`` is what it took to make its rows of columns, or columns of its
    rows, and ``cpu_s`` what the client's processes worked for the reference and for the subject.
    """

    engine: str
    panel: str
    kind: Kind
    result: Result
    shaping_s: float | None = None
    versions: Sequence[str] = ()
    cpu_s: Sequence[float] | None = None


def machine() -> str:
    """What the figures were measured on, less the engine."""
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # there is none outside Linux
        cpus = os.cpu_count() or 1
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "psycopg", "pyarrow"))
    system = f"{platform.system()} {platform.machine()}, {cpus} CPUs"
    return f"{system}, Python {platform.python_version()}, {libraries}"


def update(file: Path, lines: Iterable[Line]) -> list[Line]:
    """Put lines into a file of them, in place of those that compare the same; gives them all."""
    kept = {_key(line): line for line in _load(file)} | {_key(line): line for line in lines}
    file.write_text(json.dumps([asdict(line) for line in kept.values()], indent=1) + "\n")
    return list(kept.values())


def _key(line: Line) -> tuple[str, str, str]:
    return line.engine, line.panel, line.result.name


def _load(file: Path) -> list[Line]:
    if not file.exists():
        return []
    return [
        Line(**{**raw, "result": Result(**raw["result"])}) for raw in json.loads(file.read_text())
    ]


def table(verb: str, lines: Sequence[Line]) -> tuple[list[str], list[list[str]]]:
    """The titles and a row of text for each line, less what no line has anything in.

    The verb is ``write`` or ``read``.
    """
    filled = [
        [title, *cells] for title, *cells in zip(_titles(verb), *map(_row, lines), strict=True)
    ]
    titles, *rows = zip(*(column for column in filled if any(column[1:])), strict=True)
    return list(titles), [list(row) for row in rows]


def _titles(verb: str) -> tuple[str, ...]:
    return (
        "against",
        "bars",
        "rounds",
        "its time",
        "its rate",
        "of it shaping",
        verb,
        f"{verb} / it",
        "middle half",
        "its CPU",
        f"{verb} CPU",
        "target",
        "verdict",
    )


def _row(line: Line) -> tuple[str, ...]:
    result = line.result
    target = "" if result.limit is None else f"<= {result.limit:.2f}"
    if result.reference_s is None or result.median_s is None or result.ratio is None:
        return (result.name, *[""] * (len(_titles("")) - 3), target, str(result.verdict))
    digits = 2 if result.ratio >= 0.1 else 3
    low, high = result.ratio_quartiles or (result.ratio, result.ratio)
    return (
        result.name,
        f"{result.work:,}",
        str(result.rounds),
        _time(result.reference_s),
        f"{result.work / result.reference_s / 1e3:,.0f} k/s",
        "" if line.shaping_s is None else _time(line.shaping_s),
        _time(result.median_s),
        f"{result.ratio:.{digits}f}",
        f"{low:.{digits}f}..{high:.{digits}f}",
        *([""] * 2 if line.cpu_s is None else map(_time, line.cpu_s)),
        target,
        str(result.verdict),
    )


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:,.{0 if seconds >= 0.1 else 1}f} ms"


def panels(lines: Iterable[Line]) -> list[tuple[str, list[Line]]]:
    """The lines of each engine and panel, the fastest reference first, with a title."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(f"{line.engine}: {line.panel}", []).append(line)
    return [(title, sorted(group, key=_times)) for title, group in groups.items()]


def _times(line: Line) -> float:
    """The reference's time in multiples of that of the subject."""
    return 1 / line.result.ratio if line.result.ratio else float("inf")


def write_markdown(file: Path, verb: str, lines: Sequence[Line]) -> None:
    """One table for each panel, and what was measured on what."""
    text = [f"{machine()}.", ""]
    for title, group in panels(lines):
        head, rows = table(verb, group)
        text += [f"### {title}", "", _markdown(head), _markdown(["---"] * len(head))]
        text += map(_markdown, rows)
        text += ["", *notes(group), ""]
    file.write_text("\n".join(text).rstrip() + "\n")


def _markdown(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def notes(lines: Sequence[Line]) -> list[str]:
    """What is to be said of single lines, and the versions of the peers."""
    said = [f"- {line.result.name}: {line.result.note}" for line in lines if line.result.note]
    versions = sorted({found for line in lines for found in line.versions})
    return said + ([f"Versions: {', '.join(versions)}."] if versions else [])


def draw(file: Path, verb: str, lines: Iterable[Line]) -> None:
    """The time of each way of moving bars, in multiples of that of ``BarStore.write`` or ``read``.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    measured = (line for line in lines if line.kind in _COLOURS and line.result.ratio)
    charts = panels(measured)
    if not charts:
        return
    heights = [len(group) + 3 for _, group in charts]
    figure = Figure(figsize=(9, _LINE_INCHES * sum(heights)), layout="constrained")
    axes = figure.subplots(len(charts), squeeze=False, sharex=True, height_ratios=heights)
    for axis, (title, group) in zip(axes.flat, charts, strict=True):
        _draw_panel(axis, title, group)
    axes.flat[-1].set_xlabel(f"time in multiples of BarStore.{verb}; to the left is faster")
    figure.savefig(file, dpi=150)


def _draw_panel(axis: Any, title: str, lines: Sequence[Line]) -> None:
    times = [_times(line) for line in lines]
    places = range(len(lines))
    # From 1 on, because a logarithmic axis has no zero.
    bars = axis.barh(
        places, [x - 1 for x in times], left=1.0, color=[_COLOURS[line.kind] for line in lines]
    )
    texts = [f"{x:.2f}" if x < 10 else f"{x:.0f}" for x in times]
    axis.bar_label(bars, texts, padding=3)
    axis.set_yticks(places, [_label(line) for line in lines])
    axis.invert_yaxis()
    axis.set_xscale("log")
    axis.set_xticks(_TICKS, [f"{x:g}" for x in _TICKS])
    axis.minorticks_off()
    axis.margins(x=0.12)
    axis.axvline(1.0, color="black")
    axis.set_title(title, loc="left", fontsize="medium")
    axis.spines[["top", "right"]].set_visible(False)


def _label(line: Line) -> str:
    result = line.result
    assert result.reference_s is not None
    rate = result.work / result.reference_s / 1e6
    return f"{result.name}, {result.work:,} bars, {rate:.2f} M/s"


def failed(lines: Iterable[Line]) -> list[str]:
    """What missed its target, or could not be measured: neither has passed."""
    bad = (Verdict.FAIL, Verdict.NOT_MEASURED)
    return [f"{line.panel}, {line.result.name}" for line in lines if line.result.verdict in bad]
