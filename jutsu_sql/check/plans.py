"""What a header promises of the plan: ``-- plan: index TABLE``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jutsu_sql.check.findings import Finding
from jutsu_sql.dialects.checker import Plan
from jutsu_sql.queries import Query

_PROMISE = re.compile(r"index (\w+)")


def check_plan(query: Query, plan: Plan | None, dialect: str) -> Iterator[Finding]:
    """Every way to a promised table looks its values up in an index."""
    for note in query.notes_on("plan"):
        place = (note.line, 1)
        promised = _PROMISE.fullmatch(note.value)
        if promised is None:
            yield Finding.at(
                "header", query, f"a plan is promised as 'index TABLE', not {note.value!r}", place
            )
            continue
        table = promised[1]
        accesses = [each for each in plan.accesses if each.table == table] if plan else []
        if plan is None or not accesses:
            said = f"{dialect} does not reach {table} here"
            yield Finding.at("plan", query, said, place)
        elif not all(each.is_by_index for each in accesses):
            shown = plan.text.replace("\n", "\n    ")
            said = f"no index of {table} can serve it on {dialect}:\n    {shown}"
            yield Finding.at("plan", query, said, place)
    for column in dict.fromkeys(plan.casts if plan else ()):
        yield Finding.at(
            "cast",
            query,
            f"{dialect} converts {column} before it compares it, which no index on it can serve:"
            f" cast the other side to the type of {column}",
        )
