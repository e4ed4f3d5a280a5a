"""Connections to a PostgreSQL server: bounded in every wait, told from dead ones, safe to fork."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import inf
from time import monotonic
from typing import Any, Self, TypeVar
from weakref import WeakSet

import psycopg
import psycopg_pool
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg_pool import PoolClosed, PoolTimeout

from jutsu_sql.config import Config, redact
from jutsu_sql.dialects.holders import Holders
from jutsu_sql.dialects.postgresql_servers import Servers
from jutsu_sql.errors import ConnectionFailedError
from jutsu_sql.forks import follow_forks
from jutsu_sql.stats import PoolStats

# A connection that has rested this long is asked whether it lives before it is used again.
# Asking at every checkout turns a 116 us query into a 745 us one.
_PING_AFTER_IDLE_S = 5.0
_PING_TIMEOUT_S = 3.0
# One connection that nobody needed for so long is closed.
_MAX_IDLE_S = 30.0
# A thread that is connecting is not waited for longer; it ends by itself.
_CLOSE_TIMEOUT_S = 0.2
_TOO_MANY_CONNECTIONS = "53300"
# A server that does not know the user or the database, or does not let them in, will not either.
_STAYS_REFUSED = ("28", "3D", "42")
_COUNTED = ("requests_queued", "requests_wait_ms")
_PREPARE_AFTER = 5  # runs, as psycopg has it
# How long after ``statement_timeout`` the server may be heard of at the latest.
_GRACE_S = 5.0

T = TypeVar("T")


class Connection(psycopg.Connection[Any]):
    """A connection of the pool."""

    # Reused by queries of one row: making a cursor costs a point lookup 13 of its 70 us.
    cursor_of_one: psycopg.Cursor[Any]
    home: _Generation
    # Whether the server sends something, or closes the connection, within so many seconds.
    has_news: Callable[[float], bool]
    opened_s = idle_since_s = 0.0
    # How long the server may say nothing to each of the statements that were sent at once.
    silence_s = inf
    sent_at_once = 1

    @classmethod
    def connect(  # type: ignore[override]
        cls,
        conninfo: str,
        *,
        servers: Servers,
        on_failure: Callable[[psycopg.Error], None] | None = None,
        **kwargs: Any,
    ) -> Self:
        # psycopg's pool tells only its log why it cannot connect.
        try:
            return servers.connect(partial(super().connect, **kwargs))
        except psycopg.Error as error:
            if on_failure is not None:
                on_failure(error)
            raise

    def wait(self, gen: PQGen[T], *args: Any, **kwargs: Any) -> T:
        return super().wait(gen if self.silence_s == inf else self._heard(gen), *args, **kwargs)

    def _heard(self, gen: PQGen[T]) -> PQGen[T]:
        """What the driver does, closing the connection if nothing is heard of the server.

        The server keeps to ``statement_timeout`` and would have said so; something in between that
        acknowledges what is sent keeps TCP content for ever.
        """
        most_s = self.silence_s * self.sent_at_once
        until_s = monotonic() + most_s
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted  # without news ten times a second
                if ready:
                    until_s = monotonic() + most_s
                elif monotonic() > until_s:
                    self.close()
                    raise psycopg.OperationalError(
                        f"nothing was heard of the server for {most_s:g} s, though no statement"
                        " may take so long"
                    )
                wanted = gen.send(ready)
        except StopIteration as done:
            result: T = done.value
            return result


class PostgresqlPool:
    """psycopg's pool, of up to ``pool_size + max_overflow`` connections; what is unused goes.

    psycopg tries a server that was gone again after 1, 2, 4, ... s, and its callers hear nothing
    until ``pool_timeout``. So a pool that cannot connect is given up: whoever waits tries by
    itself, hears at once why it fails, and starts the next pool as soon as it does not. After a
    fork the child starts one of its own.

    ``configure`` sets up new connections; what it raises refuses one.
    """

    def __init__(
        self, config: Config, servers: Servers, configure: Callable[[Connection], None]
    ) -> None:
        self._config = config
        self._servers = servers
        self._configure = configure
        self._password = str(conninfo_to_dict(config.conninfo).get("password") or "")
        self._connect: dict[str, Any] = {
            "autocommit": True,
            "cursor_factory": psycopg.RawCursor,
            "prepare_threshold": _PREPARE_AFTER if config.prepared_statements else None,
            "servers": servers,
        }
        self._limit = config.pool_size + config.max_overflow
        self._is_closed = False
        self._start_afresh()
        follow_forks(self)

    def _start_afresh(self) -> None:
        self._pool: _Generation | None = None
        self._all: WeakSet[Connection] = WeakSet()
        self._lock = threading.Lock()  # of the counters
        self._renewal = threading.Lock()
        self._holders = Holders(keep_stacks=self._config.echo)
        self._past = Counter[str]()
        self._failure: ConnectionFailedError | None = None
        self._drained_s = 0.0
        self._primary = self._servers.conninfo
        self._opened = self._failed = self._lost = self._timeouts = 0

    def acquire(self) -> Connection:
        """A connection that no other thread has until it is released.

        Raises:
            PoolTimeoutError: all were in use for ``pool_timeout``; it says by whom.
            ConnectionFailedError: the server cannot be reached, or the database is closed.
        """
        until_s = monotonic() + self._config.pool_timeout
        while True:
            if (pool := self._pool) is None:
                pool = self._renew()
            try:
                raw = pool.getconn(max(0.001, until_s - monotonic()))
                break
            except PoolClosed:
                continue
            except PoolTimeout:
                with self._lock:
                    self._timeouts += 1
                cause = self._failure
                timeout_s = self._config.pool_timeout
                raise self._holders.timeout_error(timeout_s, self._limit, cause) from cause
        raw.home = pool
        self._holders.take(raw)
        return raw

    def release(self, raw: Connection) -> None:
        if not self._holders.give_back(raw):
            return
        status = raw.pgconn.transaction_status
        if status != TransactionStatus.IDLE:
            # One within a statement or a transaction is not waited for: the server rolls back.
            raw.close()
            with self._lock:
                self._lost += status == TransactionStatus.UNKNOWN
        raw.idle_since_s = monotonic()
        home = raw.home
        del raw.home  # no cycle: an abandoned pool ends its threads when it is collected
        home.putconn(raw)

    def drain(self) -> None:
        """Replace what is idle, and what is in use when it comes back."""
        self._drained_s = monotonic()
        if self._pool is not None:
            self._pool.drain()

    def close(self) -> None:
        """Close what is idle, now, and what is in use when it comes back; nobody waits any more."""
        self._is_closed = True
        if (pool := self._pool) is not None:
            self._give_up(pool)

    def stats(self) -> PoolStats:
        now = pool.get_stats() if (pool := self._pool) is not None else {}
        total = self._past + Counter(now)
        in_use = len(self._holders)
        return PoolStats(
            limit=self._limit,
            size=now.get("pool_available", 0) + in_use,
            in_use=in_use,
            waiting=now.get("requests_waiting", 0),
            waits=total["requests_queued"],
            wait_s=total["requests_wait_ms"] / 1e3,
            timeouts=self._timeouts,
            opened=self._opened,
            failed=self._failed,
            lost=self._lost,
        )

    def _renew(self) -> _Generation:
        """The next pool, if the server can be reached: one thread finds out for all."""
        with self._renewal:
            if self._is_closed:
                raise ConnectionFailedError("the database is closed", retryable=False)
            if self._pool is None:
                self._connect_once()
                self._primary = self._servers.conninfo
                if self._is_closed:
                    raise ConnectionFailedError("the database is closed", retryable=False)
                self._pool = _Generation(
                    self._servers.conninfo,
                    connection_class=Connection,
                    kwargs={**self._connect, "on_failure": self._fail},
                    configure=self._set_up,
                    check=self._check if self._config.pool_pre_ping else None,
                    min_size=1,
                    max_size=self._limit,
                    timeout=self._config.pool_timeout,
                    max_lifetime=self._config.pool_recycle,
                    max_idle=_MAX_IDLE_S,
                    open=True,
                    name="jutsu_sql",
                )
            return self._pool

    def _connect_once(self) -> None:
        try:
            with Connection.connect(self._servers.conninfo, **self._connect) as raw:
                self._prepare(raw)
        except psycopg.Error as error:
            with self._lock:
                self._failed += 1
            raise self._unreachable(error) from error
        self._failure = None

    def _prepare(self, raw: Connection) -> None:
        if self._config.statement_timeout:
            raw.silence_s = self._config.statement_timeout + _GRACE_S
        self._configure(raw)

    def _set_up(self, raw: Connection) -> None:
        try:
            self._prepare(raw)
        except psycopg.Error as error:
            self._fail(error)
            raise
        raw.cursor_of_one = raw.cursor(binary=True)
        raw.has_news = _listen(raw.pgconn.socket)
        raw.opened_s = raw.idle_since_s = monotonic()
        self._failure = None
        with self._lock:
            self._all.add(raw)
            self._opened += 1
            has_moved = self._primary != self._servers.conninfo
            self._primary = self._servers.conninfo
        if has_moved:  # the others lead to a server that is the primary no more
            threading.Thread(target=self.drain, daemon=True).start()

    def _fail(self, error: psycopg.Error) -> None:
        """A connection could not be made, says a thread of the pool."""
        with self._lock:
            self._failed += 1
        self._failure = self._unreachable(error)
        # When only the server's connections are used up, those that the pool has still serve.
        if error.sqlstate != _TOO_MANY_CONNECTIONS and (pool := self._pool) is not None:
            # In another thread, because it waits for the pool's.
            threading.Thread(target=self._give_up, args=(pool,), daemon=True).start()

    def _give_up(self, pool: _Generation) -> None:
        with self._renewal:
            if self._pool is pool:
                self._pool = None
                self._past.update({key: pool.get_stats().get(key, 0) for key in _COUNTED})
        pool.close(_CLOSE_TIMEOUT_S)

    def _unreachable(self, error: psycopg.Error) -> ConnectionFailedError:
        reason = redact(str(error).strip(), self._password)
        failure = ConnectionFailedError(
            f"cannot connect to {self._config.display_url}: {reason}",
            sqlstate=error.sqlstate,
            retryable=not (error.sqlstate or "").startswith(_STAYS_REFUSED),
        )
        failure.__cause__ = error
        return failure

    def _check(self, raw: Connection) -> None:
        # A server that ends a connection says so: that is seen without asking, at every checkout.
        is_fresh = monotonic() - raw.idle_since_s < _PING_AFTER_IDLE_S
        is_primary = not self._servers.is_demoted(raw.pgconn)
        if is_primary and is_fresh and not raw.has_news(0.0):
            return
        with suppress(psycopg.Error):
            if is_primary and _answers(raw, _PING_TIMEOUT_S):
                return
        with self._lock:
            self._lost += 1
        raw.close()
        # What took this one has taken the others: psycopg would wait 1, 2, 4, ... s between them.
        if raw.opened_s > self._drained_s:
            self.drain()
        raise psycopg.OperationalError("the connection is dead")

    def start_afresh_in_child(self) -> None:
        inherited = list(self._all)
        self._start_afresh()
        for raw in inherited:
            _disown(raw)


class _Generation(psycopg_pool.ConnectionPool[Connection]):
    """A pool that a forked child leaves alone: its threads and locks are the parent's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._pid = os.getpid()
        super().__init__(*args, **kwargs)

    def _getconn_unchecked(self, timeout: float) -> Connection:
        # close() tells those who wait, and getconn() asks once, before it waits: whoever was at the
        # check of a dead connection meanwhile would wait to the end.
        self._check_open_getconn()
        return super()._getconn_unchecked(timeout)

    def __del__(self) -> None:
        if self._pid == os.getpid():
            super().__del__()


def _disown(raw: Connection) -> None:
    # Both processes have the socket. In this one it leads nowhere from now on, so that closing
    # says no goodbye in the parent's name, with TLS neither.
    with suppress(psycopg.Error, OSError):
        ours, theirs = socket.socketpair()
        with ours:
            theirs.close()
            os.dup2(ours.fileno(), raw.fileno(), inheritable=False)
        raw.close()


def _listen(number: int) -> Callable[[float], bool]:
    """Made once for each connection: it is asked at every checkout."""
    if not hasattr(select, "poll"):
        return lambda timeout_s: bool(select.select([number], [], [], timeout_s)[0])
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return lambda timeout_s: bool(poll.poll(timeout_s * 1000))


def _answers(raw: Connection, timeout_s: float) -> bool:
    """Whether the server answers an empty query in time; the driver itself would wait for ever."""
    until_s = monotonic() + timeout_s
    pgconn = raw.pgconn
    pgconn.send_query(b"")
    pgconn.flush()
    status = None
    while True:
        pgconn.consume_input()
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:
                return status == ExecStatus.EMPTY_QUERY
            status = result.status
        if not raw.has_news(max(0.0, until_s - monotonic())):
            return False
