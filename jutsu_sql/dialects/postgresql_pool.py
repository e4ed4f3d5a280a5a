"""Connections to a PostgreSQL server: bounded in every wait, told from dead ones, safe to fork."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from time import monotonic
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn

from jutsu_sql.config import Config, redact
from jutsu_sql.dialects.pool import Pool
from jutsu_sql.errors import ConnectionFailedError

# A connection that has rested this long is asked whether it lives before it is used again.
# Asking at every checkout turns a 116 us query into a 745 us one.
_PING_AFTER_IDLE_S = 5.0
_PING_TIMEOUT_S = 3.0
# What libpq leaves to the operating system: 130 s until a connect gives up, two hours until a
# dead peer is noticed, 15 minutes until what was sent and never acknowledged is given up.
_CONNINFO_DEFAULTS = {
    "application_name": "jutsu_sql",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}


class Connection(psycopg.Connection[Any]):
    """A connection of the pool."""

    # Reused by queries of one row: making a cursor costs a point lookup 13 of its 70 us.
    cursor_of_one: psycopg.Cursor[Any]
    opened_s = expires_s = idle_since_s = taken_s = 0.0
    taken_by: int | None = None
    taken_at = ""


def bounded_conninfo(conninfo: str) -> str:
    """``conninfo`` with a limit for each wait that it does not limit itself."""
    given = conninfo_to_dict(conninfo)
    return make_conninfo(
        conninfo, **{key: value for key, value in _CONNINFO_DEFAULTS.items() if key not in given}
    )


class PostgresqlPool(Pool[Connection]):
    """A pool whose new connections ``configure`` sets up; what it raises refuses one.

    What cannot be connected raises ConnectionFailedError, without the password.
    """

    def __init__(
        self, config: Config, conninfo: str, configure: Callable[[Connection], None]
    ) -> None:
        super().__init__(config)
        self._conninfo = conninfo
        self._configure = configure
        self._where = config.display_url
        self._password = str(conninfo_to_dict(conninfo).get("password") or "")

    def _connect(self) -> Connection:
        with ExitStack() as opened:
            try:
                raw = Connection.connect(
                    self._conninfo, autocommit=True, cursor_factory=psycopg.RawCursor
                )
                opened.callback(raw.close)
                self._configure(raw)
            except psycopg.Error as error:
                reason = redact(str(error).strip(), self._password)
                raise ConnectionFailedError(
                    f"cannot connect to {self._where}: {reason}", sqlstate=error.sqlstate
                ) from error
            opened.pop_all()
        raw.cursor_of_one = raw.cursor(binary=True)
        return raw

    def _is_alive(self, raw: Connection, rested_s: float) -> bool:
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
