"""A raw-SQL performance toolkit, without an ORM, for OHLCV market bars.

Everything public is here; each name is loaded when first used, so that the import stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jutsu_sql.bars import Bar, Bars, Rejection, Series
    from jutsu_sql.config import Config, load_config
    from jutsu_sql.copy_into import CopyReport
    from jutsu_sql.database import Connection, Database, connect
    from jutsu_sql.errors import JutsuSqlError
    from jutsu_sql.store import (
        AsOfJoin,
        BarStore,
        BarStream,
        Coverage,
        LoadReport,
        Panel,
        Resampled,
        SeriesSummary,
    )

__version__ = "0.1.0"

_HOMES = {
    "AsOfJoin": "store",
    "Bar": "bars",
    "BarStore": "store",
    "BarStream": "store",
    "Bars": "bars",
    "Config": "config",
    "Connection": "database",
    "CopyReport": "copy_into",
    "Coverage": "store",
    "Database": "database",
    "JutsuSqlError": "errors",
    "LoadReport": "store",
    "Panel": "store",
    "Rejection": "bars",
    "Resampled": "store",
    "Series": "bars",
    "SeriesSummary": "store",
    "connect": "database",
    "load_config": "config",
}

__all__ = [
    "AsOfJoin",
    "Bar",
    "BarStore",
    "BarStream",
    "Bars",
    "Config",
    "Connection",
    "CopyReport",
    "Coverage",
    "Database",
    "JutsuSqlError",
    "LoadReport",
    "Panel",
    "Rejection",
    "Resampled",
    "Series",
    "SeriesSummary",
    "__version__",
    "connect",
    "load_config",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"jutsu_sql.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
