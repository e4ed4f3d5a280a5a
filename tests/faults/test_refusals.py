"""A server that knows a client no more, or lets it in no more, says so, and is believed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from ledger_model import bars_of

import jutsu_sql
from faults.cluster import execute
from faults.workload import rows
from jutsu_sql import BarStore, errors
from jutsu_sql.dialects.postgresql_refusals import find_refusal
from jutsu_sql.scratch_server import ScratchServer


class Client(NamedTuple):
    url: str
    database: str
    role: str


@pytest.fixture
def client(postgres: str) -> Iterator[Client]:
    """A role of its own, which may write."""
    role, password = f"client_{secrets.token_hex(4)}", secrets.token_hex(8)
    parts = urlsplit(postgres)
    database = parts.path.removeprefix("/")
    execute(
        postgres,
        f"CREATE ROLE {role} LOGIN PASSWORD '{password}';"
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};"
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}",
    )
    netloc = f"{role}:{password}@{parts.netloc.rpartition('@')[2]}"
    yield Client(parts._replace(netloc=netloc).geturl(), database, role)
    execute(postgres, f"DROP OWNED BY {role}; DROP ROLE {role}")


REFUSALS = {
    "28P01": ("ALTER ROLE {role} PASSWORD 'another'", "SELECT"),
    "28000": ("ALTER ROLE {role} NOLOGIN", "SELECT"),
    "42501": ("REVOKE CONNECT ON DATABASE {database} FROM PUBLIC", "SELECT"),
    "3D000": (
        "ALTER DATABASE {database} RENAME TO {database}_gone",
        "ALTER DATABASE {database}_gone RENAME TO {database}",
    ),
}


@contextmanager
def refused(server: ScratchServer, client: Client, state: str) -> Iterator[None]:
    """No connection of the client is left, and none is made."""
    change, back = (each.format(**client._asdict()) for each in REFUSALS[state])
    execute(
        server.url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        f" WHERE datname = '{client.database}'",
    )
    execute(server.url, change)
    yield
    execute(server.url, back)


@pytest.mark.parametrize("state", REFUSALS)
def test_a_client_that_is_refused_from_now_on(
    state: str, server: ScratchServer, client: Client
) -> None:
    """Correct: an error with the server's reason, at once: nothing is tried again."""
    one = bars_of(rows("A", range(3), 1.0))
    with jutsu_sql.connect(client.url) as db:
        store = BarStore(db)
        assert store.write(one, source="before").inserted == 3
        with refused(server, client, state):
            for call in (
                lambda: store.write(one, source="after"),
                lambda: store.read("A", "1m"),
                lambda: db.run("series.summary"),
            ):
                with pytest.raises(errors.ConnectionFailedError, match="FATAL: ") as raised:
                    call()
                assert (raised.value.sqlstate, raised.value.retryable) == (state, False)
                assert "tried" not in str(getattr(raised.value, "__notes__", ""))


def test_of_several_hosts(server: ScratchServer, client: Client) -> None:
    """Correct: only what all of them say is a reason to give up."""
    parts = urlsplit(client.url)
    user, _, host = parts.netloc.rpartition("@")
    for other, state in ((host, "28P01"), ("127.0.0.1:1", None)):
        url = parts._replace(netloc=f"{user}x@{host},{other}").geturl()
        with pytest.raises(errors.ConnectionFailedError) as raised:
            jutsu_sql.connect(url)
        assert (raised.value.sqlstate, raised.value.retryable) == (state, state is None)


def test_a_replica_that_refuses(server: ScratchServer, client: Client, postgres: str) -> None:
    """Correct: the primary is asked instead."""
    with jutsu_sql.connect(postgres, replicas=[client.url], replica_max_lag=60) as db:
        store = BarStore(db)
        store.write(bars_of(rows("A", range(3), 1.0)), source="primary")
        assert len(store.read("A", "1m")) == 3
        (before,) = db.stats().replicas
        assert (before.state, before.reads) == ("in use", 1)
        with refused(server, client, "28P01"):
            assert len(store.read("A", "1m")) == 3
        (after,) = db.stats().replicas
        assert (after.state, after.reads) == ("resting", 2)
        assert "password authentication failed" in after.error


def test_a_role_with_few_connections(server: ScratchServer, client: Client) -> None:
    """Correct: the connections that the pool has serve all who wait, one after the other."""
    execute(server.url, f"ALTER ROLE {client.role} CONNECTION LIMIT 2")
    with (
        jutsu_sql.connect(client.url, retry_timeout=0) as db,
        ThreadPoolExecutor(8) as threads,
    ):
        with db.connection(), db.connection():
            pass
        assert list(threads.map(lambda _: db.run("series.summary"), range(80))) == [[]] * 80
        until_s = time.monotonic() + 30
        while not db.stats().pool.failed:  # in a thread of the pool
            assert time.monotonic() < until_s
            time.sleep(0.01)
        assert db.stats().pool.opened == 2  # none was given up for that


def test_what_is_no_answer() -> None:
    """Nobody is asked again who has not answered."""
    assert find_refusal("connection failed: Connection refused", "host=never.invalid") is None


def test_a_server_in_another_language(postgres: str) -> None:
    """The server's words are not looked at, only that they are its."""
    parts = urlsplit(postgres)
    user, _, host = parts.netloc.rpartition("@")
    wrong = parts._replace(netloc=f"{user}x@{host}").geturl()
    assert find_refusal("FATALE:  autenticazione con password fallita", wrong) == "28P01"
    assert find_refusal("FATALE:  il database si sta avviando", postgres) is None
