"""What a PostgreSQL server says of itself, with the names of the toolkit's queries."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import psycopg

from jutsu_sql.dialects.base import fill
from jutsu_sql.queries import Kind, Queries

# The server writes $n for every constant of a statement (pg_stat_statements.c); and so do we.
_CONSTANTS = re.compile(r"'(?:[^']|'')*'|\$\d+|\b\d+(?:\.\d+)?\b")
_SHOWN_STATEMENTS = 20


def activity(
    raw: psycopg.Connection[Any], queries: Queries, run: Callable[[str], Any]
) -> dict[str, list[dict[str, Any]]]:
    """Sessions and tables, and where ``pg_stat_statements`` is there the costliest statements.

    A statement whose text is that of a named query has its name.
    """
    found = {name: run(f"server.{name}") for name in ("sessions", "tables")}
    tables = {name: [row._asdict() for row in rows] for name, rows in found.items()}
    view = run("server.statements_view")
    if view is not None:
        text = fill(queries["server.statements"], statements=view)
        rows = raw.execute(text.encode(), binary=True).fetchall()
        names = {
            _normal(query.render("numbered")[0]): query.name
            for query in queries.values()
            if query.kind is not Kind.SCRIPT
        }
        tables["statements"] = [
            {
                "query_name": names.get(_normal(text), ""),
                "query_id": query_id,
                "calls": calls,
                "rows": count,
                "mean_ms": mean_ms,
                "total_ms": total_ms,
                "text": " ".join(text.split()),
            }
            for query_id, text, calls, count, mean_ms, total_ms in rows[:_SHOWN_STATEMENTS]
        ]
    return tables


def _normal(text: str) -> str:
    return " ".join(_CONSTANTS.sub("?", text).split())
