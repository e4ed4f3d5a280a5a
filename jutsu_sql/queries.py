"""Named SQL statements, read from ``.sql`` files and rewritten for each engine.

A file is one query whose header says its kind, or many in ``-- name:`` blocks (sqlc, aiosql).
Parameters are ``:name``. What is one, and what only looks like one, the engine's lexical rules
decide (PostgreSQL: manual, 4.1, and scan.l; SQLite: tokenize.c), so that a statement means here
what it means in the engine's own shell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

from jutsu_sql.config import DIALECTS
from jutsu_sql.errors import (
    QueryError,
    QueryNotFoundError,
    QueryParameterError,
    QuerySyntaxError,
)

__all__ = [
    "Kind",
    "Note",
    "Queries",
    "Query",
    "Token",
    "parse_each",
    "parse_value",
    "tokens_of",
]


class Kind(StrEnum):
    """What a query gives back."""

    ONE = "one"
    MANY = "many"
    VALUE = "value"
    EXEC = "exec"
    COLUMNS = "columns"
    SCRIPT = "script"


class Note(NamedTuple):
    """A line of a header that makes a promise or an exception: see :mod:`jutsu_sql.check`."""

    key: str
    value: str
    line: int


@dataclass(frozen=True, slots=True)
class Query:
    """One named statement, or one script, for one engine.

    ``params`` are distinct, in order of first appearance. ``timestamps`` names the parameters and
    the result columns that are instants. ``writes`` is False only for what surely does not write.
    ``statements`` are a script's; any other kind has exactly one, without header and closing
    semicolon, and ``places`` are their lines and columns in the file. ``dialect`` is None where one
    text serves every engine; ``line`` (from 1) is where the query starts in its file.
    """

    name: str
    kind: Kind
    summary: str
    path: Path
    line: int
    dialect: str | None
    params: tuple[str, ...]
    timestamps: frozenset[str]
    notes: tuple[Note, ...]
    writes: bool
    statements: tuple[str, ...]
    places: tuple[tuple[int, int], ...]
    # The text around the parameters, always one piece more than there are occurrences of them, and
    # where in the statement each of these starts and ends.
    _pieces: tuple[str, ...] = field(repr=False)
    _occurrences: tuple[str, ...] = field(repr=False)
    _spans: tuple[tuple[int, int], ...] = field(repr=False)

    @property
    def plans(self) -> tuple[str, ...]:
        """What the header promises of the plan."""
        return tuple(note.value for note in self.notes_on("plan"))

    def notes_on(self, key: str) -> list[Note]:
        """The lines of the header with one key."""
        return [note for note in self.notes if note.key == key]

    def render(self, style: str) -> tuple[str, tuple[str, ...]]:
        """The text with placeholders, and the parameter name of each value to bind, in order.

        ``"numbered"`` writes ``$1``, one number for each distinct name, and leaves a literal ``%``
        alone (PostgreSQL, a raw cursor); ``"qmark"`` writes one ``?`` for each occurrence (SQLite).
        """
        marks = self._marks(style)
        bound = self.params if style == "numbered" else self._occurrences
        first, *rest = self._pieces
        pairs = zip(self._occurrences, rest, strict=True)
        return first + "".join(marks[name] + piece for name, piece in pairs), bound

    def _marks(self, style: str) -> dict[str, str]:
        if style == "numbered":
            return {name: f"${number}" for number, name in enumerate(self.params, 1)}
        if style == "qmark":
            return dict.fromkeys(self.params, "?")
        raise ValueError(f'style is "numbered" or "qmark", not {style!r}')

    def unrendered(self, offset: int, style: str) -> int:
        """Where in the statement as written a character of :meth:`render`'s text comes from."""
        marks, written = self._marks(style), 0
        for piece, name, span in zip(self._pieces, self._occurrences, self._spans, strict=False):
            if offset < len(piece):
                return min(written + offset, span[0])
            offset -= len(piece)
            if offset < len(marks[name]):
                return span[0]
            offset, written = offset - len(marks[name]), span[1]
        return written + offset

    def place(self, statement: int = 0, offset: int = 0) -> tuple[int, int]:
        """Line and column in the file, from 1, of a character of one of the statements."""
        line, column = self.places[statement]
        *before, last = self.statements[statement][:offset].split("\n")
        return (line + len(before), len(last) + 1) if before else (line, column + len(last))

    def casts(self, dialect: str) -> dict[str, str]:
        """The types that parameters are cast to, as they are written first: ``int``, ``int[]``."""
        tokens = tokens_of(self.statements[0], dialect)
        types: dict[str, str] = {}
        for at, token in enumerate(tokens):
            if token.kind != "param":
                continue
            before, behind = (tokens[max(at - 2, 0) : at], tokens[at + 1 : at + 4])
            is_cast = [t.text.upper() for t in (*before[:1], *behind[:1])] == ["CAST", "AS"]
            if behind and (is_cast or behind[0].kind == "cast"):
                array = "[]" if len(behind) > 2 and behind[2].text.startswith("[") else ""
                types.setdefault(token.text[1:], f"{behind[1].text}{array}")
        return types

    def inside(self, text: str) -> Query:
        """The statement in another that gives many rows: ``EXPLAIN {statement}``."""
        before, after = text.split("{statement}")
        first, *rest = self._pieces
        *most, last = [before + first, *rest]
        statement = f"{before}{self.statements[0]}{after}"
        return replace(self, kind=Kind.MANY, statements=(statement,), _pieces=(*most, last + after))

    def explain_params(self, given: Iterable[str]) -> QueryParameterError:
        """The error for a call with the wrong names: what is missing, unknown, and was meant."""
        names = tuple(given)
        faults = [f"missing parameter {name!r}" for name in self.params if name not in names]
        faults += [
            f"unknown parameter {name!r}{_suggest(name, self.params)}"
            for name in names
            if name not in self.params
        ]
        takes = f"it takes {', '.join(self.params)}" if self.params else "it takes no parameters"
        return QueryParameterError(
            f"{self.name}: {'; '.join([*faults, takes])}", query_name=self.name
        )


class Queries(Mapping[str, Query]):
    """Every query of some directories, by name, for one dialect."""

    def __init__(
        self, queries: Mapping[str, Query], dialect: str, elsewhere: Mapping[str, str]
    ) -> None:
        self._queries = dict(queries)
        self._elsewhere = dict(elsewhere)
        self.dialect = dialect

    @classmethod
    def load(
        cls,
        *directories: Path,
        dialect: str,
        dialects: Sequence[str] = DIALECTS,
    ) -> Queries:
        """Read every ``.sql`` file below ``directories``; the path gives the name.

        ``x.sql`` serves all ``dialects`` and must read the same on each of them; ``x.sqlite.sql``
        serves one. Raises ``QuerySyntaxError`` for a text, and for a name with two of them.
        """
        if unknown := {dialect, *dialects} - _TOKENS.keys():
            raise ValueError(f"no such dialect: {', '.join(sorted(unknown))}")
        queries: dict[str, Query] = {}
        elsewhere: dict[str, str] = {}
        seen: dict[str, list[_Source]] = {}
        for directory in directories:
            if not directory.is_dir():
                raise QueryError(f"{directory} is not a directory of queries")
            for path in sorted(directory.rglob("*.sql")):
                for source in _read(path, directory, dialects):
                    _refuse_clash(source, seen.setdefault(source.name, []))
                    if source.dialect is not None and source.dialect != dialect:
                        elsewhere[source.name] = source.dialect
                    else:
                        queries[source.name] = _parse(source, dialect, tuple(dialects))
        return cls(queries, dialect, {k: v for k, v in elsewhere.items() if k not in queries})

    def __getitem__(self, name: str) -> Query:
        try:
            return self._queries[name]
        except KeyError:
            pass
        if name in self._elsewhere:
            hint = f": it exists only for {self._elsewhere[name]}"
        else:
            hint = _suggest(name, self)
        raise QueryNotFoundError(f"no query {name!r} for {self.dialect}{hint}", query_name=name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._queries)

    def __len__(self) -> int:
        return len(self._queries)

    # Mapping builds these two on KeyError, which QueryNotFoundError is not.
    def __contains__(self, name: object) -> bool:
        return name in self._queries

    def get(self, name: str, default: Any = None) -> Any:
        return self._queries.get(name, default)


class LiveQueries(Queries):
    """Queries of files that are looked at again at every lookup, for development.

    When a file has changed, all are read again; while one cannot be understood, every lookup says
    so. A query that has not changed stays the same object.
    """

    def __init__(self, fixed: Path, own: Sequence[Path], *, dialect: str) -> None:
        super().__init__({}, dialect, {})
        self._fixed = fixed
        self._own = own
        self._seen: list[tuple[Path, int]] | None = None
        self._refresh()

    def _refresh(self) -> None:
        found = [path for each in self._own for path in each.rglob("*.sql")]
        seen = sorted((path, path.stat().st_mtime_ns) for path in found)
        if seen != self._seen:
            loaded = Queries.load(self._fixed, *self._own, dialect=self.dialect)
            self._queries, self._elsewhere, self._seen = loaded._queries, loaded._elsewhere, seen

    def __getitem__(self, name: str) -> Query:
        self._refresh()
        return super().__getitem__(name)

    def __iter__(self) -> Iterator[str]:
        self._refresh()
        return super().__iter__()


def parse_each(
    directory: Path, dialects: Sequence[str] = DIALECTS
) -> Iterator[tuple[str, Query | QuerySyntaxError]]:
    """Every query of a directory for every dialect that it serves, or what is wrong with it.

    :meth:`Queries.load` stops at the first fault; whoever reports faults wants all of them.
    """
    seen: dict[str, list[_Source]] = {}
    for path in sorted(directory.rglob("*.sql")):
        try:
            sources = list(_read(path, directory, dialects))
        except QuerySyntaxError as fault:
            yield "", fault
            continue
        for source in sources:
            try:
                _refuse_clash(source, seen.setdefault(source.name, []))
                for dialect in (source.dialect,) if source.dialect else dialects:
                    yield dialect, _parse(source, dialect, tuple(dialects))
            except QuerySyntaxError as fault:
                yield "", fault


def read_script(path: Path, dialect: str) -> Query:
    """A file of plain SQL for one engine, such as a migration, as a script without a name."""
    text = path.read_text("utf-8-sig")
    source = _Source(path.stem, dialect, path, 1, text, style="plain", kind=Kind.SCRIPT)
    return _parse(source, dialect, (dialect,))


_ARGUMENT = re.compile(
    r"""\s*(\w+)\s*=\s*("(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^,\["][^,]*)\s*(?:,|\Z)""", re.DOTALL
)


def parse_arguments(text: str) -> dict[str, Any]:
    """``name=value, name=value`` of a header line, each value as :func:`parse_value` reads it.

    Raises:
        ValueError: it is not of that form, or a name stands twice.
    """
    arguments: dict[str, Any] = {}
    position = 0
    while position < len(text):
        found = _ARGUMENT.match(text, position)
        if found is None or found[1] in arguments:
            raise ValueError(f"not of the form name=value, name=value: {text[position:].strip()}")
        arguments[found[1]] = parse_value(found[2].strip())
        position = found.end()
    return arguments


def parse_value(text: str) -> Any:
    """A parameter's value, as people write it on a command line or behind ``-- example:``.

    A number, null, true, false, a [list] or "text" in JSON is that; an ISO 8601 date or time is
    one; anything else is text, and so is 0005: JSON has no leading zeros, and no NaN.
    """
    with suppress(ValueError, RecursionError):
        value = json.loads(text, parse_constant=_refuse)
        return text if isinstance(value, dict) else value
    with suppress(ValueError):
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return date.fromisoformat(text)
        if re.match(r"\d{4}-\d{2}-\d{2}[T ]", text):
            return datetime.fromisoformat(text)
    return text


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


# --- files ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Source:
    """The text of one query, with its place. ``text`` starts at the beginning of line ``line``."""

    name: str
    dialect: str | None
    path: Path
    line: int
    text: str
    style: Literal["own", "aiosql", "sqlc", "plain"] = "own"
    kind: Kind | None = None
    declared: frozenset[str] | None = None
    header: int = 0

    def place(self, position: int) -> tuple[int, int]:
        """Line and column in the file, from 1."""
        line = self.line + self.text.count("\n", 0, position)
        return line, position - self.text.rfind("\n", 0, position)

    def fault(self, position: int, message: str) -> QuerySyntaxError:
        line, column = self.place(position)
        return QuerySyntaxError(
            message, path=str(self.path), line=line, column=column, query_name=self.name
        )


_SQLC_KINDS = {
    **dict.fromkeys(("one", "batchone"), Kind.ONE),
    **dict.fromkeys(("many", "batchmany"), Kind.MANY),
    **dict.fromkeys(("exec", "execrows", "execresult", "execlastid"), Kind.EXEC),
    **dict.fromkeys(("copyfrom", "batchexec"), Kind.EXEC),
}
_AIOSQL_KINDS = {
    "": Kind.MANY,
    "^": Kind.ONE,
    "$": Kind.VALUE,
    "#": Kind.SCRIPT,
    "<!": Kind.ONE,
    **dict.fromkeys(("!", "*!"), Kind.EXEC),
}
_SQLC_BLOCK = re.compile(r"([^\W\d]\w*)\s+:(\w+)")
_AIOSQL_BLOCK = re.compile(r"([^\W\d][\w-]*)(?:\(([\w\s,]*)\))?([\^$!#]|[<*]!|)")
# Anything may stand before the first block, so this is no scan of SQL: it only steps over what can
# hold a marker that is none.
_MARKER = re.compile(
    r"""  ^[ \t]*--[ \t]*name[ \t]*:(?P<dashes>[^\n]*)\n?
        | ^[ \t]*/\*[ \t]*name[ \t]*:(?P<stars>[^\n]*?)\*/
        | '[^'\n]*' | "[^"\n]*" | --[^\n]* | /\*(?s:.*?)\*/
    """,
    re.MULTILINE | re.VERBOSE,
)


def _read(path: Path, directory: Path, dialects: Sequence[str]) -> Iterator[_Source]:
    """The queries of one file, still unread but for their names."""
    *topics, file_name = path.relative_to(directory).parts
    stem, *suffix = file_name.removesuffix(".sql").split(".", 1)
    dialect = suffix[0] if suffix else None
    name = ".".join([*topics, stem]).replace("-", "_")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = 1 + exc.object.count(b"\n", 0, exc.start)
        raise QuerySyntaxError("not UTF-8", path=str(path), line=line, column=1) from exc
    whole = _Source(name, dialect, path, 1, text)
    if dialect is not None and dialect not in dialects:
        raise whole.fault(0, f"{dialect!r} is no dialect: {', '.join(dialects)}")
    marks = [mark for mark in _MARKER.finditer(text) if mark.lastgroup]
    if not marks:
        yield whole
        return
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    for mark, end in zip(marks, ends, strict=True):
        yield _read_block(whole, mark, end)


def _read_block(whole: _Source, mark: re.Match[str], end: int) -> _Source:
    start, spec = mark.start(), (mark["dashes"] or mark["stars"] or "").strip()
    block = _Source(
        whole.name,
        whole.dialect,
        whole.path,
        line=1 + whole.text.count("\n", 0, start),
        text=whole.text[start:end],
        header=mark.end() - start,
    )
    if sqlc := _SQLC_BLOCK.fullmatch(spec):
        name, command = sqlc.groups()
        if command not in _SQLC_KINDS:
            hint = _suggest(command, _SQLC_KINDS)
            raise block.fault(0, f"sqlc has no command ':{command}'{hint}")
        block = replace(block, style="sqlc", kind=_SQLC_KINDS[command])
    elif aiosql := _AIOSQL_BLOCK.fullmatch(spec):
        name, params, operator = aiosql.groups()
        declared = None if params is None else frozenset(re.findall(r"\w+", params))
        block = replace(block, style="aiosql", kind=_AIOSQL_KINDS[operator], declared=declared)
    else:
        wanted = "'name: GetUser :one' or 'name: get-user(id)^'"
        raise block.fault(0, f"a block is {wanted}, not {spec!r}")
    return replace(block, name=f"{whole.name}.{name.replace('-', '_')}")


def _refuse_clash(source: _Source, earlier: list[_Source]) -> None:
    """Two texts may share a name only as the halves of one pair, side by side."""
    for other in earlier:
        halves = None not in (source.dialect, other.dialect) and source.dialect != other.dialect
        if not halves or source.path.parent != other.path.parent:
            raise source.fault(
                0,
                f"{source.name} is at {other.path}:{other.line} as well: "
                "keep one text for all engines, or one for each",
            )
    earlier.append(source)


# --- tokens ---------------------------------------------------------------------------------------

# To both engines every character outside ASCII is a letter. Said as what a letter is not, because
# re takes milliseconds to compile a range up to the last character. Reading a file leaves no \r.
# Signs are not taken possessively: up to Python 3.11.2 a look ahead that fails there is swallowed.
_LETTER = r"[^\x00-@\[-^`{-\x7f]"
_LETTER_DIGIT = r"[^\x00-/:-@\[-^`{-\x7f]"
_NAME_PART = r"[^\x00-#%-/:-@\[-^`{-\x7f]"
_ESCAPED = r"'[^'\\]*+(?:(?:''|\\.)[^'\\]*+)*+'"
_SHARED_TOKENS = r"""
      (?P<space>    [ \t\n\f\v]++ | --[^\n]*+ )
    | (?P<quoted>   "[^"]*+(?:""[^"]*+)*+" )
    | (?P<text>     '[^']*+(?:''[^']*+)*+' )
    | (?P<cast>     :: )
"""
_SHARED_TAIL = rf"""
    | (?P<word>     {_LETTER}{_NAME_PART}*+ )
    | (?P<number>   [0-9]++ )
    | (?P<other>    . )
"""
_TOKENS = {
    # A backslash counts in every part of an E'' string that goes on behind a line break.
    "postgresql": re.compile(
        rf"""
        {_SHARED_TOKENS}
        | (?P<nesting>  /\* )
        | (?P<escaped>  [eE]{_ESCAPED}
                        (?:(?:[ \t\f\v]|--[^\n]*+)*+\n(?:[ \t\n\f\v]|--[^\n]*+\n)*+{_ESCAPED})*+ )
        | (?P<dollars>  \$(?P<tag>(?:{_LETTER}{_LETTER_DIGIT}*+)?)\$.*?\$(?P=tag)\$ )
        | (?P<unclosed> [eE]?' | " | \$(?:{_LETTER}{_LETTER_DIGIT}*+)?\$ )
        | (?P<native>   \$[0-9]++ )
        | (?P<param>    :{_LETTER}{_NAME_PART}*+ )
        | (?P<sign>     (?:(?!--|/\*)[~!@\#^&|`?+\-*/%<>=])+ )
        {_SHARED_TAIL}
        """,
        re.DOTALL | re.VERBOSE,
    ),
    "sqlite": re.compile(
        rf"""
        {_SHARED_TOKENS}
        | (?P<skipped>  /\*(?:.*?\*/|.++) )
        | (?P<backtick> `[^`]*+(?:``[^`]*+)*+` )
        | (?P<bracket>  \[[^\]]*+\] )
        | (?P<unclosed> ['"`\[] )
        | (?P<native>   \?[0-9]*+ | [$@]{_NAME_PART}++ )
        | (?P<param>    :{_NAME_PART}++ )
        {_SHARED_TAIL}
        """,
        re.DOTALL | re.VERBOSE,
    ),
}

_COMMENT_EDGE = re.compile(r"/\*|\*/")
_OPERANDS = {"quoted", "text", "escaped", "dollars", "word", "number", "native", "param"}
# Reserved words that want an operand behind them, so that a colon there starts a parameter.
_EXPECTANT = re.compile(r"(?i)AND|BETWEEN|CASE|ELSE|FROM|I?LIKE|IN|NOT|OR|THEN|TO|WHEN")


class Token(NamedTuple):
    """A word, sign, text or parameter of a statement, as its engine reads it."""

    kind: str
    text: str
    start: int
    end: int


@lru_cache(maxsize=1024)  # a check looks at each text many times
@lru_cache(maxsize=256)  # a check looks at each text several times
def tokens_of(text: str, dialect: str) -> tuple[Token, ...]:
    """The tokens of a statement that could be parsed, without spaces and comments."""
    return tuple(_scan(_Source("", dialect, Path(), 1, text), 0, dialect))


def _scan(source: _Source, position: int, dialect: str) -> list[Token]:
    """The tokens from ``position`` on, without spaces and comments."""
    text, match = source.text, _TOKENS[dialect].match
    tokens: list[Token] = []
    enclosing: list[str] = []
    while found := match(text, position):
        kind, start, position = str(found.lastgroup), position, found.end()
        if kind in {"space", "skipped"}:
            continue
        if kind == "nesting":
            position = _end_of_comment(source, start)
            continue
        if kind == "unclosed":
            raise source.fault(start, f"{found[0]} is never closed")
        token = Token(kind, found[0], start, position)
        if kind == "param" and enclosing[-1:] == ["subscript"] and _is_operand(tokens[-1]):
            # x[1:n] is a slice and n a column; x[:n] begins with a parameter.
            position = start + 1
            token = Token("other", ":", start, position)
        elif token.text == "[":
            array = not tokens or not _is_operand(tokens[-1]) or tokens[-1].text.upper() == "ARRAY"
            enclosing.append("array" if array else "subscript")
        elif token.text == "(":
            enclosing.append("parentheses")
        elif token.text in {")", "]"} and enclosing:
            enclosing.pop()
        tokens.append(token)
    return tokens


def _end_of_comment(source: _Source, start: int) -> int:
    """Where a comment of PostgreSQL ends, which may hold others."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(source.text, start):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    raise source.fault(start, "/* is never closed")


def _is_operand(token: Token) -> bool:
    if token.kind in _OPERANDS:
        return not _EXPECTANT.fullmatch(token.text)
    return token.text in {")", "]"}


class _Statement(NamedTuple):
    start: int
    tokens: list[Token]

    @property
    def words(self) -> list[str]:
        return [token.text.upper() for token in self.tokens if token.kind == "word"]


def _split(start: int, tokens: Iterable[Token]) -> list[_Statement]:
    """The statements, cut at the semicolons that stand in no parentheses and in no body.

    A body is what a trigger of SQLite has between BEGIN and END, or a function of PostgreSQL
    between BEGIN ATOMIC and END: its END follows a semicolon, which that of a CASE never does.
    """
    statements = [_Statement(start, [])]
    depth, body = 0, False
    for token in tokens:
        current = statements[-1].tokens
        before = current[-1].text.upper() if current else ""
        word = token.text.upper()
        if word == ";" and depth == 0 and not body:
            statements.append(_Statement(token.end, []))
            continue
        depth += {"(": 1, ")": -1}.get(word, 0)
        if word == "BEGIN":
            body = {"CREATE", "TRIGGER"} <= {opening.text.upper() for opening in current[:3]}
        elif word == "ATOMIC" and before == "BEGIN":
            body = True
        elif word == "END" and before in {";", "BEGIN", "ATOMIC"}:
            body = False
        current.append(token)
    return [statement for statement in statements if statement.tokens]


# --- meaning --------------------------------------------------------------------------------------

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER_LINE = re.compile(r"[ \t]*(?:--[ \t]*([^\n]*))?(?:\n|\Z)")
_HEADER_KEY = re.compile(r"([A-Za-z_-]+)[ \t]*:(.*)")
_NOTE_KEYS = ("after", "allow", "example", "fill", "plan")
_KEYS = ("kind", "timestamps", *_NOTE_KEYS)
_SQLC_PARAMETER = re.compile(
    r"""  sqlc \s*\.\s* (?P<macro>arg|narg|slice|embed) \s*\(\s*
          (?P<quote>['"]?) (?P<named>[A-Za-z_]\w*) (?P=quote) \s*\)
        | @(?P<at>[A-Za-z_]\w*)
    """,
    re.VERBOSE,
)
_READS = re.compile(r"SELECT|VALUES|TABLE|EXPLAIN|WITH")
# EXPLAIN ANALYZE runs what it explains, and a sequence moves inside a SELECT.
_WRITES = re.compile(r"INSERT|UPDATE|DELETE|MERGE|INTO|CREATE|REFRESH|EXECUTE|NEXTVAL|SETVAL")


@dataclass(frozen=True, slots=True)
class _Header:
    """What the comment lines on top of a query say; ``end`` is where they stop."""

    summary: str
    kind: Kind | None
    notes: tuple[Note, ...]
    timestamps: Mapping[str, int]
    end: int


_HEADLESS = _Header("", Kind.SCRIPT, (), {}, 0)


def _read_header(source: _Source) -> _Header:
    prose, notes, timestamps, kind = [], [], {}, source.kind
    position = source.header
    while position < len(source.text) and (found := _HEADER_LINE.match(source.text, position)):
        position = found.end()
        if found[1] is None:
            continue
        place, said = found.start(1), found[1].strip()
        keyed = _HEADER_KEY.fullmatch(said)
        key, value = (keyed[1], keyed[2].strip()) if keyed else ("", "")
        if key == "kind":
            if value not in set(Kind):
                raise source.fault(place, f"the kind is one of {', '.join(Kind)}, not {value!r}")
            kind = Kind(value)
        elif key in _NOTE_KEYS:
            line = source.line + source.text.count("\n", 0, place)
            notes.append(Note(key, value, line))
        elif key == "timestamps":
            timestamps.update(dict.fromkeys(re.split(r"[\s,]+", value), place))
        elif source.style == "own" and (meant := get_close_matches(key.lower(), _KEYS, 1, 0.75)):
            raise source.fault(place, f"{key!r} is no key of a header: did you mean {meant[0]!r}?")
        elif said:
            prose.append(said)
    return _Header(" ".join(prose), kind, tuple(notes), timestamps, position)


class _Hit(NamedTuple):
    """A parameter (``name``), or what is to be replaced by ``literal``."""

    start: int
    end: int
    name: str
    literal: str = ""


def _find_parameters(source: _Source, statement: _Statement) -> list[_Hit]:
    hits: list[_Hit] = []
    native, numbered = source.style in {"aiosql", "sqlc"}, 0
    for kind, text, start, end in statement.tokens:
        if kind == "param":
            if not _NAME.fullmatch(text, 1):
                rule = "ASCII letters, digits and _, and no digit first"
                raise source.fault(start, f"the name of parameter {text} is not {rule}")
            hits.append(_Hit(start, end, text[1:]))
        elif kind == "native" and native:
            name = text[1:]
            if not name or name.isdigit():
                # SQLite gives a bare ? the number behind the largest one so far.
                number = int(name or numbered + 1)
                name, numbered = f"p{number}", max(number, numbered)
            hits.append(_Hit(start, end, name))
        elif kind == "native" and "ATOMIC" not in statement.words:
            raise source.fault(start, f"{text} is the engine's own parameter: write :name instead")
        elif source.style == "sqlc" and (found := _SQLC_PARAMETER.match(source.text, start)):
            name = found["named"] or found["at"]
            literal = f"{name}.*" if found["macro"] == "embed" else ""
            hits.append(_Hit(start, found.end(), name, literal))
    return hits


class _Reading(NamedTuple):
    """What one engine sees in a text."""

    statements: list[_Statement]
    hits: list[_Hit]

    @classmethod
    def of(cls, source: _Source, start: int, dialect: str) -> _Reading:
        statements = _split(start, _scan(source, start, dialect))
        return cls(statements, [h for s in statements for h in _find_parameters(source, s)])

    @property
    def landmarks(self) -> list[tuple[int, str]]:
        """Every parameter and every end of a statement, in order."""
        ends = [(statement.tokens[-1].end, ";") for statement in self.statements]
        return sorted([(hit.start, hit.name) for hit in self.hits] + ends)


@lru_cache(maxsize=1024)  # a file is read each time, and understood again only if it has changed
def _parse(source: _Source, dialect: str, dialects: tuple[str, ...]) -> Query:
    header = _read_header(source) if source.style != "plain" else _HEADLESS
    if header.kind is None:
        raise source.fault(0, f"the header lacks a line '-- kind: {'|'.join(Kind)}'")
    # A block that a user brings is as portable as it is; a shared text of our own has to be.
    shared = source.dialect is None and source.style == "own"
    engines = dialects if shared else ()
    statements, hits = _read_alike(source, header.end, dialect, engines)
    if not statements:
        raise source.fault(len(source.text), "there is no statement")
    if header.kind is Kind.SCRIPT and hits:
        raise source.fault(hits[0].start, f"a script takes no parameters: {hits[0].name}")
    if header.kind is not Kind.SCRIPT and len(statements) > 1:
        raise source.fault(
            statements[1].tokens[0].start, f"kind {header.kind} is one statement: here is a second"
        )
    occurrences = tuple(hit.name for hit in hits if not hit.literal)
    params = tuple(dict.fromkeys(occurrences))
    if source.declared is not None and source.declared != set(params):
        odd = ", ".join(sorted(source.declared.symmetric_difference(params)))
        raise source.fault(0, f"the declared parameters are not those of the text: {odd}")
    _check_timestamps(source, header, statements, params)
    raw_texts = [source.text[s.start : s.tokens[-1].end] for s in statements]
    texts = tuple(text.strip() for text in raw_texts)
    starts = [
        s.start + len(t) - len(t.lstrip()) for s, t in zip(statements, raw_texts, strict=True)
    ]
    pieces = _cut(source.text, statements, hits) if hits else (";\n".join(texts),)
    return Query(
        name=source.name,
        kind=header.kind,
        summary=header.summary,
        path=source.path,
        line=source.line,
        dialect=source.dialect,
        params=params,
        timestamps=frozenset(header.timestamps),
        notes=header.notes,
        writes=any(_writes(statement.words) for statement in statements),
        statements=texts,
        places=tuple(map(source.place, starts)),
        _pieces=pieces,
        _occurrences=occurrences,
        _spans=tuple((h.start - starts[0], h.end - starts[0]) for h in hits if not h.literal),
    )


def _read_alike(source: _Source, start: int, dialect: str, dialects: Sequence[str]) -> _Reading:
    """What ``dialect`` sees in a text for all ``dialects``, which must see the same in it."""
    readings: dict[str, _Reading] = {}
    faults: dict[str, QuerySyntaxError] = {}
    for each in dict.fromkeys((dialect, *dialects)):
        try:
            readings[each] = _Reading.of(source, start, each)
        except QuerySyntaxError as exc:
            faults[each] = exc
    if not readings:
        raise faults[dialect]
    pair = f"make it a pair, {' and '.join(f'.{each}.sql' for each in dialects)}"
    for each, fault in faults.items():
        place = f"{fault.path}:{fault.line}:{fault.column}: "
        said = str(fault).removeprefix(place)
        raise QuerySyntaxError(
            f"{said} (only to {each}: if it is meant, {pair})",
            path=fault.path,
            line=fault.line,
            column=fault.column,
            query_name=source.name,
        ) from fault
    for each, theirs in readings.items():
        if differing := set(theirs.landmarks) ^ set(readings[dialect].landmarks):
            position, what = min(differing)
            both = f"{dialect} and {each} do not both see {what} here"
            raise source.fault(position, f"{both}: {pair}")
    return readings[dialect]


def _check_timestamps(
    source: _Source, header: _Header, statements: list[_Statement], params: Sequence[str]
) -> None:
    present = {t.text.strip('"`[]') for s in statements for t in s.tokens}.union(params)
    for name, place in header.timestamps.items():
        if name not in present:
            raise source.fault(place, f"the text has no {name!r}{_suggest(name, present)}")


def _writes(words: Sequence[str]) -> bool:
    reads = bool(words) and _READS.fullmatch(words[0])
    return not reads or any(map(_WRITES.fullmatch, words))


def _cut(text: str, statements: list[_Statement], hits: list[_Hit]) -> tuple[str, ...]:
    """The text around the parameters of its one statement."""
    start, tokens = statements[0]
    pieces, position = [""], start
    for hit in hits:
        pieces[-1] += text[position : hit.start]
        position = hit.end
        if hit.literal:
            pieces[-1] += hit.literal
            continue
        # LIMIT:n is two tokens, but LIMIT$1 would be one.
        if re.search(_NAME_PART + r"\Z", pieces[-1]):
            pieces[-1] += " "
        pieces.append("")
    pieces[-1] += text[position : tokens[-1].end]
    pieces[0] = pieces[0].lstrip()
    return tuple(pieces)


def _suggest(name: str, names: Iterable[str]) -> str:
    near = get_close_matches(name, list(names), 3)
    return f" (did you mean {' or '.join(near)}?)" if near else ""
