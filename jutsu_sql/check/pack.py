"""The queries of a directory as a check sees them: each name with its text for each engine."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from jutsu_sql.dialects.base import BLANK
from jutsu_sql.errors import QueryError, QuerySyntaxError
from jutsu_sql.queries import Note, Query, parse_arguments, parse_each


@dataclass(frozen=True, slots=True)
class Entry:
    """One name: its query for each dialect that has it."""

    name: str
    halves: dict[str, Query] = field(default_factory=dict)

    @property
    def is_shared(self) -> bool:
        """Whether one text serves several engines."""
        return len(self.halves) > 1 and len(self.texts()) == 1

    @property
    def topic(self) -> str:
        return self.name.rpartition(".")[0]

    def texts(self) -> list[Query]:
        """The query of each file, once."""
        return list({query.path: query for query in self.halves.values()}.values())


class HeaderError(QueryError):
    """A line of a header that cannot be taken as it is."""

    def __init__(self, message: str, query: Query, line: int) -> None:
        super().__init__(message, query_name=query.name)
        self.query = query
        self.line = line


class Pack:
    """All queries of some directories, with the faults of those that cannot be read."""

    def __init__(self, directories: Sequence[Path], dialects: Sequence[str]) -> None:
        self.dialects = tuple(dialects)
        self.entries: dict[str, Entry] = {}
        self.faults: list[QuerySyntaxError] = []
        for directory in directories:
            if not directory.is_dir():
                raise QueryError(f"{directory} is not a directory of queries")
            for dialect, each in parse_each(directory):
                if isinstance(each, QuerySyntaxError):
                    self.faults.append(each)
                elif dialect in dialects:
                    entry = self.entries.setdefault(each.name, Entry(each.name))
                    entry.halves[dialect] = each

    def is_one_sided(self, entry: Entry) -> bool:
        """Whether a topic is there for one engine only, so that no half of it is missing."""
        topic = [each for each in self.entries.values() if each.topic == entry.topic]
        return len({dialect for each in topic for dialect in each.halves}) == 1

    def touched_by(self, paths: Collection[Path]) -> set[str] | None:
        """The queries in some files, and those that come after them; None if it may be any."""
        changed = {path.resolve() for path in paths}
        names = set()
        for entry in self.entries.values():
            files = {query.path.resolve() for query in entry.texts()}
            if files & changed:
                names.add(entry.name)
                changed -= files
        if changed or self.faults:
            return None  # the schema, or a half that is gone
        touched = set(names)
        for entry in self.entries.values():
            notes = [note for query in entry.texts() for note in query.notes_on("after")]
            if any(re.search(rf"\b{re.escape(name)}\b", n.value) for n in notes for name in names):
                touched.add(entry.name)
        return touched

    def before(self, query: Query, dialect: str) -> list[Query]:
        """What must run before a query is compiled, by its lines ``-- after: NAME, NAME``.

        Raises:
            HeaderError: there is no such query, it takes parameters, or they wait for each other.
        """
        ordered = {each.name: each for each in self._before(query, dialect, (query.name,))}
        return [filled(each) for each in ordered.values()]

    def _before(self, query: Query, dialect: str, above: tuple[str, ...]) -> Iterator[Query]:
        for note in query.notes_on("after"):
            for name in (part.strip() for part in note.value.split(",")):
                first = self.entries.get(name, Entry(name)).halves.get(dialect)
                if first is None:
                    raise HeaderError(f"there is no query {name!r} to run before", query, note.line)
                if first.params:
                    raise HeaderError(f"{name} takes parameters", query, note.line)
                if name in above:
                    raise HeaderError(f"{name} comes after itself", query, note.line)
                yield from self._before(first, dialect, (*above, name))
                yield first


def arguments(query: Query, note: Note) -> dict[str, object]:
    """The ``name=value`` pairs of a header line.

    Raises:
        HeaderError: it is not of that form.
    """
    try:
        return parse_arguments(note.value)
    except ValueError as error:
        raise HeaderError(str(error), query, note.line) from error


def _blanks(query: Query) -> dict[str, str]:
    """What stands in the blanks ``{name}`` of a template, by its lines ``-- fill:``."""
    pairs = [pair for note in query.notes_on("fill") for pair in arguments(query, note).items()]
    return {name: str(value) for name, value in pairs}


def filled(query: Query, **given: str) -> Query:
    """A template as the statement that its header, or what is ``given``, makes of it; any other
    query as it is."""
    blanks = given or _blanks(query)
    if not blanks:
        return query

    def fill(text: str) -> str:
        return BLANK.sub(lambda blank: blanks.get(blank[1], blank[0]), text)

    statements, pieces = tuple(map(fill, query.statements)), tuple(map(fill, query._pieces))
    return replace(query, statements=statements, _pieces=pieces)


def unfilled(query: Query, statement: int, offset: int) -> int:
    """Where in a template a character of the filled statement comes from."""
    blanks, grown = _blanks(query), 0
    for blank in BLANK.finditer(query.statements[statement]):
        value = blanks.get(blank[1], blank[0])
        start = blank.start() + grown
        if offset < start:
            break
        if offset < start + len(value):
            return blank.start()
        grown += len(value) - len(blank[0])
    return offset - grown
