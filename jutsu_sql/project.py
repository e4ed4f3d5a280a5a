"""``[tool.jutsu-sql]`` in a project's ``pyproject.toml``: where its queries and tables are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jutsu_sql.errors import ConfigError

_KEYS = ("queries", "schema")


@dataclass(frozen=True, slots=True)
class Project:
    """``queries`` are directories of ``.sql`` files, ``schema`` of ``DIALECT/*.sql``."""

    queries: tuple[Path, ...] = ()
    schema: tuple[Path, ...] = ()


def load_project(directory: Path | None = None) -> Project:
    """The project of a directory (here, if none is given): of it, or of the nearest above it.

    Raises:
        ConfigError: the file cannot be read, or has a key that is not known.
    """
    start = (directory or Path()).resolve()
    for folder in (start, *start.parents):
        path = folder / "pyproject.toml"
        if path.is_file():
            settings = _settings(path)
            return Project(**{key: _paths(path, key, value) for key, value in settings.items()})
    return Project()


def _settings(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        settings = tomllib.loads(path.read_text("utf-8")).get("tool", {}).get("jutsu-sql", {})
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if unknown := sorted(set(settings) - set(_KEYS)):
        raise ConfigError(
            f"{path}: [tool.jutsu-sql] has {', '.join(_KEYS)}, and no {', '.join(unknown)}"
        )
    return dict(settings)


def _paths(path: Path, key: str, value: Any) -> tuple[Path, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ConfigError(f"{path}: [tool.jutsu-sql] {key} is a list of directories")
    return tuple(path.parent / each for each in value)
