"""A network that breaks, stalls or dribbles: a call ends in time, and a load is in or is not."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import numpy as np
import psycopg
import pytest
from ledger_model import bars_of, closes

import jutsu_sql
from faults.workload import rows
from jutsu_sql import Bars, BarStore, errors
from jutsu_sql.dialects import postgresql_pool
from jutsu_sql.scratch_server import ScratchServer

# Of a silent peer, what it sent or was sent is given up after this long (tcp_user_timeout), and one
# that has nothing to say after three probes.
PATIENCE = "tcp_user_timeout=1000&keepalives_idle=1&keepalives_interval=1&keepalives_count=1"
ENDS_WITHIN_S = 8.0
SERVER_PATIENCE_S = 2.0
FIRST = rows("AB", range(500), 1.0)


class Wire:
    """A TCP connection to the server, byte by byte in a test's hands."""

    def __init__(self, server_url: str) -> None:
        parts = urlsplit(server_url)
        self._address = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        netloc = f"{parts.netloc.rpartition(':')[0]}:{self.port}"
        plain = f"sslmode=disable&gssencmode=disable&{PATIENCE}"
        self.url = parts._replace(netloc=netloc, query=plain).geturl()
        self._ends: list[socket.socket] = []
        # What passes before it happens, in bytes from the client; None: nothing happens.
        self.bytes_left: int | None = None
        self.fault: Callable[[socket.socket, socket.socket], None] = fin
        self.chunk_bytes = 2**16
        self.lets_in = True
        self._tells_client = True  # when its server is gone

    def serve(self) -> None:
        try:
            while True:
                client, _ = self._listener.accept()
                if not self.lets_in:
                    self._ends.append(client)  # accepted by the system, and never heard of again
                    continue
                server = socket.create_connection(self._address)
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._ends += [client, server]
                for one, other in ((client, server), (server, client)):
                    threading.Thread(
                        target=self._pump, args=(one, other, one is client), daemon=True
                    ).start()
        except OSError:
            pass

    def _pump(self, source: socket.socket, target: socket.socket, is_client: bool) -> None:
        try:
            while data := source.recv(self.chunk_bytes):
                if is_client and self.bytes_left is not None:
                    self.bytes_left -= len(data)
                    if self.bytes_left <= 0:
                        self.bytes_left = None
                        self._tells_client = self.fault not in {black_hole, half_open}
                        self.fault(source, target)
                        return
                for start in range(0, len(data), self.chunk_bytes):
                    target.sendall(data[start : start + self.chunk_bytes])
            if is_client or self._tells_client:
                target.shutdown(socket.SHUT_WR)
        except OSError:
            if self._tells_client:
                fin(source, target)

    def close(self) -> None:
        self._listener.close()
        for end in self._ends:
            end.close()


def reset(client: socket.socket, server: socket.socket) -> None:
    """Both ends get a RST."""
    for end in (client, server):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        fin(end)


def fin(*ends: socket.socket) -> None:
    """The ends get a FIN."""
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


def black_hole(client: socket.socket, server: socket.socket) -> None:
    """Nothing from the client passes any more, and nobody is told; but after a while the server's
    own keepalives would find that out, which the toolkit sets, and which nobody answers here.
    """
    threading.Timer(SERVER_PATIENCE_S, fin, [server]).start()


def half_open(client: socket.socket, server: socket.socket) -> None:
    """The server has gone, and the client is not told."""
    fin(server)


@pytest.fixture
def wire(postgres: str) -> Iterator[Wire]:
    between = Wire(postgres)
    threading.Thread(target=between.serve, daemon=True).start()
    yield between
    between.close()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    start_s = time.monotonic()
    yield
    assert time.monotonic() - start_s < seconds


def stored(url: str) -> dict[tuple[str, int], float]:
    with jutsu_sql.connect(url, snapshots=False) as db:
        return closes(BarStore(db).read(["A", "B"], "1m"))


@pytest.mark.parametrize("fault", [reset, fin])
@pytest.mark.parametrize("after_bytes", [1, 1_000, 10_000, 40_000])
def test_a_connection_that_is_cut(
    fault: Callable[[socket.socket, socket.socket], None],
    after_bytes: int,
    wire: Wire,
    postgres: str,
) -> None:
    """Correct: the load is begun again on a new connection, and is in once."""
    with jutsu_sql.connect(wire.url) as db:
        store = BarStore(db)
        wire.fault, wire.bytes_left = fault, after_bytes
        with within(ENDS_WITHIN_S):
            report = store.write(bars_of(FIRST), source="cut")
        assert wire.bytes_left is None
        assert report.inserted == len(FIRST)
        assert [load.rows_inserted for load in store.loads()] == [len(FIRST)]
    assert stored(postgres) == FIRST


def test_a_query_that_writes_and_is_not_answered(wire: Wire) -> None:
    """Correct: it may have happened, and is not done again."""
    # No other connection of the pool, which is made meanwhile, is to meet the fault.
    with jutsu_sql.connect(wire.url, pool_size=1, max_overflow=0) as db:
        db.run("loads.discard", load_id=1)
        wire.fault, wire.bytes_left = fin, 1
        with pytest.raises(errors.OutcomeUnknownError, match=r"loads\.discard") as lost:
            db.run("loads.discard", load_id=1)
        assert not lost.value.retryable


def test_a_black_hole_in_the_middle_of_a_load(wire: Wire) -> None:
    """Correct: bytes that nobody takes are given up after ``tcp_user_timeout``; the load is begun
    again, and is in once.
    """
    minutes = np.datetime64("2024-01-02", "us") + np.arange(300_000) * np.timedelta64(1, "m")
    x = np.arange(300_000) + 1.0
    with jutsu_sql.connect(wire.url, snapshots=False) as db:
        store = BarStore(db)
        wire.fault, wire.bytes_left = black_hole, 1_000_000
        with within(4 * ENDS_WITHIN_S):
            report = store.write(Bars.from_arrays("A", "1m", minutes, x, x, x, x, x), source="hole")
        assert wire.bytes_left is None
        assert report.inserted == len(x)
        assert store.read("A", "1m").close.tolist() == x.tolist()
        assert len(store.loads()) == 1


def test_a_half_open_connection(wire: Wire, postgres: str) -> None:
    """The server has gone, and what is between acknowledges all that it is sent. Correct: whoever
    asks before a use finds out; it costs a ping's 3 s.
    """
    with jutsu_sql.connect(wire.url) as db:
        store = BarStore(db)
        wire.fault, wire.bytes_left = half_open, 1
        for raw in db._dialect._pool._all:  # type: ignore[attr-defined]
            raw.idle_since_s -= 60
        with within(ENDS_WITHIN_S):
            assert store.write(bars_of(FIRST), source="after").inserted == len(FIRST)
    assert stored(postgres) == FIRST


@pytest.mark.parametrize("call", ["load", "read", "COPY", "query"])
def test_a_half_open_connection_in_a_statement(
    call: str, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is between takes and acknowledges all that the client sends, for a server that has
    gone. Correct: with ``statement_timeout`` it is given up soon after that; without, nothing but
    the two ends of the connection could end it.
    """
    monkeypatch.setattr(postgresql_pool, "_GRACE_S", 0.5)
    with jutsu_sql.connect(
        f"{wire.url}&statement_timeout=1", snapshots=False, retry_timeout=0
    ) as db:
        store = BarStore(db)
        store.write(bars_of(FIRST), source="before")
        run = {
            "load": lambda: store.write(bars_of(rows("C", range(5), 1.0)), source="after"),
            "read": lambda: store.read("A", "1m"),
            "COPY": lambda: db.copy_into("series", {"symbol": ["C"], "timeframe": ["1m"]}),
            "query": lambda: db.run("series.summary"),
        }[call]
        wire.fault, wire.bytes_left = half_open, 1
        with (
            within(ENDS_WITHIN_S),
            pytest.raises(errors.ConnectionFailedError, match="nothing was heard of the server"),
        ):
            run()
        assert run() is not None  # on another connection


def test_an_idle_connection_that_fell_into_a_black_hole(wire: Wire, postgres: str) -> None:
    """Correct: it is found by the ping, in its 3 s, before any work is given to it."""
    with jutsu_sql.connect(wire.url) as db:
        store = BarStore(db)
        for raw in db._dialect._pool._all:  # type: ignore[attr-defined]
            raw.idle_since_s -= 60
        wire.fault, wire.bytes_left = black_hole, 1
        with within(ENDS_WITHIN_S):
            assert store.write(bars_of(FIRST), source="after").inserted == len(FIRST)
    assert stored(postgres) == FIRST


def test_one_byte_at_a_time(wire: Wire, postgres: str) -> None:
    """Correct: nothing but slow."""
    wire.chunk_bytes = 1
    few = rows("A", range(20), 1.0)
    with jutsu_sql.connect(wire.url, snapshots=False) as db:
        store = BarStore(db)
        assert store.write(bars_of(few), source="slow").inserted == len(few)
        assert closes(store.read("A", "1m")) == few
    assert stored(postgres) == few


def test_a_first_host_that_never_accepts(postgres: str) -> None:
    """Correct: the next host is taken after the connect timeout, and the silent one is not waited
    for again.
    """
    parts = urlsplit(postgres)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as silent:
        port = silent.getsockname()[1]
        user, _, host = parts.netloc.rpartition("@")
        url = parts._replace(
            netloc=f"{user}@127.0.0.1:{port},{host}", query="connect_timeout=2"
        ).geturl()
        with within(ENDS_WITHIN_S), jutsu_sql.connect(url) as db:
            start_s = time.monotonic()
            for _ in range(5):
                with db.connection() as one, db.connection() as other:
                    assert one.run("connection.version") == other.run("connection.version")
                db._dialect._pool.drain()  # type: ignore[attr-defined]
            assert time.monotonic() - start_s < 2


def test_a_server_that_accepts_and_says_nothing(wire: Wire) -> None:
    """Correct: connecting ends after its timeout, with a reason."""
    wire.lets_in = False
    with (
        within(ENDS_WITHIN_S),
        pytest.raises(errors.ConnectionFailedError, match="timeout"),
    ):
        jutsu_sql.connect(f"{wire.url}&connect_timeout=2")


def test_a_backend_that_is_terminated_when_idle(postgres: str) -> None:
    """Correct: nobody notices."""
    with jutsu_sql.connect(postgres) as db:
        store = BarStore(db)
        with psycopg.connect(postgres, autocommit=True) as killer:
            for number in range(5):
                killer.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'jutsu_sql' AND datname = current_database()"
                )
                time.sleep(0.05)
                one = rows("A", range(number, number + 1), 1.0)
                assert store.write(bars_of(one), source=str(number)).inserted == 1
    assert stored(postgres) == rows("A", range(5), 1.0)


def test_a_server_that_takes_no_more_connections(server: ScratchServer, postgres: str) -> None:
    """Correct: connecting is tried again until it is let in; nothing is lost."""
    name = urlsplit(postgres).path.removeprefix("/")
    with psycopg.connect(server.url, autocommit=True) as owner, jutsu_sql.connect(postgres) as db:
        store = BarStore(db)
        db._dialect._pool.drain()  # type: ignore[attr-defined]
        owner.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        lets_in = f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode()
        later = threading.Timer(0.5, owner.execute, [lets_in])
        later.start()
        with within(ENDS_WITHIN_S):
            assert store.write(bars_of(FIRST), source="later").inserted == len(FIRST)
        later.join()
    assert stored(postgres) == FIRST
