"""A check from its first file to its last finding."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence

from jutsu_sql.check.compare import check_halves, check_kind, check_times, is_one_file
from jutsu_sql.check.findings import Finding, excuse
from jutsu_sql.check.lint import lint
from jutsu_sql.check.pack import Entry, HeaderError, Pack, filled, unfilled
from jutsu_sql.check.plans import check_plan
from jutsu_sql.check.rows import check_rows
from jutsu_sql.dialects.checker import Checker, Description, RefusedError
from jutsu_sql.errors import QuerySyntaxError
from jutsu_sql.queries import Kind, Query


def check(
    pack: Pack, checkers: Mapping[str, Checker], names: Collection[str] | None = None
) -> list[Finding]:
    """What is wrong with the queries of a pack, or with those of some ``names``, by place.

    ``checkers`` has one for each dialect of the pack, see :func:`open_scratch`.
    """
    findings = [
        Finding(
            fault.path, fault.line, fault.column, "syntax", _bare(fault), fault.query_name or ""
        )
        for fault in pack.faults
    ]
    for entry in pack.entries.values():
        if names is None or entry.name in names:
            found = _check_entry(pack, entry, checkers)
            findings += excuse(entry.texts(), found, find_idle=len(pack.dialects) > 1)
    return sorted(set(findings))


def _bare(fault: QuerySyntaxError) -> str:
    place = f"{fault.path}:{fault.line}:{fault.column}: "
    return str(fault).removeprefix(place)


def _check_entry(pack: Pack, entry: Entry, checkers: Mapping[str, Checker]) -> Iterator[Finding]:
    for dialect, query in entry.halves.items():
        yield from lint(query, dialect, is_shared=entry.is_shared)
    yield from _check_presence(pack, entry)
    try:
        before = {d: pack.before(query, d) for d, query in entry.halves.items()}
        described = yield from _describe(entry, before, checkers)
        compared = list(_compare(pack, entry, described))
        yield from compared
        yield from _check_plans(entry, before, described, checkers)
        if len(described) == len(entry.halves):
            yield from _check_pair(entry, described, checkers)
            if not compared:  # or rows would only say it again
                yield from check_rows(entry, before, checkers)
    except HeaderError as error:
        yield Finding.at("header", error.query, str(error), (error.line, 1))


def _check_presence(pack: Pack, entry: Entry) -> Iterator[Finding]:
    missing = [dialect for dialect in pack.dialects if dialect not in entry.halves]
    if missing and not pack.is_one_sided(entry):
        for query in entry.texts():
            said = f"there is no {query.path.stem.split('.')[0]}.{missing[0]}.sql beside it"
            yield Finding.at("half", query, said, (query.line, 1))


def _describe(
    entry: Entry, before: Mapping[str, Sequence[Query]], checkers: Mapping[str, Checker]
) -> Generator[Finding, None, dict[str, Description]]:
    described: dict[str, Description] = {}
    for dialect, query in entry.halves.items():
        try:
            described[dialect] = checkers[dialect].describe(filled(query), before[dialect])
        except RefusedError as error:
            yield _refused(query, dialect, error)
        else:
            if unproven := described[dialect].unproven:
                yield Finding.at("unproven", query, f"{dialect}: {unproven}")
    return described


def _refused(query: Query, dialect: str, error: RefusedError) -> Finding:
    """Where it is written: in the query, or in one that comes before it."""
    if error.query.name == query.name:
        place = query.place(error.statement, unfilled(query, error.statement, error.offset))
    else:
        query, place = error.query, error.query.place(error.statement, error.offset)
    return Finding.at("compile", query, f"{dialect}: {error}", place)


def _compare(pack: Pack, entry: Entry, described: Mapping[str, Description]) -> Iterator[Finding]:
    yield from check_halves(entry, described, pack.dialects)
    for dialect, description in described.items():
        yield from check_kind(entry.halves[dialect], description)
        is_alone = len(entry.halves) == 1
        yield from check_times(entry.halves[dialect], description, is_alone=is_alone)


def _check_plans(
    entry: Entry,
    before: Mapping[str, Sequence[Query]],
    described: Mapping[str, Description],
    checkers: Mapping[str, Checker],
) -> Iterator[Finding]:
    for dialect in described:
        query = entry.halves[dialect]
        if query.kind is not Kind.SCRIPT:
            try:
                plan = checkers[dialect].plan(filled(query), before[dialect])
                yield from check_plan(query, plan, dialect)
            except RefusedError as error:
                yield _refused(query, dialect, error)


def _check_pair(
    entry: Entry, described: Mapping[str, Description], checkers: Mapping[str, Checker]
) -> Iterator[Finding]:
    """Try each half of a pair on the other engine."""
    if entry.is_shared or len(described) == 1:
        return
    for dialect, query in entry.halves.items():
        for other, checker in checkers.items():
            if other == dialect or query.kind != entry.halves[other].kind:
                continue
            try:
                tried = checker.describe(filled(query), ())
            except RefusedError:
                continue
            if is_one_file(tried, described[other]):
                said = "this text serves both engines: one file would do"
                yield Finding.at("pair", query, said)
                return
