"""What is told of each call: counters, a log of slow ones, and spans if wanted."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from jutsu_sql.config import Config
from jutsu_sql.dialects.base import Block, Dialect, Statement
from jutsu_sql.errors import DatabaseError
from jutsu_sql.observe import Observer, OnSlow
from jutsu_sql.queries import Kind, Query
from jutsu_sql.stats import Stats

_slow_log = logging.getLogger("jutsu_sql.slow")
_COUNTS: Mapping[Kind, Callable[[Any], int] | None] = {
    Kind.ONE: None,
    Kind.VALUE: None,
    Kind.MANY: len,
    Kind.EXEC: lambda rows: max(0, rows),  # -1 where the engine does not say
    Kind.COLUMNS: lambda columns: len(next(iter(columns.values()), ())),
    Kind.SCRIPT: lambda _: 0,
}


class Telemetry:
    """The counters, the slow-query log and the spans of one database."""

    def __init__(self, config: Config, dialect: Dialect) -> None:
        self._config = config
        self._dialect = dialect
        self._observer = Observer(perf_counter)
        self._slow_s = config.slow_query_ms / 1e3 or math.inf
        self._traced: Callable[[Query, Statement], Statement] | None = None
        if config.otel:
            from jutsu_sql.tracing import tracer

            self._traced = tracer(config)

    def watch(self, query: Query, statement: Statement) -> Statement:
        """The statement, with all that the configuration wants told of it."""
        if self._config.telemetry:
            statement = self._observer.watch(
                query.name, statement, _COUNTS[query.kind], self._slow_s, self._reporter(query)
            )
        return self._traced(query, statement) if self._traced else statement

    def _reporter(self, query: Query) -> OnSlow:
        def report(
            raw: Any,
            params: Mapping[str, Any],
            duration_s: float,
            result: Any,
            error: BaseException | None,
        ) -> None:
            count = _COUNTS[query.kind]
            rows = 0 if result is None else 1 if count is None else count(result)
            facts = {
                "query_name": query.name,
                "duration_ms": duration_s * 1e3,
                "rows": rows,
                "sqlstate": getattr(error, "sqlstate", None),
                "params": dict(params) if self._config.slow_query_params else None,
                "plan": None,
                "query_id": None,
            }
            if self._config.slow_query_plan and error is None:
                with suppress(DatabaseError):
                    facts["plan"], facts["query_id"] = self._dialect.explain(
                        raw, query, params, analyze=False
                    )
            shown = " ".join(f"{key}={facts[key]!r}" for key in facts if facts[key] is not None)
            _slow_log.warning("slow query: %s", shown, extra=facts)

        return report

    def watch_all(self, queries: Sequence[Query], run: Callable[[], list[Any]]) -> list[Any]:
        """Several calls in one round trip, whose time they share."""
        start_s = perf_counter()
        results = run()
        if self._config.telemetry and results:
            share_s = (perf_counter() - start_s) / len(results)
            for query, result in zip(queries, results, strict=True):
                self._observer.count(query.name, _COUNTS[query.kind], result, share_s)
        return results

    @contextmanager
    def bulk(self, name: str) -> Iterator[Bulk]:
        """A bulk load, which is counted if it succeeds."""
        load, start_s = Bulk(), perf_counter()
        yield load
        if self._config.telemetry:
            duration_s = perf_counter() - start_s
            self._observer.count_bulk(name, load.rows, load.size_bytes, duration_s)

    def stats(self) -> Stats:
        return self._observer.stats(self._dialect.pool_stats())


@dataclass(slots=True)
class Bulk:
    """What is known of a bulk load when it is done."""

    rows: int = 0
    size_bytes: int = 0

    def weigh(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """The blocks, whose bytes are counted as they pass."""
        for block in blocks:
            self.size_bytes += size_of(block)
            yield block


def size_of(columns: Any) -> int:
    """The bytes of arrays, or of a table, that says how many it has; others count none."""
    parts = columns.values() if isinstance(columns, Mapping) else [columns]
    return sum(size for part in parts if isinstance(size := getattr(part, "nbytes", 0), int))
