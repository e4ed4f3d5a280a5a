"""Named queries as attributes: ``db.q.bars.latest(series_id=1, n=20)``.

Type checkers and editors see ``topics.pyi``, which ``jutsu-sql check --write-types`` writes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from jutsu_sql.errors import QueryNotFoundError
from jutsu_sql.queries import Queries


class Topics:
    """The queries below one topic, or all; each is looked up once and is ``run`` from then on."""

    def __init__(self, run: Callable[..., Any], queries: Queries, prefix: str = "") -> None:
        self._run = run
        self._queries = queries
        self._prefix = prefix

    def __getattr__(self, name: str) -> Any:
        full_name = f"{self._prefix}{name}"
        if any(each.startswith(f"{full_name}.") for each in self._queries):
            found: Any = Topics(self._run, self._queries, f"{full_name}.")
        else:
            try:
                found = partial(self._run, self._queries[full_name].name)
            except QueryNotFoundError as error:
                raise AttributeError(str(error), name=name, obj=self) from error
        setattr(self, name, found)
        return found

    def __dir__(self) -> list[str]:
        below = (
            name.removeprefix(self._prefix)
            for name in self._queries
            if name.startswith(self._prefix)
        )
        return sorted({name.partition(".")[0] for name in below})
