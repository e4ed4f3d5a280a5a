"""What a check finds, and what a query may be excused from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jutsu_sql.queries import Query

RULES = {
    "syntax": "a file cannot be understood",
    "compile": "an engine refuses the statement",
    "header": "a line of the header says nothing that can be checked",
    "kind": "the kind does not fit the result",
    "params": "the engines, or a header and its text, take different parameters",
    "columns": "the engines give different columns",
    "times": "a time on one engine is a number on the other",
    "half": "only one engine has the query",
    "pair": "two files where one would do",
    "plan": "no index can serve what the header promises",
    "rows": "the engines, or two time zones, give different rows",
    "example": "a reading query has no example to compare rows with",
    "unproven": "an engine could not compile the statement without running it",
    "star": "a star for columns in a shared query",
    "order": "many rows in no order",
    "reserved": "a reserved word as a name",
    "optional": "an optional filter without a type",
    "cast": "a comparison converts an indexed column",
    "date": "a date in a literal",
    "function": "a function that means something else on each engine",
    "types": "a file has changed since the types were written",
    "allow": "an allowance that allows nothing",
}
# What is told, but fails no check.
NOTES = frozenset({"example", "unproven"})


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing wrong, at a place from 1; as text it is ``path:line:column: message [rule]``."""

    path: str
    line: int
    column: int
    rule: str
    message: str
    query: str

    @classmethod
    def at(
        cls, rule: str, query: Query, message: str, place: tuple[int, int] | None = None
    ) -> Finding:
        """At a place in the query's file; without one at the start of its statement."""
        return cls(str(query.path), *(place or query.places[0]), rule, message, query.name)

    @property
    def is_note(self) -> bool:
        return self.rule in NOTES

    def __str__(self) -> str:
        kind = "note: " if self.is_note else ""
        return f"{self.path}:{self.line}:{self.column}: {kind}{self.message} [{self.rule}]"


def excuse(
    texts: Sequence[Query], findings: Iterable[Finding], *, find_idle: bool
) -> Iterator[Finding]:
    """The findings that no ``-- allow: RULE because REASON`` excuses.

    With ``find_idle`` an allowance that excuses nothing is a finding too, but for that of ``rows``:
    what differs by chance is also the same by chance.
    """
    allowed: dict[str, list[Finding]] = {}
    for query in texts:
        for note in query.notes_on("allow"):
            rule, _, reason = note.value.partition(" because ")
            place = (note.line, 1)
            if rule not in RULES:
                known = ", ".join(sorted(RULES))
                yield Finding.at("allow", query, f"{rule!r} is no rule: {known}", place)
            elif not reason.strip():
                wanted = f"say why: -- allow: {rule} because ..."
                yield Finding.at("allow", query, wanted, place)
            else:
                idle = f"there is nothing to allow: no {rule} is found"
                allowed.setdefault(rule, []).append(Finding.at("allow", query, idle, place))
    used = {"rows"}
    for finding in findings:
        if finding.rule in allowed:
            used.add(finding.rule)
        else:
            yield finding
    for rule in allowed.keys() - used if find_idle else ():
        yield from allowed[rule]
