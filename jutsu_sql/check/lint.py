"""What both engines compile and a reader trips over; every message says why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from jutsu_sql.check.findings import Finding
from jutsu_sql.queries import Kind, Query, Token, tokens_of

# Reserved by PostgreSQL (manual, appendix C) and not by SQLite, or the other way round: as a bare
# name such a word is refused, or means something else, on the other engine.
_RESERVED = re.compile(
    r"(?i)ALL|ANALYSE|ANALYZE|AND|ANY|ARRAY|ASYMMETRIC|BETWEEN|BOTH|CASE|CAST|CHECK|COLLATE|COLUMN|CONSTRAINT|CREATE|CURRENT_DATE|CURRENT_ROLE|CURRENT_TIME|CURRENT_TIMESTAMP|CURRENT_USER|DEFAULT|DEFERRABLE|DELETE|DESC|DISTINCT|DO|DROP|ELSE|END|EXCEPT|EXISTS|FALSE|FETCH|FOR|FOREIGN|FROM|GRANT|GROUP|HAVING|IN|INDEX|INITIALLY|INSERT|INTERSECT|INTO|IS|ISNULL|JOIN|LATERAL|LEADING|LIKE|LIMIT|LOCALTIME|LOCALTIMESTAMP|NOT|NOTNULL|NULL|OFFSET|ON|ONLY|OR|ORDER|PLACING|PRIMARY|REFERENCES|RETURNING|SELECT|SESSION_USER|SET|SOME|SYMMETRIC|TABLE|THEN|TO|TRAILING|TRANSACTION|TRUE|UNION|UNIQUE|UPDATE|USER|USING|VALUES|VARIADIC|WHEN|WHERE|WINDOW|WITH"
)
_STATEMENTS = {"SELECT", "VALUES", "TABLE", "WITH", "INSERT", "UPDATE", "DELETE"}
# Both engines compile these, and mean different things.
_NOT_PORTABLE = {
    "RANDOM": "an integer of 64 bits on SQLite, from 0 to 1 on PostgreSQL",
    "LIKE": "ignores the case of ASCII on SQLite, and no case on PostgreSQL: compare lower(...)",
    "CURRENT_TIMESTAMP": "text on SQLite, a time on PostgreSQL: pass the time as a parameter",
    "CURRENT_DATE": "text in UTC on SQLite, a date of the session's zone on PostgreSQL:"
    " pass it as a parameter",
    "CURRENT_TIME": "text on SQLite, a time with a zone on PostgreSQL: pass it as a parameter",
    "OCTET_LENGTH": "SQLite has it from 3.43 on",
    "CONCAT": "SQLite has it from 3.44 on: write ||",
    "CONCAT_WS": "SQLite has it from 3.44 on",
    "STRING_AGG": "SQLite has it from 3.44 on",
    "ROUND": "rounds halves of doubles away from zero on SQLite, to even on PostgreSQL",
}
_DATE = re.compile(r"'\d{4}-\d{2}(?:-\d{2}(?:[T ]\d{2}.*)?)?'")


def lint(query: Query, dialect: str, *, is_shared: bool) -> Iterator[Finding]:
    """That rows have an order; and the rules for a text that engines share."""
    for number, text in enumerate(query.statements):
        tokens = tokens_of(text, dialect)
        for rule in _SHARED_RULES if is_shared else ():
            for token, message in rule(tokens):
                place = query.place(number, token.start)
                yield Finding.at(rule.__name__[1:], query, message, place)
        if query.kind in {Kind.MANY, Kind.COLUMNS} and _lacks_order(tokens):
            yield Finding.at(
                "order",
                query,
                "rows come in any order, and in another one tomorrow: say ORDER BY",
                query.place(number),
            )


_Found = Iterator[tuple[Token, str]]


def _star(tokens: Sequence[Token]) -> _Found:
    for at, token in enumerate(tokens):
        before = tokens[at - 1].text.upper() if at else ""
        in_exists = at >= 3 and tokens[at - 3].text.upper() == "EXISTS"
        if (
            token.text == "*"
            and before in {"SELECT", "DISTINCT", "ALL", ",", "."}
            and not in_exists
        ):
            yield token, "a star gives the columns of whatever the tables are: name them"


def _reserved(tokens: Sequence[Token]) -> _Found:
    for at, token in enumerate(tokens):
        before = tokens[at - 1].text.upper() if at else ""
        word = token.text.upper()
        is_name = before == "." or (before == "AS" and word not in _STATEMENTS)
        if token.kind == "word" and _RESERVED.fullmatch(word) and (is_name or word == "USER"):
            yield token, f"{token.text} is reserved, and means something else elsewhere: quote it"


def _optional(tokens: Sequence[Token]) -> _Found:
    for param, verb, null in zip(tokens, tokens[1:], tokens[2:], strict=False):
        said = [verb.text.upper(), null.text.upper()]
        if param.kind == "param" and said in (["IS", "NULL"], ["IS", "NOT"]):
            yield (
                param,
                f"{param.text} has no type here, which PostgreSQL refuses: cast it",
            )


def _date(tokens: Sequence[Token]) -> _Found:
    for token in tokens:
        if token.kind == "text" and _DATE.fullmatch(token.text):
            yield (
                token,
                f"{token.text} is text on SQLite, and read in the session's zone on PostgreSQL:"
                " make it a parameter",
            )


def _function(tokens: Sequence[Token]) -> _Found:
    for token, behind in zip(tokens, [*tokens[1:], None], strict=True):
        word = token.text.upper()
        called = (behind is not None and behind.text == "(") or "_" in word or word == "LIKE"
        if token.kind == "word" and called and word in _NOT_PORTABLE:
            yield token, f"{token.text} {_NOT_PORTABLE[word]}"


_SHARED_RULES = (_star, _reserved, _optional, _date, _function)


def _lacks_order(tokens: Sequence[Token]) -> bool:
    """Whether a query has no ORDER BY of its own; one inside counts for an aggregate of arrays."""
    if tokens[0].text.upper() not in {"SELECT", "WITH", "VALUES", "TABLE"}:
        return False
    depth, aggregates, inner, outer = 0, False, False, False
    for token, behind in pairwise(tokens):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        aggregates |= depth == 0 and token.text.upper() == "ARRAY_AGG"
        if token.text.upper() == "ORDER" and behind.text.upper() == "BY":
            inner, outer = True, outer or depth == 0
    return not (inner if aggregates else outer)
