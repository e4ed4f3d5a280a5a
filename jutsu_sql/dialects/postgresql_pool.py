"""Connections to a PostgreSQL server: bounded in every wait, told from dead ones, safe to fork."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from time import monotonic

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn

from jutsu_sql.config import Config, redact
from jutsu_sql.dialects.pool import Pool
from jutsu_sql.dialects.postgresql_servers import Connection, Servers
from jutsu_sql.errors import ConnectionFailedError

# A connection that has rested this long is asked whether it lives before it is used again.
# Asking at every checkout turns a 116 us query into a 745 us one.
_PING_AFTER_IDLE_S = 5.0
_PING_TIMEOUT_S = 3.0


class PostgresqlPool(Pool[Connection]):
    """A pool whose new connections ``configure`` sets up; what it raises refuses one.

    What cannot be connected raises ConnectionFailedError, without the password.
    """

    def __init__(
        self, config: Config, servers: Servers, configure: Callable[[Connection], None]
    ) -> None:
        super().__init__(config)
        self._servers = servers
        self._configure = configure
        self._where = config.display_url
        self._password = str(conninfo_to_dict(config.conninfo).get("password") or "")

    def _connect(self) -> Connection:
        with ExitStack() as opened:
            before = self._servers.conninfo
            try:
                raw = self._servers.connect()
                opened.callback(raw.close)
                self._configure(raw)
            except psycopg.Error as error:
                reason = redact(str(error).strip(), self._password)
                raise ConnectionFailedError(
                    f"cannot connect to {self._where}: {reason}", sqlstate=error.sqlstate
                ) from error
            opened.pop_all()
        if self._servers.conninfo != before:
            self.drain()  # those lead to a server that is the primary no more
        raw.cursor_of_one = raw.cursor(binary=True)
        return raw

    def _is_alive(self, raw: Connection, rested_s: float) -> bool:
        if self._servers.is_demoted(raw):
            return False
        # A server that ends a connection says so: that is seen without asking, at every checkout.
        if rested_s < _PING_AFTER_IDLE_S and not _has_news(raw.pgconn, 0.0):
            return True
        try:
            return _answers(raw.pgconn, _PING_TIMEOUT_S)
        except psycopg.Error:
            return False

    def _is_clean(self, raw: Connection) -> bool:
        # One in a transaction, or within a statement, is not waited for: when it is closed, the
        # server rolls back.
        return raw.pgconn.transaction_status == TransactionStatus.IDLE

    def _disown(self, raw: Connection) -> None:
        # Both processes have the socket. In this one it leads nowhere from now on, so that closing
        # says no goodbye in the parent's name, with TLS neither.
        with suppress(psycopg.Error, OSError):
            ours, theirs = socket.socketpair()
            with ours:
                theirs.close()
                os.dup2(ours.fileno(), raw.fileno(), inheritable=False)
            raw.close()


def _has_news(pgconn: PGconn, timeout_s: float) -> bool:
    """Whether the server has sent something, or closed the connection."""
    if not hasattr(select, "poll"):
        return bool(select.select([pgconn.socket], [], [], timeout_s)[0])
    poll = select.poll()
    poll.register(pgconn.socket, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))


def _answers(pgconn: PGconn, timeout_s: float) -> bool:
    """Whether the server answers an empty query in time; the driver itself would wait for ever."""
    until_s = monotonic() + timeout_s
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
        if not _has_news(pgconn, max(0.0, until_s - monotonic())):
            return False
