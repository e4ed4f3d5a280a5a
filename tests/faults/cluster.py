"""A primary and its standby, as throw-away servers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg

import jutsu_sql
from jutsu_sql.scratch_server import ScratchServer, find_binaries, scratch_server

WITHIN_S = 30.0


class Pair(NamedTuple):
    """``url`` names both, the primary first."""

    primary: ScratchServer
    standby: ScratchServer

    @property
    def url(self) -> str:
        first, second = (urlsplit(server.url).netloc for server in self)
        return f"postgresql://{first},{second.rpartition('@')[2]}/postgres"

    def promote(self) -> None:
        execute(self.standby.url, "SELECT pg_promote()")

    def catch_up(self) -> None:
        """Wait until the standby has replayed what the primary has written."""
        (sent,) = execute(self.primary.url, "SELECT pg_current_wal_flush_lsn()")
        wait_for(self.standby.url, f"SELECT pg_last_wal_replay_lsn() >= '{sent}'::pg_lsn")


@contextmanager
def pair(*, durable: bool = False) -> Iterator[Pair]:
    oldest = next(reversed(find_binaries()), None)
    settings = {"autovacuum": "off", "synchronous_commit": "on"}
    with scratch_server(bindir=oldest, durable=durable, settings=settings) as primary:
        with jutsu_sql.connect(primary.url) as db:
            db.migrate()
        with scratch_server(durable=durable, settings=settings, standby_of=primary) as standby:
            yield Pair(primary, standby)


def execute(url: str, statement: str) -> tuple[object, ...]:
    with psycopg.connect(url, autocommit=True) as session:
        cursor = session.execute(statement.encode())
        return (cursor.fetchone() or ()) if cursor.description else ()


def wait_for(url: str, question: str) -> None:
    with psycopg.connect(url, autocommit=True) as session:
        deadline_s = time.monotonic() + WITHIN_S
        while session.execute(question.encode()).fetchone() != (True,):
            assert time.monotonic() < deadline_s, question
            time.sleep(0.01)
