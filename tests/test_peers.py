"""The comparison with peers: that it finds wrong rows, and says what it could not measure.

At a scale that measures nothing. A peer whose library is not installed must be reported so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.peers import goals, postgresql, read, readers, report, shapes, sqlite, write
from benchmarks.peers.__main__ import main
from benchmarks.peers.peer import Columns, Peer, Place, Reader
from benchmarks.peers.report import Kind, Line
from jutsu_sql import BarStore, Database
from jutsu_sql.bench import (
    Metric,
    NotMeasuredError,
    Result,
    Scale,
    Space,
    Verdict,
    measure_one,
    open_space,
)
from jutsu_sql.config import load_config
from jutsu_sql.queries import Queries

ROWS = 1_000


@pytest.fixture
def sqlite_space(tmp_path: Path) -> Iterator[Space]:
    with open_space(load_config(f"sqlite:///{tmp_path}/bars.db"), Scale.of("small")) as space:
        yield space


@pytest.fixture
def postgresql_space(postgres_database: str) -> Iterator[Space]:
    with open_space(load_config(postgres_database), Scale.of("small")) as space:
        yield space


@pytest.fixture(params=["sqlite", "postgresql"])
def space(request: pytest.FixtureRequest) -> Space:
    made: Space = request.getfixturevalue(f"{request.param}_space")
    return made


def missing(peer: Peer) -> list[str]:
    """The libraries of a peer that are not installed here."""
    names = []
    for name in peer.libraries:
        try:
            version(name)
        except PackageNotFoundError:
            names.append(name)
    return names


def compared(space: Space, peer: Peer, history_rows: int = 0) -> Result:
    with write.history(space, history_rows):
        return write.compare(space, peer, ROWS, history_rows, 1, None).result


def require_measured_or_missing(space: Space, peer: Peer, history_rows: int) -> None:
    result = compared(space, peer, history_rows)
    if absent := missing(peer):
        assert result.verdict is Verdict.NOT_MEASURED
        assert f"{absent[0]} is not installed: pip install" in result.note
    else:
        assert (result.verdict, result.note) == (Verdict.INFO, "")
        assert result.work == ROWS


def peers_of(module: Any) -> list[Peer]:
    return [module.LIMIT, module.COPY_INTO, *module.WRITERS]


@pytest.mark.parametrize("peer", peers_of(postgresql), ids=lambda peer: peer.name)
def test_every_peer_of_postgresql_loads_the_same_rows(postgresql_space: Space, peer: Peer) -> None:
    require_measured_or_missing(postgresql_space, peer, history_rows=0)


@pytest.mark.parametrize("peer", peers_of(sqlite), ids=lambda peer: peer.name)
def test_every_peer_of_sqlite_loads_the_same_rows(sqlite_space: Space, peer: Peer) -> None:
    require_measured_or_missing(sqlite_space, peer, history_rows=ROWS)


def short_of_one(columns: Columns) -> Columns:
    return {name: column[:-1] for name, column in columns.items()}


def one_bit_off(columns: Columns) -> Columns:
    volume = columns["volume"].copy()
    volume[ROWS // 2] = np.nextafter(volume[ROWS // 2], np.inf)
    return {**columns, "volume": volume}


def one_too_many(columns: Columns) -> Columns:
    more = {name: np.append(column, column[-1]) for name, column in columns.items()}
    more["ts"][-1] += np.timedelta64(1, "us")
    return more


@pytest.mark.parametrize(
    ("shape", "rows", "differing"),
    [(short_of_one, 1_999, 1), (one_bit_off, 2_000, 1), (one_too_many, 2_001, 0)],
    ids=lambda given: getattr(given, "__name__", None),
)
def test_what_is_fast_and_wrong_is_no_result(
    space: Space, shape: Any, rows: int, differing: int
) -> None:
    def load(db: Database, _queries: Queries, columns: Columns) -> None:
        db.copy_into("bars", columns)

    result = compared(space, Peer("wrong", (), None, load, shape), history_rows=ROWS)
    assert result.verdict is Verdict.NOT_MEASURED
    assert result.note.startswith(f"wrong: {rows:,} bars instead of 2,000, and {differing} missing")


@contextmanager
def nowhere(_place: Place) -> Iterator[None]:
    yield


def break_down(_connection: None, _queries: Queries, _columns: Columns) -> None:
    raise ZeroDivisionError("no bars today")


@pytest.mark.parametrize("is_apart", [False, True])
def test_a_peer_that_fails_ends_no_run(sqlite_space: Space, *, is_apart: bool) -> None:
    result = compared(sqlite_space, Peer("broken", (), nowhere, break_down, is_apart=is_apart))
    assert result.verdict is Verdict.NOT_MEASURED
    assert result.note == "ZeroDivisionError: no bars today"


def test_a_peer_that_is_not_installed_is_reported(sqlite_space: Space) -> None:
    result = compared(sqlite_space, Peer("absent", ("no-such-library",), nowhere, break_down))
    assert result.verdict is Verdict.NOT_MEASURED
    assert result.note == "no-such-library is not installed: pip install '.[peers]'"


def test_the_other_goals_are_measured(space: Space) -> None:
    dialect = space.db.config.dialect
    space.db.run("bench.settle")
    for scenario in goals.scenarios(ROWS, 1, dialect):
        result = measure_one(scenario, space)
        assert (result.verdict, result.note) == (Verdict.INFO, ""), scenario.name


def test_a_replay_that_writes_is_no_result(postgresql_space: Space) -> None:
    space = postgresql_space
    (replay,) = (s for s in goals.scenarios(ROWS, 1, "postgresql") if s.name == "replay")
    with (
        pytest.raises(NotMeasuredError, match="a replay has written rows"),
        replay.prepare(space) as case,
    ):
        case.reset()
        assert case.reference is not None
        case.reference()
        case.reset()
        # The same values again, as other versions of all rows.
        space.engine.empty(space.db)
        case.reference()


def test_the_command_leaves_figures_that_a_later_run_adds_to(tmp_path: Path) -> None:
    def run(*only: str) -> Any:
        names = [word for name in only for word in ("--only", name)]
        arguments = ["write", "--engine", "sqlite", "--rows", "1000", "--rounds", "1"]
        return CliRunner().invoke(main, [*arguments, "--output", str(tmp_path), *names])

    first = run("INSERT ... SELECT")
    assert first.exit_code == 0, first.output
    assert "into an empty table" in first.output
    assert "into a table with 1,000 bars of other series" in first.output
    again = run("INSERT ... SELECT", "executemany")
    assert again.exit_code == 0, again.output
    names = [line["result"]["name"] for line in json.loads((tmp_path / "write.json").read_text())]
    assert sorted(names) == 2 * ["INSERT ... SELECT"] + 2 * ["sqlite3 executemany"]
    assert (tmp_path / "write.md").read_text().count("| sqlite3 executemany | 1,000 | 1 |") == 2


ALL, PARALLEL, ONE, ENDS, WARM = read.PANELS


def compared_read(space: Space, panel: read.Panel, peer: Reader) -> read.Comparison:
    return read.compare(space, panel, peer, read.fill(space, ROWS), 1)


def require_read_or_missing(space: Space, panel: read.Panel, peer: Reader) -> None:
    done = compared_read(space, panel, peer)
    if absent := missing(peer):
        assert done.result.verdict is Verdict.NOT_MEASURED
        assert f"{absent[0]} is not installed: pip install" in done.result.note
    else:
        assert (done.result.verdict, done.result.note) == (Verdict.INFO, "")
        assert done.result.work == (ROWS // 100 if panel in (ONE, ENDS) else ROWS)
        assert done.cpu_s is not None
        assert min(done.cpu_s) > 0


def readings(module: Any) -> list[Any]:
    """Each reader, and each way of ours to read, at least once."""
    limit = readers.files("bench.read_all")
    pairs = [(ALL, peer) for peer in (*module.READERS, *limit)]
    pairs += [(ONE, module.READERS[0]), (ENDS, module.READERS[0]), (WARM, module.READERS[0])]
    pairs += [(PARALLEL, peer) for peer in (*module.PARALLEL_READERS, limit[0])]
    return [pytest.param(panel, peer, id=f"{panel.title}-{peer.name}") for panel, peer in pairs]


@pytest.mark.parametrize(("panel", "peer"), readings(postgresql))
def test_every_reader_of_postgresql_reads_the_same_bars(
    postgresql_space: Space, panel: read.Panel, peer: Reader
) -> None:
    require_read_or_missing(postgresql_space, panel, peer)


@pytest.mark.parametrize(("panel", "peer"), readings(sqlite))
def test_every_reader_of_sqlite_reads_the_same_bars(
    sqlite_space: Space, panel: read.Panel, peer: Reader
) -> None:
    require_read_or_missing(sqlite_space, panel, peer)


def in_reverse(columns: Columns) -> Columns:
    return {name: column[::-1] for name, column in columns.items()}


def as_float32(columns: Columns) -> Columns:
    return {**columns, "close": columns["close"].astype("f4")}


def without_series(columns: Columns) -> Columns:
    return {name: column for name, column in columns.items() if name != "series_id"}


def one_column_more(columns: Columns) -> Columns:
    return {**columns, "load_id": columns["series_id"]}


@pytest.mark.parametrize(
    ("spoil", "wrong", "is_apart"),
    [
        (short_of_one, "series_id, ts, open, high, low, close, volume", False),
        (one_bit_off, "volume", False),
        (one_bit_off, "volume", True),
        (in_reverse, "series_id, ts, open, high, low, close, volume", False),
        (as_float32, "close", False),
        (without_series, "series_id", False),
        (one_column_more, "more columns", False),
    ],
    ids=lambda given: getattr(given, "__name__", None),
)
def test_what_is_read_fast_and_wrong_is_no_result(
    sqlite_space: Space, spoil: Any, wrong: str, is_apart: bool
) -> None:
    (right,) = (peer for peer in sqlite.READERS if peer.name == "sqlite3 fetchall")
    peer = replace(right, shape=Spoilt(spoil), is_apart=is_apart)
    result = compared_read(sqlite_space, ALL, peer).result
    assert result.verdict is Verdict.NOT_MEASURED
    assert result.note == f"wrong: {wrong}: not what is stored"


@dataclass(frozen=True)
class Spoilt:
    """A shape that can travel to another process."""

    spoil: Callable[[Columns], Columns]

    def __call__(self, rows: Any) -> Columns:
        return self.spoil(shapes.columns_of_rows(rows))


def test_a_wrong_read_of_ours_is_no_result(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = read.fill(space, ROWS)
    file = readers.files("bench.read_all")[0]
    rightly = BarStore.read
    monkeypatch.setattr(
        BarStore, "read", lambda *given, **named: replace(rightly(*given, **named), open=stored.low)
    )
    result = read.compare(space, ALL, file, stored, 1).result
    assert (result.verdict, result.note) == (
        Verdict.NOT_MEASURED,
        "wrong: open: not what is stored",
    )


def test_reading_is_judged_by_time_and_by_cpu(space: Space) -> None:
    space = replace(space, scale=Scale.of("full"))
    dialect, file = space.db.config.dialect, readers.files("bench.read_all")[0]
    panel = replace(
        ALL, limits={dialect: {file.name: 1e9}}, cpu_limits={dialect: {file.name: 1e-9}}
    )
    done = compared_read(space, panel, file)
    assert done.cpu is not None
    assert (done.result.verdict, done.cpu.verdict) == (Verdict.PASS, Verdict.FAIL)


def test_the_command_leaves_figures_of_reads(tmp_path: Path) -> None:
    arguments = ["read", "--engine", "sqlite", "--rows", "1000", "--rounds", "1"]
    arguments += ["--only", "Arrow file", "--output", str(tmp_path)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    lines = json.loads((tmp_path / "read.json").read_text())
    assert [line["panel"] for line in lines] == [panel.title for panel in read.PANELS]
    text = (tmp_path / "read.md").read_text()
    assert text.count("| an Arrow file, mapped | 1,000 | 1 |") == 3
    assert "| read | read / it | middle half | its CPU | read CPU | verdict |" in text


def line(name: str, ratio: float | None, verdict: Verdict = Verdict.INFO) -> Line:
    times = (None, None) if ratio is None else (ratio, 1.0)
    result = Result(
        name,
        "",
        "bars",
        verdict,
        Metric.RATIO,
        work=10,
        rounds=1,
        median_s=times[0],
        reference_s=times[1],
        ratio=ratio,
        note="" if ratio else "not here",
    )
    return Line("SQLite 3", "into an empty table", Kind.PEER, result, 0.0, ["x 1"])


def test_the_table_is_in_the_order_of_speed_with_what_is_missing_at_its_end(tmp_path: Path) -> None:
    lines = [
        line("absent", None, Verdict.NOT_MEASURED),
        line("slow", 0.1),
        line("fast", 2.0, Verdict.FAIL),
    ]
    ((title, group),) = report.panels(lines)
    assert title == "SQLite 3: into an empty table"
    assert [row[0] for row in report.table("write", group)[1]] == ["fast", "slow", "absent"]
    assert report.notes(group) == ["- absent: not here", "Versions: x 1."]
    assert [name.split(", ")[1] for name in report.failed(lines)] == ["absent", "fast"]
    report.write_markdown(tmp_path / "table.md", "write", lines)
    assert (
        "| slow | 10 | 1 | 1,000 ms | 0 k/s | 0.0 ms | 100 ms | 0.10 |"
        in (tmp_path / "table.md").read_text()
    )
