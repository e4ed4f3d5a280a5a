"""What a dialect tells ``jutsu-sql check`` of a query without running it for anybody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from jutsu_sql.errors import QueryError
from jutsu_sql.queries import Query, Token


class RefusedError(QueryError):
    """The engine cannot compile a statement; ``offset`` is where in it, as it is written."""

    def __init__(self, message: str, query: Query, statement: int, offset: int) -> None:
        super().__init__(message, query_name=query.name)
        self.query = query
        self.statement = statement
        self.offset = offset


class Type(NamedTuple):
    """What values of a column or parameter are: ``int``, ``float``, ``decimal``, ``bool``,
    ``text``, ``bytes``, ``instant``, ``timestamp`` (without a zone), ``date``, or ``any``, which
    is not known. ``declared`` is the engine's own name for it."""

    word: str
    is_array: bool = False
    declared: str = ""

    @property
    def is_known(self) -> bool:
        return self.word != "any"

    def __str__(self) -> str:
        return f"{self.word}[]" if self.is_array else self.word


_QUOTES = "\"`[]'"
UNKNOWN = Type("any")


class ResultColumn(NamedTuple):
    """``is_nullable`` is None where the engine does not say."""

    name: str
    type: Type
    is_nullable: bool | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """What one engine knows of a query.

    ``params`` has those of the query, in its order. ``columns`` is empty for a statement without
    a result, and None where the engine tells only when it runs. ``unproven`` says what the engine
    could not compile without running it, and why.
    """

    params: Mapping[str, Type]
    columns: tuple[ResultColumn, ...] | None
    unproven: str = ""


class Access(NamedTuple):
    """How a plan reaches a table; ``is_by_index`` if it looks values up in an index."""

    table: str
    is_by_index: bool


class Plan(NamedTuple):
    """A plan that any parameters get, with scans discouraged; ``casts`` names the columns that the
    engine converts before it compares them."""

    accesses: tuple[Access, ...]
    casts: tuple[str, ...]
    text: str


def place_of(name: str, tokens: Iterable[Token]) -> int:
    """Where a name that an engine's message has stands in the text; 0 if it does not."""
    wanted = name.rsplit(".", 1)[-1].strip(_QUOTES).lower()
    return next((t.start for t in tokens if t.text.strip(_QUOTES).lower() == wanted), 0)


class Checker(Protocol):
    """One engine's side of a check, on scratch space.

    ``before`` are scripts that must run first. Whatever is run is taken back, but for
    :meth:`apply`.
    """

    def apply(self, script: Query) -> None:
        """Run a script of the schema, for good."""

    def describe(self, query: Query, before: Sequence[Query]) -> Description:
        """Compile a query.

        Raises:
            RefusedError: the engine cannot.
        """

    def plan(self, query: Query, before: Sequence[Query]) -> Plan | None:
        """How the engine would run a query that :meth:`describe` takes; None if it has no plan.

        Raises:
            RefusedError: the engine cannot plan it.
        """

    def run(
        self,
        query: Query,
        before: Sequence[Query],
        params: Mapping[str, Any],
        time_zones: Sequence[str],
    ) -> Mapping[str, Any]:
        """What a reading query gives in a session of each time zone, by what to call that."""
