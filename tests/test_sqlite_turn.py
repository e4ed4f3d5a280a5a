"""Writers of one SQLite file take turns in order, wait no longer than told, and watch its log."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import jutsu_sql
from jutsu_sql import errors
from jutsu_sql.dialects import sqlite
from jutsu_sql.dialects.base import warn_once
from jutsu_sql.dialects.sqlite import _find_version_weakness
from jutsu_sql.dialects.sqlite_turn import WriteTurn

INSERT = "INSERT INTO series (symbol, timeframe) VALUES (?, '1m')"
# Has a turn as soon as it can, says so, and keeps it until told.
HOLDER = """
import sys
from jutsu_sql.dialects.sqlite_turn import WriteTurn
print("waits", flush=True)
with WriteTurn(30, sys.argv[1]):
    print("writes", flush=True)
    sys.stdin.readline()
"""


class Holder:
    """Another process that wants a turn."""

    def __init__(self, path: Path) -> None:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", HOLDER, str(path)]
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        assert self._says() == "waits"

    def _says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def writes(self) -> None:
        assert self._says() == "writes"

    def end(self) -> None:
        self.process.communicate("\n")
        assert self.process.returncode == 0


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    (tmp_path / "x.db").touch(0o600)
    return tmp_path / "x.db-turn"


def test_processes_are_served_in_the_order_of_arrival(queue: Path) -> None:
    first = Holder(queue)
    first.writes()
    others = []
    for ticket in (2, 3):
        others.append(Holder(queue))
        while int.from_bytes(queue.read_bytes(), "little") < ticket:
            time.sleep(0.002)
    order: list[str] = []

    def wait_here() -> None:
        with WriteTurn(30, str(queue)):
            order.append("here")

    last = threading.Thread(target=wait_here)
    last.start()
    first.end()
    for other in others:
        other.writes()
        assert not order
        other.end()
    last.join(30)
    assert order == ["here"]
    assert stat.S_IMODE(queue.stat().st_mode) == 0o600


def test_the_turn_of_a_process_that_dies_is_over(queue: Path) -> None:
    holder = Holder(queue)
    holder.writes()
    turn = WriteTurn(0.02, str(queue))
    with pytest.raises(errors.DatabaseLockedError, match=r"other processes .* for 0.02 s"), turn:
        pass
    holder.process.send_signal(signal.SIGKILL)
    holder.process.communicate()
    with turn:  # and who gave up left no ticket
        pass
    turn.close()


def test_threads_are_served_in_the_order_of_arrival() -> None:
    turn, order = WriteTurn(30, None), []

    def wait(number: int) -> None:
        with turn:
            order.append(number)

    threads = [threading.Thread(target=wait, args=(n,)) for n in range(8)]
    with turn:
        for n, thread in enumerate(threads):
            thread.start()
            while len(turn._lock._gates) <= n:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == list(range(8))


def test_a_thread_that_gives_up_leaves_no_trace() -> None:
    turn, said = WriteTurn(0.01, None), []

    def wait() -> None:
        with pytest.raises(errors.DatabaseLockedError, match="another thread") as caught, turn:
            pass
        said.append(caught)

    with turn:
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
        with pytest.raises(errors.DatabaseLockedError, match="this thread"), turn:
            pass
    assert said
    with turn:
        pass


def test_a_fork_begins_without_a_turn(queue: Path) -> None:
    turn = WriteTurn(1, str(queue))
    with turn:
        child = os.fork()
        if not child:
            turn._queue_path = None  # of the file it is indeed the parent's turn
            with turn:
                os._exit(0)
        _, status = os.waitpid(child, 0)
    assert status == 0


def test_a_folder_without_locks_does_no_harm(tmp_path: Path) -> None:
    with WriteTurn(1, str(tmp_path / "missing" / "x.db-turn")):
        pass


def test_the_wait_for_another_program_is_bounded(migrated_sqlite: str) -> None:
    """One that knows no queue: SQLite's own lock, for lock_timeout rather than pool_timeout."""
    other = sqlite3.connect("file:" + migrated_sqlite.removeprefix("sqlite:///"), uri=True)
    other.execute("BEGIN IMMEDIATE")
    with jutsu_sql.connect(f"{migrated_sqlite}?lock_timeout=0.05&pool_timeout=600") as db:
        start = threading.Timer(30, other.rollback)
        start.start()
        with (
            pytest.raises(errors.DatabaseLockedError, match="raise lock_timeout"),
            db.transaction(),
        ):
            pass
        assert start.is_alive()
        start.cancel()
        other.rollback()
        with db.transaction() as tx:
            tx.run("series.insert", names='[["A", "1m"]]')
    other.close()


def test_every_file_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with jutsu_sql.connect(f"sqlite:///{tmp_path}/new.db") as db:
            db.migrate()
            with db.transaction() as tx:
                tx.run("series.insert", names='[["A", "1m"]]')
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("new.db", "new.db-wal", "new.db-shm", "new.db-turn"), 0o600)


def test_a_long_reader_is_told_of_once_and_the_log_shrinks(
    migrated_sqlite: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite, "_LONG_LOG_BYTES", 200_000)
    log = Path(migrated_sqlite.removeprefix("sqlite:///") + "-wal")

    def write(db: Any, times: int) -> None:
        for _ in range(times):
            with db.transaction() as tx:
                tx._raw.executemany(INSERT, [(os.urandom(200).hex(),) for _ in range(200)])

    with jutsu_sql.connect(migrated_sqlite) as db:
        write(db, 10)
        assert log.stat().st_size > 200_000
        assert not caplog.messages  # a load that is large is no long reader
        with db.read_transaction() as reader:
            before = reader.run("series.matching", symbol=None, timeframe=None)
            write(db, 5)
            assert reader.run("series.matching", symbol=None, timeframe=None) == before
        (message,) = caplog.messages
        assert "a connection has been reading for long" in message
        with db.connection() as connection:
            connection._raw.execute("PRAGMA journal_size_limit = 100000")
        grown = log.stat().st_size
        write(db, 1)
        write(db, 1)
        assert log.stat().st_size < grown


@pytest.mark.parametrize(
    ("version", "is_weak"),
    [
        ((3, 37, 0), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
    ],
)
def test_versions_that_can_lose_a_commit(version: tuple[int, ...], is_weak: bool) -> None:
    assert bool(_find_version_weakness(version)) is is_weak


def test_such_a_version_warns_once_and_not_at_every_command(
    migrated_sqlite: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite, "_find_version_weakness", lambda _: "SQLite can lose a commit")
    warn_once.cache_clear()
    monkeypatch.setattr(logging.getLogger("jutsu_sql.versions"), "disabled", False)
    jutsu_sql.connect("sqlite://").close()
    assert not caplog.messages  # memory has one connection
    for _ in range(2):
        jutsu_sql.connect(migrated_sqlite).close()
    assert caplog.messages == ["SQLite can lose a commit"]
    environ = {**os.environ, "DATABASE_URL": migrated_sqlite}
    command = [sys.executable, "-m", "jutsu_sql", "series"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert done.stderr == ""
