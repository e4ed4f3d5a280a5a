"""Every error that the toolkit raises, as one tree.

::

    JutsuSqlError
    ├── ConfigError (ValueError)            a setting is missing, unknown or contradictory
    ├── BarsError (ValueError)              bars that cannot be taken as they are
    │   ├── InexactValueError               a decimal that a double cannot carry there and back
    │   ├── NaiveTimestampError             a time without a time zone
    │   └── RejectedBarsError               a strict write met rows that validation refuses
    ├── ColumnError (ValueError)            columns that a table cannot take as they are
    ├── SourceError                         a file or an answer cannot be read as bars
    ├── ExportError                         bars cannot be written to a file
    ├── QueryError                          a fault of a .sql file, or of a call of one
    │   ├── QuerySyntaxError                the file cannot be understood
    │   ├── QueryNotFoundError (LookupError)
    │   └── QueryParameterError (TypeError) missing or unknown parameters
    ├── MigrationError                      the schema is not what this version needs
    │   ├── NotMigratedError
    │   └── NewerSchemaError
    ├── ServerError                         a throw-away PostgreSQL cannot be started
    └── DatabaseError                       the engine refused, or could not be reached
        ├── ConnectionFailedError           unreachable, refused, or lost
        ├── OutcomeUnknownError             lost at COMMIT: it happened, or it did not
        ├── PoolTimeoutError                no connection came free in time
        ├── DatabaseLockedError             another writer holds the database
        ├── DatabaseReadOnlyError
        ├── DatabaseCorruptError
        ├── DatabaseFullError               no room left on the disk
        ├── IntegrityError                  a constraint was violated
        │   └── BarConflictError            on_conflict="error" met a stored bar
        ├── DataError                       a value the engine cannot take
        ├── StatementError                  a statement the engine cannot compile
        ├── StatementTimeoutError           cancelled, by a timeout or by someone
        └── TransactionError                deadlock or serialization failure: run it again

A driver's own exception is always the ``__cause__``. Messages carry no secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class JutsuSqlError(Exception):
    """Base of every error of this toolkit."""


class ConfigError(JutsuSqlError, ValueError):
    """A setting is missing, unknown or contradictory; the message says where it was looked for."""


class BarsError(JutsuSqlError, ValueError):
    """Bars that cannot be taken as they are."""


class InexactValueError(BarsError):
    """A decimal has more digits than a double carries there and back; ``row`` counts from 0."""

    def __init__(self, message: str, *, row: int, column: str) -> None:
        super().__init__(message)
        self.row = row
        self.column = column


class NaiveTimestampError(BarsError):
    """A time without a time zone, where nothing says which zone it is in."""


class RejectedBarsError(BarsError):
    """A strict write met rows that validation refuses; ``rejections`` lists them all."""

    def __init__(self, message: str, *, rejections: Sequence[Any]) -> None:
        super().__init__(message)
        self.rejections = rejections


class ColumnError(JutsuSqlError, ValueError):
    """Columns that a table cannot take as they are; ``row`` counts from 0, None is all of them."""

    def __init__(self, message: str, *, column: str | None = None, row: int | None = None) -> None:
        super().__init__(message)
        self.column = column
        self.row = row


class SourceError(JutsuSqlError):
    """A file, or what a source answers, cannot be read as bars.

    ``path``, ``line`` (from 1) and ``column`` say where in a file.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        line: int | None = None,
        column: str | None = None,
    ) -> None:
        place = ":".join(str(part) for part in (path, line, column) if part is not None)
        super().__init__(f"{place}: {message}" if place else message)
        self.path = path
        self.line = line
        self.column = column


class ExportError(JutsuSqlError):
    """Bars cannot be written to a file; nothing of it is left."""


class QueryError(JutsuSqlError):
    """A fault of a ``.sql`` file, or of a call of one; ``query_name`` names it."""

    def __init__(self, message: str, *, query_name: str | None = None) -> None:
        super().__init__(message)
        self.query_name = query_name


class QuerySyntaxError(QueryError):
    """A ``.sql`` file cannot be understood; the message is ``file:line:column: what``."""

    def __init__(
        self, message: str, *, path: str, line: int, column: int, query_name: str | None = None
    ) -> None:
        super().__init__(f"{path}:{line}:{column}: {message}", query_name=query_name)
        self.path = path
        self.line = line
        self.column = column


class QueryNotFoundError(QueryError, LookupError):
    """No query has that name on this engine; the message gives the nearest names."""


class QueryParameterError(QueryError, TypeError):
    """Parameters are missing or unknown; the message gives the nearest names."""


class MigrationError(JutsuSqlError):
    """The schema cannot be brought to, or is not at, the version this toolkit needs."""


class NotMigratedError(MigrationError):
    """The database lacks migrations that this version ships."""


class NewerSchemaError(MigrationError):
    """The database holds migrations of the toolkit that this version does not know."""


class ServerError(JutsuSqlError):
    """A throw-away PostgreSQL server cannot be found or started."""


class DatabaseError(JutsuSqlError):
    """The engine refused, or could not be reached.

    ``query_name`` is the named query that ran, if any; ``sqlstate`` the PostgreSQL code or the
    SQLite error name; ``retryable`` whether running the whole transaction again can succeed.
    """

    retryable = False

    def __init__(
        self,
        message: str,
        *,
        query_name: str | None = None,
        sqlstate: str | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(f"{query_name}: {message}" if query_name else message)
        self.query_name = query_name
        self.sqlstate = sqlstate
        if retryable is not None:
            self.retryable = retryable


class ConnectionFailedError(DatabaseError):
    """The database is unreachable, refused the connection, or the connection was lost."""

    retryable = True


class OutcomeUnknownError(DatabaseError):
    """The connection was lost at COMMIT, or during a query that is a transaction of its own.

    It happened as a whole, or not at all.

    Loads find out by themselves which it is, and raise this only if the database stays unreachable.
    """


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a connection: the thread, for how long, and with ``echo`` on, where it was taken."""

    thread: str
    held_s: float
    taken_at: str = ""

    def __str__(self) -> str:
        place = f", taken at\n{self.taken_at}" if self.taken_at else ""
        return f"{self.thread} for {self.held_s:.1f} s{place}"


class PoolTimeoutError(DatabaseError):
    """No pooled connection came free in time; ``holders`` had them, the longest one first.

    If connecting failed as well, that is the ``__cause__``.
    """

    retryable = True

    def __init__(self, message: str, *, holders: Sequence[Holder] = ()) -> None:
        super().__init__(message)
        self.holders = holders


class DatabaseLockedError(DatabaseError):
    """Another connection holds the lock that this work needs."""

    retryable = True


class DatabaseReadOnlyError(DatabaseError):
    """The database, or the transaction, takes no writes."""


class DatabaseCorruptError(DatabaseError):
    """The file is not a database, or is damaged."""


class DatabaseFullError(DatabaseError):
    """There is no room left where the database is stored."""


class IntegrityError(DatabaseError):
    """A constraint was violated."""


class BarConflictError(IntegrityError):
    """``on_conflict="error"`` met a bar that is stored already."""


class DataError(DatabaseError):
    """A value that the engine cannot take."""


class StatementError(DatabaseError):
    """A statement that the engine cannot compile, or may not run."""


class StatementTimeoutError(DatabaseError):
    """The statement was cancelled, by a timeout or by someone."""


class TransactionError(DatabaseError):
    """A deadlock or a serialization failure: the whole transaction may be run again."""

    retryable = True
