"""The types of a pack's queries as Python, for editors and type checkers."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import indent

from jutsu_sql.check.pack import Entry, Pack, arguments, filled
from jutsu_sql.dialects.checker import UNKNOWN, Checker, Description, Type
from jutsu_sql.queries import Kind
from jutsu_sql.resources import SQL_DIR

_GIVEN = {
    "int": "int",
    "float": "float",
    "decimal": "Decimal | float",
    "bool": "bool",
    "text": "str",
    "bytes": "bytes",
    "instant": "datetime",
    "timestamp": "datetime",
    "date": "date",
    "uuid": "UUID | str",
}
_TAKEN = {**_GIVEN, "instant": "datetime | date"}
_IMPORTS = {
    "collections.abc": ("Callable", "Sequence"),
    "datetime": ("date", "datetime"),
    "decimal": ("Decimal",),
    "typing": ("Any", "NamedTuple"),
    "uuid": ("UUID",),
    "numpy.typing": ("NDArray",),
    "jutsu_sql": ("Connection", "Database", "topics"),
    "jutsu_sql.queries": ("Queries",),
}
_HEAD = '''\
# Written by `jutsu-sql check --write-types`: do not edit.
# ruff: noqa
# fmt: off
"""Named queries as type checkers and editors see them."""

from __future__ import annotations

'''
_OWN = """\
    def __init__(
        self, run: Callable[..., Any], queries: Queries, prefix: str = ""
    ) -> None: ...
    def __getattr__(self, name: str) -> Any: ...
"""
_TYPED = '''

def typed(db: Database | Connection) -> Topics:
    """``db.q`` with the types of these queries."""
    return cast("Topics", db.q)
'''


def write_types(pack: Pack, checkers: Mapping[str, Checker], path: Path) -> None:
    """Write the types of every query that all engines of the pack have.

    A ``.py`` file has ``typed(db)``, which is ``db.q`` with these types. A ``.pyi`` file is the
    stub of :mod:`jutsu_sql.topics`, for the toolkit's own queries.
    """
    is_stub = path.suffix == ".pyi"
    entries = [
        entry
        for entry in pack.entries.values()
        if len(entry.halves) == len(pack.dialects)
        and not any(query.notes_on("fill") for query in entry.texts())
    ]
    described = {entry.name: _described(pack, entry, checkers) for entry in entries}
    body = "".join(_classes(entries, described, is_stub=is_stub))
    imports = _imports(body if is_stub else body + _TYPED)
    if is_stub:
        text = f"{_HEAD}{imports}{body}"  # where a method needs no body
    else:
        body = body.replace('"""\n', '"""\n        raise NotImplementedError\n')
        hidden = indent(f"{imports}{body}", "    ")
        text = (
            f"{_HEAD}from typing import TYPE_CHECKING, cast\n\nif TYPE_CHECKING:\n{hidden}{_TYPED}"
        )
    path.write_text(text, "utf-8")


def _imports(body: str) -> str:
    lines = []
    for module, names in _IMPORTS.items():
        if used := [name for name in names if re.search(rf"\b{name}\b", body)]:
            lines.append(f"from {module} import {', '.join(used)}\n")
    return "".join(lines)


def _described(pack: Pack, entry: Entry, checkers: Mapping[str, Checker]) -> list[Description]:
    return [
        checkers[dialect].describe(filled(query), pack.before(query, dialect))
        for dialect, query in entry.halves.items()
    ]


def _classes(
    entries: Sequence[Entry], described: Mapping[str, Sequence[Description]], *, is_stub: bool
) -> Iterator[str]:
    """The rows, then every topic behind those below it, then the class of them all."""
    members: dict[str, list[str]] = {"": []}
    for entry in entries:
        row, method = _query(entry, described[entry.name])
        yield row
        members.setdefault(entry.topic, []).append(method)
        topic = entry.topic
        while topic:
            above, _, name = topic.rpartition(".")
            attribute = f"    {name}: {_topic(topic)}\n"
            if attribute not in members.setdefault(above, []):
                members[above].append(attribute)
            topic = above
    for topic in sorted(members, reverse=True):
        is_ours = (SQL_DIR / topic).is_dir()  # and the pack adds to it
        base = f"(topics.{_topic(topic)})" if is_ours and not is_stub else ""
        yield f"\nclass {_topic(topic)}{base}:\n{_OWN if is_stub and not topic else ''}"
        yield "".join(sorted(members[topic]))


def _camel(name: str) -> str:
    return "".join(part.title() for part in re.split(r"[._]", name))


def _topic(name: str) -> str:
    return f"{_camel(name)}Topic" if name else "Topics"


def _query(entry: Entry, described: Sequence[Description]) -> tuple[str, str]:
    """The class of its rows, if it has one, and its method."""
    query = entry.texts()[0]
    row, result = _result(entry, described)
    params = [f"{name}: {_taken(entry, name, described)}" for name in query.params]
    is_alike = all(each.params.keys() == set(query.params) for each in described)
    if not is_alike or any(map(keyword.iskeyword, query.params)):
        params = ["**params: Any"]
    elif params:
        params.insert(0, "*")
    summary = query.summary.replace("\\", "\\\\").replace('"', "'")
    method = f"    def {query.name.rpartition('.')[2]}({', '.join(['self', *params])}) -> {result}:"
    return row, f'{method}\n        """{summary}"""\n'


def _result(entry: Entry, described: Sequence[Description]) -> tuple[str, str]:
    kind = entry.texts()[0].kind
    if kind in {Kind.EXEC, Kind.SCRIPT}:
        return "", "int" if kind is Kind.EXEC else "None"
    if kind is Kind.COLUMNS:
        return "", "dict[str, NDArray[Any]]"
    names, *others = [[c.name for c in each.columns] for each in described if each.columns] or [[]]
    if kind is not Kind.VALUE and any(other != names for other in others):
        return "", "Any"  # which the engines are excused from giving alike
    types = [_given(described, at) for at in range(len(names))]
    if kind is Kind.VALUE:
        return "", types[0] if types and types[0].endswith(
            ("None", "Any")
        ) else f"{types[0]} | None"
    if not all(name.isidentifier() and _is_field(name) for name in names):
        row, name = "", "Any"
    else:
        name = f"{_camel(entry.name)}Row"
        fields = zip(names, types, strict=True)
        row = f"\nclass {name}(NamedTuple):\n" + "".join(f"    {n}: {t}\n" for n, t in fields)
    return row, f"list[{name}]" if kind is Kind.MANY else f"{name} | None"


def _is_field(name: str) -> bool:
    return not (keyword.iskeyword(name) or name.startswith("_"))


def _given(described: Sequence[Description], at: int) -> str:
    columns = [each.columns[at] for each in described if each.columns]
    known = _first_known([column.type for column in columns])
    python = _python(known, _GIVEN)
    is_never_null = any(column.is_nullable is False for column in columns)
    return python if is_never_null or python == "Any" else f"{python} | None"


def _taken(entry: Entry, name: str, described: Sequence[Description]) -> str:
    """A parameter's type; it takes NULL where an example passes it, and in what writes."""
    python = _python(_first_known([each.params.get(name, UNKNOWN) for each in described]), _TAKEN)
    examples = [
        arguments(query, note).get(name, "")
        for query in entry.texts()
        for note in query.notes_on("example")
    ]
    takes_null = None in examples or entry.texts()[0].writes
    return f"{python} | None" if takes_null and python != "Any" else python


def _first_known(types: Sequence[Type]) -> Type:
    return next((type_ for type_ in types if type_.is_known), UNKNOWN)


def _python(type_: Type, words: Mapping[str, str]) -> str:
    python = words.get(type_.word, "Any")
    return f"Sequence[{python}]" if type_.is_array else python
