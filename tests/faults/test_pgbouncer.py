"""A pooler in transaction mode: sessions are not ours, and loads are whole all the same."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from ledger_model import bars_of, closes

import jutsu_sql
from faults.workload import LOADS, QUERIES, check_done, prepare, rows, run
from jutsu_sql import BarStore

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@pytest.fixture
def pooled(postgres: str) -> Iterator[str]:
    """The URL of a database behind PgBouncer, with two connections for all."""
    if PROGRAM is None:
        pytest.skip("PgBouncer is not installed: apt install pgbouncer")
    parts = urlsplit(postgres)
    server = f"host={parts.hostname} port={parts.port}"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        settings = Path(directory) / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n* = {server} user={parts.username} password={parts.password}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            "pool_mode = transaction\nauth_type = any\ndefault_pool_size = 2\n"
        )
        Path(directory).chmod(0o755)
        # It refuses to run as root, as the server does.
        account: dict[str, Any] = {"user": "nobody"} if os.geteuid() == 0 else {}
        process = subprocess.Popen([PROGRAM, "-q", str(settings)], **account)
        try:
            until_s = time.monotonic() + 10
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None
                assert time.monotonic() < until_s
                time.sleep(0.02)
            yield f"postgresql://{parts.username}@127.0.0.1:{port}{parts.path}?sslmode=disable"
        finally:
            process.terminate()
            process.wait()


@pytest.mark.parametrize("name", LOADS)
def test_loads_through_a_pooler(name: str, pooled: str) -> None:
    """Correct: every kind of load is what it is without a pooler."""
    with jutsu_sql.connect(pooled, queries=QUERIES, prepared_statements=False) as db:
        model, action = prepare(name, db)
        check_done(db, model, action, run(name, db, action))


def test_many_threads_through_two_connections(pooled: str, postgres: str) -> None:
    """Correct: eight threads read and write by turns while backends are terminated; all that was
    acknowledged is there, once.
    """
    is_over = threading.Event()

    def kill() -> None:
        with psycopg.connect(postgres, autocommit=True) as killer:
            while not is_over.wait(0.15):
                killer.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    " AND backend_type = 'client backend' LIMIT 1"
                )

    killer = threading.Thread(target=kill)
    with jutsu_sql.connect(pooled, prepared_statements=False, snapshots=False) as db:
        store = BarStore(db)
        inserted = []

        def work(first: int) -> None:
            for number in range(first, first + 6):
                minutes = range(number * 10, number * 10 + 10)
                inserted.append(
                    store.write(bars_of(rows("A", minutes, 1.0)), source=str(number)).inserted
                )
                assert len(store.read("A", "1m")) >= 10

        threads = [threading.Thread(target=work, args=(6 * n,)) for n in range(8)]
        killer.start()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        is_over.set()
        killer.join()
        assert inserted == [10] * 48
        assert closes(store.read("A", "1m")) == rows("A", range(480), 1.0)
        assert len(store.loads(1000)) == 48
