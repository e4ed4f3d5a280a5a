"""Every statement of a load, as a place where something can go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from jutsu_sql import Connection


@contextmanager
def fault_at(step: int | str | None, fault: Callable[[], object]) -> Iterator[list[str]]:
    """Call ``fault`` right before a statement, by its number or name; gives those met so far.

    A bulk load is met again after each of its blocks, as ``name, under way``.
    """
    met: list[str] = []

    def meet(name: str) -> None:
        met.append(name)
        if step in (name, len(met) - 1):
            fault()

    def met_by(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(connection: Connection, name: str, /, *args: Any, **params: Any) -> Any:
            meet(name)
            return call(connection, name, *args, **params)

        return wrapped

    run_all = Connection.run_all

    def run_all_in_steps(connection: Connection, calls: Iterable[Any]) -> list[Any]:
        calls = list(calls)
        for name, _ in calls:
            meet(name)
        return run_all(connection, calls)

    bulk_load = Connection.bulk_load

    def bulk_load_in_steps(connection: Connection, name: str, blocks: Iterable[Any]) -> int:
        def met_blocks() -> Iterator[Any]:
            for block in blocks:
                yield block
                meet(f"{name}, under way")

        meet(name)
        return bulk_load(connection, name, met_blocks())

    spool = Connection.spool

    def spool_in_steps(connection: Connection, name: str) -> Any:
        made: Any = spool(connection, name)
        if made is None:
            return None
        add, load = made.add, made.load

        def add_in_steps(blocks: Iterable[Any]) -> None:
            for block in blocks:
                add([block])
                meet(f"{name}, under way")

        def load_in_steps() -> Any:
            meet(name)
            return load()

        made.add, made.load = add_in_steps, load_in_steps
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "spool", spool_in_steps)
        patch.setattr(Connection, "run", met_by(Connection.run))
        patch.setattr(Connection, "run_all", run_all_in_steps)
        patch.setattr(Connection, "bulk_load", bulk_load_in_steps)
        yield met
