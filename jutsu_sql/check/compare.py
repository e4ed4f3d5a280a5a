"""What the engines say of one query, compared with its header and with each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from jutsu_sql.check.findings import Finding
from jutsu_sql.check.pack import Entry
from jutsu_sql.dialects.checker import Description, Type
from jutsu_sql.queries import Kind, Query

# SQLite has fewer types; what stands for what there is all the same to a caller.
_ALIKE = [{"bool", "int"}, {"decimal", "float"}, {"uuid", "text"}, {"date", "text"}]
_GIVES_COLUMNS = {Kind.ONE, Kind.MANY, Kind.VALUE, Kind.COLUMNS}


def check_kind(query: Query, description: Description) -> Iterator[Finding]:
    """The kind against what the statement gives."""
    if description.columns is None:
        return
    names = [column.name for column in description.columns]
    if query.kind in _GIVES_COLUMNS and not names:
        yield Finding.at(
            "kind", query, f"kind {query.kind} wants columns, and the statement gives none"
        )
    elif query.kind is Kind.VALUE and len(names) > 1:
        yield Finding.at(
            "kind", query, f"kind value gives the first column only, of {', '.join(names)}"
        )
    elif query.kind is Kind.EXEC and names and not query.writes:
        yield Finding.at(
            "kind", query, f"kind exec gives a number of rows, and drops {', '.join(names)}"
        )
    if query.kind is not Kind.VALUE and (twice := {n for n in names if names.count(n) > 1}):
        yield Finding.at("columns", query, f"two columns are called {', '.join(sorted(twice))}")


def check_times(query: Query, description: Description, *, is_alone: bool) -> Iterator[Finding]:
    """The times that a header names against what the engine makes of them.

    ``is_alone`` says that no other engine has the query, which would have to know them.
    """
    columns = {column.name: column.type for column in description.columns or ()}
    for what, types in (("column", columns), ("parameter", description.params)):
        for name, type_ in types.items():
            named = name in query.timestamps
            if type_.word == "instant" and not (named or is_alone or type_.is_array):
                yield Finding.at(
                    "times",
                    query,
                    f"{what} {name} is a time: say `-- timestamps: {name}`, or it is a number of"
                    " microseconds where an engine has no times",
                )
            elif named and type_.is_known and type_.word != "instant":
                yield Finding.at(
                    "times", query, f"{what} {name} is {type_.declared or type_}, and no time"
                )


def check_halves(
    entry: Entry, described: Mapping[str, Description], dialects: tuple[str, ...]
) -> Iterator[Finding]:
    """The engines' views of one query against each other."""
    for ours, theirs in combinations([each for each in dialects if each in entry.halves], 2):
        query, other = entry.halves[ours], entry.halves[theirs]
        if query.kind is not other.kind:
            yield Finding.at(
                "kind",
                other,
                f"kind {other.kind}, and on {ours} kind {query.kind}",
                (other.line, 1),
            )
        if differing := set(query.params) ^ set(other.params):
            listed = ", ".join(sorted(differing))
            yield Finding.at("params", other, f"only one of {ours} and {theirs} takes {listed}")
        if query.kind is other.kind and ours in described and theirs in described:
            yield from _compare(query, other, described[ours], described[theirs], ours, theirs)


def _compare(
    query: Query, other: Query, one: Description, two: Description, ours: str, theirs: str
) -> Iterator[Finding]:
    for name in one.params.keys() & two.params.keys():
        if not _are_alike(query, one.params[name], two.params[name]):
            yield Finding.at(
                "params",
                other,
                f"parameter {name} is {one.params[name]} on {ours}, {two.params[name]} on {theirs}",
            )
    if one.columns is None or two.columns is None or query.kind not in _GIVES_COLUMNS:
        return
    names, other_names = ([column.name for column in each.columns or ()] for each in (one, two))
    if query.kind is Kind.VALUE:  # which has no names
        other_names = names if len(names) == len(other_names) else other_names
    if names != other_names:
        yield Finding.at(
            "columns",
            other,
            f"{ours} gives {_listed(names)}; {theirs} gives {_listed(other_names)}",
        )
        return
    for column, twin in zip(one.columns, two.columns, strict=True):
        if not _are_alike(query, column.type, twin.type):
            yield Finding.at(
                "columns",
                other,
                f"{column.name} is {column.type} on {ours}, {twin.type} on {theirs}",
            )
        if {column.is_nullable, twin.is_nullable} == {True, False}:
            may, never = (ours, theirs) if column.is_nullable else (theirs, ours)
            yield Finding.at(
                "columns", other, f"{column.name} may be NULL on {may}, and never is on {never}"
            )


def is_one_file(tried: Description, theirs: Description) -> bool:
    """Whether a half that is ``tried`` on the other engine does what ``theirs`` does there."""
    columns, others = tried.columns, theirs.columns
    if columns is None or others is None or len(columns) != len(others):
        return False
    same = all(one.type[:2] == two.type[:2] for one, two in zip(columns, others, strict=True))
    return same and set(tried.params) == set(theirs.params)


def _are_alike(query: Query, one: Type, two: Type) -> bool:
    if not (one.is_known and two.is_known):
        return True
    # Columns may come as the arrays of one row.
    if one.is_array != two.is_array and query.kind is not Kind.COLUMNS:
        return False
    return one.word == two.word or {one.word, two.word} in _ALIKE


def _listed(names: list[str]) -> str:
    return ", ".join(" ".join(name.split())[:40] for name in names) or "no columns"
