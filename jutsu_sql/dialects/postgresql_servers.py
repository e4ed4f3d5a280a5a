"""The servers that may be the primary, and a fence before those that are it no more.

A standby that is promoted begins a new timeline (manual, 27.3.5). An old primary that comes back
takes writes on its old one, and nobody else would ever see them. So the highest timeline that was
seen is remembered, and a server on an older one, or of another cluster, is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Any, Generic, NamedTuple, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq.abc import PGconn

from jutsu_sql.dialects.postgresql_refusals import find_refusal
from jutsu_sql.forks import new_lock

# What libpq leaves to the operating system: 130 s until a connect gives up, two hours until a
# dead peer is noticed, 15 minutes until what was sent and never acknowledged is given up.
_DEFAULTS = {
    "application_name": "jutsu_sql",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
# Where there is another host to go to, one that is silent is not waited for so long.
_DEFAULTS_OF_SEVERAL = {**_DEFAULTS, "connect_timeout": "3", "target_session_attrs": "read-write"}
_FOR_WRITES = {"read-write", "primary"}


C = TypeVar("C", bound=psycopg.Connection[Any])


class _Found(NamedTuple, Generic[C]):
    """A server that takes writes."""

    conninfo: str
    raw: C
    system_identifier: int
    timeline: int


class Servers:
    """The hosts of a connection string, and which of them is the primary.

    ``ask`` gives the system identifier and the timeline of a connection's server. Of one host, or
    if the string wants no primary, libpq chooses, and there is no fence.
    """

    def __init__(
        self, conninfo: str, ask: Callable[[psycopg.Connection[Any]], tuple[int, int]]
    ) -> None:
        given = conninfo_to_dict(conninfo)
        several = "," in str(given.get("host") or given.get("hostaddr") or "")
        defaults = _DEFAULTS_OF_SEVERAL if several else _DEFAULTS
        self.conninfo = make_conninfo(
            conninfo, **{key: value for key, value in defaults.items() if key not in given}
        )
        target = conninfo_to_dict(self.conninfo).get("target_session_attrs")
        self._hosts = _split(self.conninfo) if several and target in _FOR_WRITES else []
        self._ask = ask
        self._lock = new_lock()
        self._cluster: int | None = None
        self._timeline = 0

    def connect(self, open_one: Callable[[str], C]) -> C:
        """A new connection, opened by ``open_one``; to the primary, of several hosts.

        Raises:
            psycopg.Error: there is none, or only one that the fence refuses.
        """
        if not self._hosts:
            return _open(open_one, self.conninfo)
        if self._timeline:
            try:
                return self._visit(open_one, self.conninfo).raw
            except psycopg.Error:
                pass  # it may be another one by now
        with self._lock:
            return self._find_primary(open_one)

    def is_demoted(self, pgconn: PGconn) -> bool:
        """Whether a server is a standby by now; it reports that by itself (14 and later)."""
        return bool(self._hosts) and pgconn.parameter_status(b"in_hot_standby") == b"on"

    def _find_primary(self, open_one: Callable[[str], C]) -> C:
        """Ask all hosts at once; ``conninfo`` is that of the one found from then on.

        Whoever knows a timeline takes the first that has got there; else the newest is it.
        """
        threads = ThreadPoolExecutor(len(self._hosts), "jutsu_sql-servers")
        visits = [threads.submit(self._visit, open_one, conninfo) for conninfo in self._hosts]
        threads.shutdown(wait=False)
        best: _Found[C] | None = None
        for visit in as_completed(visits):
            found = None if visit.exception() else visit.result()
            if found and (best is None or found.timeline > best.timeline):
                best = found
                if self._timeline:
                    break
        for visit in visits:
            visit.add_done_callback(lambda done: _close_all_but(best, done))
        if best is None:
            reasons = [visit.exception() for visit in visits]
            failure = psycopg.OperationalError("; ".join(str(each).strip() for each in reasons))
            states = {getattr(each, "sqlstate", None) for each in reasons}
            failure.sqlstate = states.pop() if len(states) == 1 else None
            raise failure
        self._cluster, self._timeline = best.system_identifier, best.timeline
        self.conninfo = best.conninfo
        return best.raw

    def _visit(self, open_one: Callable[[str], C], conninfo: str) -> _Found[C]:
        raw = _open(open_one, conninfo)
        try:
            found = _Found(conninfo, raw, *self._ask(raw))
            if found.timeline < self._timeline:
                raise psycopg.OperationalError(
                    f"{raw.info.host} port {raw.info.port} is on timeline {found.timeline}, and"
                    f" {self._timeline} was seen: it was the primary once, and takes no writes"
                )
            if self._cluster not in {None, found.system_identifier}:
                raise psycopg.OperationalError(
                    f"{raw.info.host} port {raw.info.port} is of cluster {found.system_identifier},"
                    f" not of {self._cluster}"
                )
        except BaseException:
            raw.close()
            raise
        return found


def _open(open_one: Callable[[str], C], conninfo: str) -> C:
    try:
        return open_one(conninfo)
    except psycopg.Error as error:
        error.sqlstate = error.sqlstate or find_refusal(str(error), conninfo)
        raise


def _close_all_but(best: _Found[Any] | None, visit: Future[_Found[Any]]) -> None:
    if visit.exception() is None and visit.result() is not best:
        visit.result().raw.close()


def _split(conninfo: str) -> list[str]:
    """One connection string a host; libpq: one port is for all of them."""
    params = conninfo_to_dict(conninfo)
    listed = {
        key: str(params[key]).split(",") for key in ("host", "hostaddr", "port") if params.get(key)
    }
    number = max(map(len, listed.values()))
    return [
        make_conninfo(conninfo, **{k: v[i if len(v) > 1 else 0] for k, v in listed.items()})
        for i in range(number)
    ]
