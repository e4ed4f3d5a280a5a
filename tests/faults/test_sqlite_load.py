"""One SQLite file under many processes: everybody gets a turn, and nothing is lost."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from ledger_model import bars_of, closes

import jutsu_sql
from faults.workload import processes, rows
from jutsu_sql import BarStore

OWN = "ABCDEFGH"
WRITERS = len(OWN)
LOADS_EACH = 12


def write_own(to: Any, url: str, writer: int) -> None:
    """Loads of one's own symbol and of one that all correct; gives what was acknowledged."""
    with jutsu_sql.connect(url, snapshots=False) as db:
        store, done = BarStore(db), []
        for number in range(LOADS_EACH):
            own = rows(OWN[writer], range(number * 10, number * 10 + 10), float(number))
            shared = rows("Z", range(10), writer + 100.0 * number)
            report = store.write(bars_of({**own, **shared}), source=f"{writer}")
            done.append(report.load_id)
        to.send(done)


def test_eight_writer_processes_on_one_file(sqlite: str) -> None:
    """Correct: no writer fails; every acknowledged load is there with all its bars, and the bars
    that all of them correct are those of the last load.
    """
    children = []
    for writer in range(WRITERS):
        receiver, sender = processes.Pipe(duplex=False)
        child = processes.Process(target=write_own, args=(sender, sqlite, writer))
        child.start()
        sender.close()
        children.append((child, receiver))
    acknowledged = []
    for child, receiver in children:
        with receiver:
            acknowledged += receiver.recv()
        child.join()
        assert child.exitcode == 0
    with jutsu_sql.connect(sqlite, snapshots=False) as db:
        store = BarStore(db)
        loads = store.loads(1000)
        assert sorted(acknowledged) == sorted(load.load_id for load in loads)
        assert len(loads) == WRITERS * LOADS_EACH
        for writer in range(WRITERS):
            expected = {
                (OWN[writer], number * 10 + minute): float(number)
                for number in range(LOADS_EACH)
                for minute in range(10)
            }
            assert closes(store.read(OWN[writer], "1m")) == expected
        last = max(loads, key=lambda load: load.load_id)
        of_last = int(last.source) + 100.0 * (LOADS_EACH - 1)
        assert set(store.read("Z", "1m").close.tolist()) == {of_last}


def test_a_long_reader_against_checkpoints(sqlite: str, tmp_path: Path) -> None:
    """Correct: the reader sees the state of its beginning to its end, writers are not held up, and
    the log that grew meanwhile is used again when the reader has gone.
    """
    wal = tmp_path / "bars.db-wal"
    first = rows("A", range(200), 1.0)
    with jutsu_sql.connect(sqlite, snapshots=False) as db:
        store = BarStore(db)
        store.write(bars_of(first), source="0")
        with db.read_transaction() as reader:
            (series_id,) = (
                row.series_id for row in reader.run("series.matching", symbol="A", timeframe="1m")
            )
            before = reader.run("bars.latest", series_id=series_id, n=500)
            done = threading.Event()

            def write() -> None:
                for number in range(2, 60):
                    store.write(bars_of(rows("A", range(200), float(number))), source=f"{number}")
                done.set()

            writer = threading.Thread(target=write)
            writer.start()
            assert done.wait(60)
            writer.join()
            assert reader.run("bars.latest", series_id=series_id, n=500) == before
            grown = wal.stat().st_size
        assert closes(store.read("A", "1m")) == rows("A", range(200), 59.0)
        for number in range(60, 120):
            store.write(bars_of(rows("A", range(200), float(number))), source=f"{number}")
        assert wal.stat().st_size <= 1.5 * grown
        assert closes(store.read("A", "1m")) == rows("A", range(200), 119.0)
        assert len(store.loads(1000)) == 119
