"""The same rows from every engine, in the same order, whatever the time zone of the session."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jutsu_sql.check.findings import Finding
from jutsu_sql.check.pack import Entry, arguments, filled
from jutsu_sql.dialects.checker import Checker
from jutsu_sql.errors import JutsuSqlError
from jutsu_sql.queries import Note, Query

TIME_ZONES = ("UTC", "America/New_York", "Asia/Kolkata")


def check_rows(
    entry: Entry, before: Mapping[str, Sequence[Query]], checkers: Mapping[str, Checker]
) -> Iterator[Finding]:
    """Run each ``-- example:`` of a reading query everywhere, and compare what comes back."""
    if any(query.writes for query in entry.halves.values()):
        return
    first = next(iter(entry.halves.values()))
    notes = [note for query in entry.texts() for note in query.notes_on("example")]
    if not notes and first.params:
        if len(entry.halves) == 1:
            return  # there is nothing to compare with
        yield Finding.at(
            "example", first, "rows are not compared: give `-- example: name=value, name=value`"
        )
        return
    for note in notes or [Note("example", "", first.places[0][0])]:
        yield from _check_call(entry, note, before, checkers)


def _check_call(
    entry: Entry,
    note: Note,
    before: Mapping[str, Sequence[Query]],
    checkers: Mapping[str, Checker],
) -> Iterator[Finding]:
    owner = next((q for q in entry.texts() if note in q.notes), entry.texts()[0])
    place = (note.line, 1)
    params = arguments(owner, note)
    seen: _Result | None = None
    for dialect, query in entry.halves.items():
        if params.keys() != set(query.params):
            said = str(query.explain_params(params)).removeprefix(f"{query.name}: ")
            yield Finding.at("params", owner, f"the example does not fit: {said}", place)
            return
        try:
            given = checkers[dialect].run(filled(query), before[dialect], params, TIME_ZONES)
        except JutsuSqlError as error:
            yield Finding.at("rows", query, f"the example fails on {dialect}: {error}")
            return
        for where, rows in given.items():
            result = _Result.of(where, rows)
            seen = seen or result
            if difference := seen.difference(result):
                yield Finding.at("rows", owner, difference, place)
                return


class _Result(NamedTuple):
    """What one engine gave, as rows."""

    where: str
    names: list[str]
    rows: list[tuple[Any, ...]]

    @classmethod
    def of(cls, where: str, given: Any) -> _Result:
        if isinstance(given, Mapping):
            columns = [column.tolist() for column in given.values()]
            return cls(where, list(given), list(zip(*columns, strict=True)))
        if isinstance(given, list):
            return cls(where, list(given[0]._fields) if given else [], given)
        if hasattr(given, "_fields"):
            return cls(where, list(given._fields), [given])
        return cls(where, ["value"], [(given,)])

    def difference(self, other: _Result) -> str:
        """Where two results of the same columns differ first, or nothing."""
        if len(self.rows) != len(other.rows):
            return f"{len(self.rows)} rows from {self.where}, {len(other.rows)} from {other.where}"
        for number, (row, twin) in enumerate(zip(self.rows, other.rows, strict=True), 1):
            for name, value, theirs in zip(self.names, row, twin, strict=True):
                if not _is_same(value, theirs):
                    return (
                        f"row {number}: {name} is {value!r} from {self.where},"
                        f" {theirs!r} from {other.where}"
                    )
        return ""


def _is_same(one: Any, two: Any) -> bool:
    """Equal, and of one type; an engine without booleans has 0 and 1, and sums may round."""
    if {type(one), type(two)} == {bool, int}:
        return int(one) == int(two)
    if type(one) is not type(two):
        return False
    if isinstance(one, float):
        return math.isclose(one, two, rel_tol=1e-12) or (math.isnan(one) and math.isnan(two))
    return bool(one == two)
