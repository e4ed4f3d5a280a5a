"""Spans of queries through OpenTelemetry's API; an application chooses what becomes of them.

Names and attributes are those of the semantic conventions for database clients (stable since 1.33:
opentelemetry.io/docs/specs/semconv/database/database-spans). Parameters are not told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jutsu_sql.config import Config
from jutsu_sql.dialects.base import Statement
from jutsu_sql.errors import ConfigError
from jutsu_sql.queries import Query


def tracer(config: Config) -> Callable[[Query, Statement], Statement]:
    """A function that gives a statement a span a call."""
    try:
        from opentelemetry.trace import SpanKind, Status, StatusCode, get_tracer
    except ImportError as error:
        raise ConfigError(
            "otel is on, but opentelemetry-api is not installed: pip install 'jutsu_sql[otel]'"
        ) from error

    ours = get_tracer("jutsu_sql")
    place: dict[str, str | int] = {
        "db.system.name": config.dialect,
        "db.namespace": config.database,
    }
    host, port = config.server
    if host:
        place["server.address"] = host
    if port:
        place["server.port"] = port

    def traced(query: Query, statement: Statement) -> Statement:
        text = ";\n".join(query.statements)
        attributes = {
            **place,
            "db.query.summary": query.name,
            "db.query.text": text,
            "db.operation.name": text.split(maxsplit=1)[0].upper(),
        }

        def run(raw: Any, params: Mapping[str, Any]) -> Any:
            with ours.start_as_current_span(
                query.name, kind=SpanKind.CLIENT, attributes=attributes, record_exception=False
            ) as span:
                try:
                    result = statement(raw, params)
                except Exception as error:
                    state = getattr(error, "sqlstate", None)
                    if state:
                        span.set_attribute("db.response.status_code", state)
                    span.set_attribute("error.type", state or type(error).__qualname__)
                    span.set_status(Status(StatusCode.ERROR, type(error).__qualname__))
                    raise
                if isinstance(result, list):
                    span.set_attribute("db.response.returned_rows", len(result))
                return result

        return run

    return traced
