"""A server that these tests may crash, and databases on it."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path

import pytest
from conftest import created_database, migrated_template

from jutsu_sql.scratch_server import ScratchServer, find_binaries, scratch_server


@pytest.fixture(scope="session", autouse=True)
def _parent_of_writers() -> None:
    """Writers are forked from a process that has imported what they need: 20 ms, not a second."""
    needed = ["faults.workload", "jutsu_sql.dialects.postgresql", "jutsu_sql.dialects.sqlite"]
    forkserver.set_forkserver_preload(needed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
        forkserver.ensure_running()


@pytest.fixture(scope="session")
def server() -> Iterator[ScratchServer]:
    """A server that keeps what it has committed. Nothing but the tests locks its tables.

    It dies alone: what it has written the machine still has, and there is nothing to sync.
    """
    oldest = next(reversed(find_binaries()), None)
    settings = {"autovacuum": "off", "fsync": "off"}
    with scratch_server(bindir=oldest, settings=settings) as running:
        yield running


@pytest.fixture(scope="session")
def template(server: ScratchServer) -> Iterator[str]:
    with migrated_template(server.url) as name:
        yield name


@pytest.fixture
def postgres(server: ScratchServer, template: str) -> Iterator[str]:
    """The URL of a migrated database on :func:`server`."""
    with created_database(server.url, template) as url:
        yield url


@pytest.fixture
def sqlite(migrated_sqlite: str) -> str:
    """The URL of a migrated database file."""
    return migrated_sqlite


@pytest.fixture(params=["sqlite", "postgres"])
def engine_url(request: pytest.FixtureRequest) -> str:
    """The URL of a migrated database of each engine."""
    url: str = request.getfixturevalue(request.param)
    return url
