"""Which of several servers is the primary, with servers that only pretend."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from jutsu_sql.dialects.postgresql_servers import Servers

CLUSTER = 7


class Fleet:
    """Hosts that are the primary of a timeline; one that is missing cannot be reached."""

    def __init__(self, **timelines: int) -> None:
        self.timelines: dict[str, int] = timelines
        self.cluster = CLUSTER
        self.asked: list[str] = []
        self.closed: list[str] = []

    def open(self, conninfo: str) -> Any:
        params = conninfo_to_dict(conninfo)
        host = str(params["host"])
        self.asked.append(host)
        assert params["target_session_attrs"] == "read-write"
        if host not in self.timelines:
            raise psycopg.OperationalError(f"{host} does not answer")
        info = SimpleNamespace(host=host, port=params.get("port"))
        return SimpleNamespace(info=info, close=lambda: self.closed.append(host))

    def ask(self, raw: Any) -> tuple[int, int]:
        return self.cluster, self.timelines[raw.info.host]

    def servers(self) -> Servers:
        return Servers("host=a,b,c dbname=x", self.ask)

    def connect(self, servers: Servers) -> str:
        self.asked.clear()
        host: str = servers.connect(self.open).info.host
        return host


def test_the_newest_timeline_is_the_primary_wherever_it_stands() -> None:
    fleet = Fleet(a=1, b=2, c=1)
    assert fleet.connect(fleet.servers()) == "b"
    assert sorted(fleet.closed) == ["a", "c"]


def test_the_one_that_is_known_is_gone_to_directly() -> None:
    fleet = Fleet(b=1)
    servers = fleet.servers()
    assert fleet.connect(servers) == "b"
    assert sorted(fleet.asked) == ["a", "b", "c"]
    assert fleet.connect(servers) == "b"
    assert fleet.asked == ["b"]


def test_after_a_promotion() -> None:
    fleet = Fleet(a=1)
    servers = fleet.servers()
    fleet.connect(servers)
    fleet.timelines = {"c": 2}
    assert fleet.connect(servers) == "c"
    fleet.timelines = {"a": 1, "c": 2}
    assert fleet.connect(servers) == "c"
    fleet.timelines = {"a": 1}
    with pytest.raises(psycopg.OperationalError, match="a port None is on timeline 1, and 2 was"):
        fleet.connect(servers)
    fleet.timelines = {"a": 3}
    assert fleet.connect(servers) == "a"


def test_another_cluster() -> None:
    fleet = Fleet(a=1)
    servers = fleet.servers()
    fleet.connect(servers)
    fleet.timelines, fleet.cluster = {"b": 9}, CLUSTER + 1
    with pytest.raises(psycopg.OperationalError, match="of cluster 8, not of 7"):
        fleet.connect(servers)


def test_nobody_is_there() -> None:
    fleet = Fleet()
    with pytest.raises(psycopg.OperationalError, match=r"a does.*b does.*c does"):
        fleet.connect(fleet.servers())


@pytest.mark.parametrize(
    ("conninfo", "expected"),
    [
        ("host=a", {"connect_timeout": "10"}),
        ("host=a,b", {"connect_timeout": "3", "target_session_attrs": "read-write"}),
        ("host=a,b target_session_attrs=any", {"target_session_attrs": "any"}),
        ("host=a,b connect_timeout=9", {"connect_timeout": "9", "tcp_user_timeout": "30000"}),
    ],
)
def test_waits_are_bounded_unless_they_are_given(conninfo: str, expected: dict[str, str]) -> None:
    given = conninfo_to_dict(Servers(conninfo, lambda _: (1, 1)).conninfo)
    assert expected.items() <= given.items()


def test_each_host_has_its_own_port_and_address() -> None:
    fleet = Fleet(a=1, b=1)
    servers = Servers("host=a,b hostaddr=127.0.0.1,127.0.0.2 port=1,2", fleet.ask)
    del fleet.timelines["a"]
    fleet.connect(servers)
    chosen = conninfo_to_dict(servers.conninfo)
    assert (chosen["host"], chosen["hostaddr"], chosen["port"]) == ("b", "127.0.0.2", "2")
