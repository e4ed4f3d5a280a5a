"""The migrations of whichever engine a URL names, for a bare ``yoyo apply``.

yoyo reads its migrations from a folder or from a package's resources, and ``yoyo.ini`` cannot
choose between two folders. So ``sources = package:jutsu_sql.migration_source:DATABASE_URL`` asks
this package for a resource named like the environment variable that holds the URL, and gets the
folder of that URL's dialect.
"""

from __future__ import annotations

import os
from importlib.abc import Loader
from importlib.resources.abc import TraversableResources
from pathlib import Path
from typing import Any, cast

from jutsu_sql.config import load_config
from jutsu_sql.errors import ConfigError
from jutsu_sql.resources import MIGRATIONS_DIR


class _Folders(TraversableResources, Loader):
    """A resource reader whose entries are environment variables."""

    def get_resource_reader(self, _name: str) -> TraversableResources:
        return self

    def files(self) -> Any:
        return self

    def joinpath(self, variable: str) -> Path:
        url = os.environ.get(variable)
        if not url:
            raise ConfigError(f"{variable} is not set: it says which database to migrate")
        return MIGRATIONS_DIR / load_config(url).dialect


cast(Any, __spec__).loader = _Folders()
