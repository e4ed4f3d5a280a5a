"""The figures of one database, as objects, JSON, and the text that Prometheus scrapes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["BulkStats", "PoolStats", "QueryStats", "ReplicaStats", "Stats"]

_QUANTILES = {"0.5": "p50_s", "0.95": "p95_s", "0.99": "p99_s"}
_POOL = {
    "limit": ("gauge", "Connections that may be open at most."),
    "size": ("gauge", "Connections that are open."),
    "in_use": ("gauge", "Connections that a thread has."),
    "waiting": ("gauge", "Threads that wait for a connection."),
    "waits_total": ("counter", "Checkouts that had to wait."),
    "wait_seconds_total": ("counter", "Time that checkouts waited."),
    "timeouts_total": ("counter", "Checkouts that waited in vain."),
    "opened_total": ("counter", "Connections made."),
    "failed_total": ("counter", "Connections that could not be made."),
    "lost_total": ("counter", "Connections found dead, and made again when needed."),
}
_BULK = {
    "loads_total": "Bulk loads.",
    "rows_total": "Rows of bulk loads.",
    "bytes_total": "Bytes of the columns of bulk loads.",
    "seconds_total": "Time that bulk loads took.",
}

_REPLICA = {
    "lag_seconds": ("gauge", "How old a read from a replica is at most."),
    "reads_total": ("counter", "Reads that went to a replica."),
    "is_in_use": ("gauge", "Whether reads go to a replica."),
}

_Sample = tuple[str, Mapping[str, str], float]


@dataclass(frozen=True, slots=True)
class QueryStats:
    """One named query. ``calls`` has the ``errors`` too; times are of whole calls, without waits
    for a connection. ``errors_by_state`` counts them by SQLSTATE, SQLite's error name, or class."""

    calls: int
    rows: int
    errors: int
    errors_by_state: Mapping[str, int]
    total_s: float
    p50_s: float
    p95_s: float
    p99_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class BulkStats:
    """One bulk query, or ``copy_into`` a table. ``bytes`` are those of the NumPy columns."""

    loads: int
    rows: int
    bytes: int
    total_s: float

    @property
    def rows_per_s(self) -> float:
        return self.rows / self.total_s if self.total_s else 0.0


@dataclass(frozen=True, slots=True)
class PoolStats:
    """Connections now, and what has happened to them since the start.

    ``size`` connections are open, ``in_use`` of them out, and at most ``limit`` may be; ``waiting``
    threads queue now. ``waits`` of them had to, for ``wait_s`` seconds in all, ``timeouts`` in
    vain. ``opened`` connections were made, ``failed`` attempts were not; ``lost`` were found dead,
    and made again when needed.
    """

    limit: int
    size: int
    in_use: int
    waiting: int = 0
    waits: int = 0
    wait_s: float = 0.0
    timeouts: int = 0
    opened: int = 0
    failed: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class ReplicaStats:
    """One replica. ``state`` is "in use", "behind", "resting" after an ``error``, or "unused".

    ``lag_s`` is how old what it gives is at most; None if that is not known.
    """

    replica: str
    state: str
    lag_s: float | None
    reads: int
    error: str

    @property
    def is_in_use(self) -> bool:
        return self.state == "in use"


@dataclass(frozen=True, slots=True)
class Stats:
    """What one :class:`~jutsu_sql.Database` of this process has done in ``uptime_s`` seconds."""

    uptime_s: float
    pool: PoolStats
    queries: Mapping[str, QueryStats] = field(default_factory=dict)
    bulk: Mapping[str, BulkStats] = field(default_factory=dict)
    replicas: Sequence[ReplicaStats] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts and numbers, with ``rows_per_s`` of each bulk load."""
        plain = asdict(self)
        for name, bulk in self.bulk.items():
            plain["bulk"][name]["rows_per_s"] = bulk.rows_per_s
        return plain

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2)

    def to_prometheus(self) -> str:
        """The text that Prometheus scrapes; names begin with ``jutsu_sql_``, times are seconds.

        prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4.
        """
        return "".join(line + "\n" for line in _lines(self))


def _lines(stats: Stats) -> Iterator[str]:
    queries = stats.queries.items()
    seconds: list[_Sample] = []
    for name, query in queries:
        of_query = {"query": name}
        seconds += [
            ("", {**of_query, "quantile": quantile}, getattr(query, key))
            for quantile, key in _QUANTILES.items()
        ]
        seconds += [("_sum", of_query, query.total_s), ("_count", of_query, query.calls)]
    yield from _metric("query_seconds", "summary", "Time of calls of a query.", seconds)
    yield from _metric(
        "query_max_seconds",
        "gauge",
        "Time of the longest call of a query.",
        [("", {"query": name}, query.max_s) for name, query in queries],
    )
    yield from _metric(
        "query_rows_total",
        "counter",
        "Rows that a query gave or changed.",
        [("", {"query": name}, query.rows) for name, query in queries],
    )
    yield from _metric(
        "query_errors_total",
        "counter",
        "Calls of a query that failed, by SQLSTATE or error.",
        [
            ("", {"query": name, "state": state}, count)
            for name, query in queries
            for state, count in query.errors_by_state.items()
        ],
    )
    for key, (kind, text) in _POOL.items():
        value = getattr(stats.pool, key.removesuffix("_total").replace("seconds", "s"))
        yield from _metric(f"pool_{key}", kind, text, [("", {}, value)])
    for key, text in _BULK.items():
        source = {"seconds_total": "total_s"}.get(key, key.removesuffix("_total"))
        samples: list[_Sample] = [
            ("", {"query": name}, getattr(bulk, source)) for name, bulk in stats.bulk.items()
        ]
        yield from _metric(f"bulk_{key}", "counter", text, samples)
    for key, (kind, text) in _REPLICA.items() if stats.replicas else ():
        attribute = key.removesuffix("_total").replace("seconds", "s")
        values = [(each.replica, getattr(each, attribute)) for each in stats.replicas]
        samples = [("", {"replica": name}, +value) for name, value in values if value is not None]
        yield from _metric(f"replica_{key}", kind, text, samples)


def _metric(name: str, kind: str, text: str, samples: list[_Sample]) -> Iterator[str]:
    yield f"# HELP jutsu_sql_{name} {text}"
    yield f"# TYPE jutsu_sql_{name} {kind}"
    for suffix, labels, value in samples:
        listed = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
        yield f"jutsu_sql_{name}{suffix}{f'{{{listed}}}' if listed else ''} {value!r}"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
