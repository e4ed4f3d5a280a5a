"""What can be wrong before a database is opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from jutsu_sql.config import Config, load_config
from jutsu_sql.doctor.findings import Finding, Severity
from jutsu_sql.errors import ConfigError
from jutsu_sql.tls import find_tls_weakness

_FILES = (".env", "config.yaml", "config/config.yaml")


def examine_configuration(config: Config, config_path: str | None) -> Iterator[Finding]:
    """Settings that contradict each other, secrets that others may read, connections likewise."""
    yield from _examine_choice(config, config_path)
    yield from _examine_timeouts(config)
    yield from _examine_files(config, config_path)
    if weakness := find_tls_weakness(config.conninfo):
        yield Finding("tls", Severity.ERROR, *weakness)


def _examine_choice(config: Config, config_path: str | None) -> Iterator[Finding]:
    """Another database than the one that the files name: a program somewhere else may take that."""
    if config.source == "default":
        yield Finding(
            "configuration",
            Severity.WARNING,
            f"nothing names a database: {config.display_url} is the default",
            "set DATABASE_URL, or write a config.yaml",
        )
        return
    try:
        of_files = load_config(config_path=config_path, environ={})
    except ConfigError:
        return  # they need the environment, and it is there
    if of_files.source != "default" and of_files.dialect != config.dialect:
        yield Finding(
            "configuration",
            Severity.WARNING,
            f"{config.source} names {config.display_url}, {of_files.source} says"
            f" {of_files.display_url}",
            "let both name one engine: what starts without that environment uses the other",
        )


def _examine_timeouts(config: Config) -> Iterator[Finding]:
    if 0 < config.statement_timeout <= config.lock_timeout:
        yield Finding(
            "configuration",
            Severity.WARNING,
            f"lock_timeout ({config.lock_timeout:g} s) never comes before statement_timeout"
            f" ({config.statement_timeout:g} s)",
            "make lock_timeout the shorter one",
        )


def _examine_files(config: Config, config_path: str | None) -> Iterator[Finding]:
    """Files that hold the password and that others may read; the database, if it is a file."""
    password = config.password
    for name in (*_FILES, *([config_path] if config_path else [])):
        path = Path(name)
        if password and _may_be_used_by_others(path) and password in _text(path):
            yield Finding(
                "secrets",
                Severity.ERROR,
                f"{path.absolute()} holds the password, and others may read it",
                f"chmod 600 {path}",
            )
    if not config.conninfo and _may_be_used_by_others(Path(config.database), stat.S_IWOTH):
        yield Finding(
            "secrets",
            Severity.ERROR,
            f"everybody may write to {config.database}",
            f"chmod 600 {config.database}",
        )


def _may_be_used_by_others(path: Path, how: int = stat.S_IRGRP | stat.S_IROTH) -> bool:
    """Windows has other rights, which a mode does not show."""
    try:
        return os.name == "posix" and bool(path.stat().st_mode & how)
    except OSError:
        return False


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
