"""Every check, one after the other.

A check of a database is a query of ``sql/doctor``, or of ``sql/doctor_deep`` if it reads tables
whole. It gives a row for each thing that is wrong: ``severity`` (``info``, ``warning`` or
``error``), ``found`` and ``remedy``. A directory of queries of one's own can hold more of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from jutsu_sql.config import Config, load_config, redact
from jutsu_sql.database import Database
from jutsu_sql.doctor.configuration import examine_configuration
from jutsu_sql.doctor.findings import Finding, Severity
from jutsu_sql.errors import ConfigError, JutsuSqlError, MigrationError, StatementError
from jutsu_sql.migrations import require_current

_TOPIC, _DEEP_TOPIC = "doctor.", "doctor_deep."


def examine(
    url: str | None = None,
    *,
    config_path: str | None = None,
    deep: bool = False,
    now: datetime | None = None,
) -> list[Finding]:
    """Check the configuration and the database that the arguments or the configuration name.

    Gives at least one finding a check, those that found nothing with the severity ``ok``. ``deep``
    also reads tables and files whole. ``now`` stands in for this machine's clock. Nothing is
    changed, and nothing raised: what cannot be opened is a finding.
    """
    try:
        config = load_config(url, config_path=config_path)
    except ConfigError as error:
        return [Finding("configuration", Severity.ERROR, str(error), "mend the setting it names")]
    findings = [*examine_configuration(config, config_path)]
    done = {finding.check for finding in findings}
    findings += [
        Finding(check, Severity.OK, summary)
        for check, summary in (
            ("configuration", f"{config.display_url}, from {config.source}"),
            ("secrets", "Passwords that others may read."),
            ("tls", "Connections to other machines without verified encryption."),
        )
        if check not in done
    ]
    try:
        with Database(config, create=False) as db:
            findings += _examine_database(db, deep=deep, now=now or datetime.now(UTC))
    except MigrationError as error:
        findings.append(_failure("migrations", error, config, "jutsu-sql migrate"))
    except JutsuSqlError as error:
        findings.append(_failure("connection", error, config, "see the reason above"))
    return findings


def _examine_database(db: Database, *, deep: bool, now: datetime) -> Iterator[Finding]:
    facts = db.describe()
    versions = ", ".join(
        str(facts[name]) for name in ("engine", "driver", "libpq") if name in facts
    )
    yield Finding("connection", Severity.OK, versions)
    if weakness := facts.get("warning"):
        remedy = "use a Python with a newer SQLite where several processes share the file"
        yield Finding("library_version", Severity.WARNING, weakness, remedy)
    try:
        require_current(db.applied_migrations(), db.config.dialect)
        yield Finding("migrations", Severity.OK, "All are applied, and none is unknown.")
    except MigrationError as error:
        yield _failure("migrations", error, db.config, "jutsu-sql migrate, by this version")
        return
    known = {
        **facts,
        "pool_max": db.config.pool_size + db.config.max_overflow,
        "now": now,
        "soon": now + timedelta(minutes=1),
        "minutes_ago": now - timedelta(minutes=5),
        "hour_ago": now - timedelta(hours=1),
    }
    for name in sorted(db.queries):
        if name.startswith(_TOPIC) or (deep and name.startswith(_DEEP_TOPIC)):
            yield from _run_check(db, name, known)


def _run_check(db: Database, name: str, known: dict[str, Any]) -> Iterator[Finding]:
    query, check = db.queries[name], name.partition(".")[2]
    try:
        rows = db.run(name, **{param: known.get(param) for param in query.params})
    except StatementError as error:
        # Not for this role, or without an extension, or before a migration.
        remedy = "grant pg_monitor, or install what is missing, to have it examined"
        yield _failure(check, error, db.config, remedy, Severity.INFO)
        return
    except JutsuSqlError as error:
        yield _failure(check, error, db.config, "mend what it names, and look again")
        return
    for row in rows:
        yield Finding(check, Severity(row.severity), row.found, row.remedy)
    if not rows:
        yield Finding(check, Severity.OK, query.summary)


def _failure(
    check: str,
    error: JutsuSqlError,
    config: Config,
    remedy: str,
    severity: Severity = Severity.ERROR,
) -> Finding:
    prefix = "not examined: " if severity is Severity.INFO else ""
    return Finding(check, severity, prefix + redact(str(error), config.password), remedy)
