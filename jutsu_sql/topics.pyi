# Written by `jutsu-sql check --write-types`: do not edit.
# ruff: noqa
# fmt: off
"""Named queries as type checkers and editors see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from numpy.typing import NDArray
from jutsu_sql.queries import Queries

class ActionsListRow(NamedTuple):
    symbol: str | None
    ex_date: datetime | None
    kind: str | None
    value: float | None
    load_id: int | None
    observed_at: datetime | None
    known_from: datetime | None

class AuditShiftsRow(NamedTuple):
    ts: datetime
    load_id: int
    load_before: int | None
    close_before: float | None
    open: float

class BarsAtRow(NamedTuple):
    open: float
    high: float
    low: float
    close: float
    volume: float

class BarsExtentRow(NamedTuple):
    first_ts: datetime | None
    last_ts: datetime | None

class BarsLatestRow(NamedTuple):
    ts: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float

class BarsObservedRow(NamedTuple):
    ts: datetime
    observed_at: datetime

class BenchBarsOfRow(NamedTuple):
    ts: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float

class BenchReadAllRow(NamedTuple):
    series_id: int
    ts: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float

class BenchReadOneRow(NamedTuple):
    ts: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float

class CalendarsListRow(NamedTuple):
    calendar: str
    version: str
    first_ts: datetime
    end_ts: datetime

class CopyTablesRow(NamedTuple):
    name: str | None

class CoverageAbsentRow(NamedTuple):
    ts: datetime | None
    open_ts: datetime | None
    close_ts: datetime | None

class CoverageExtentsRow(NamedTuple):
    series_id: int
    bars: int | None
    first_ts: datetime | None
    last_ts: datetime | None

class CoverageSeriesRow(NamedTuple):
    series_id: int
    symbol: str
    timeframe: str
    calendar: str | None

class CoverageTouchedRow(NamedTuple):
    series_id: int
    timeframe: str
    first_ts: datetime
    last_ts: datetime

class CoverageUndoneRow(NamedTuple):
    load_id: int
    undone_by: int

class DoctorClockRow(NamedTuple):
    severity: str | None
    found: str | None
    remedy: str | None

class DoctorEmptySeriesRow(NamedTuple):
    severity: str | None
    found: str | None
    remedy: str | None

class DoctorOrphanBarsRow(NamedTuple):
    severity: str | None
    found: str | None
    remedy: str | None

class DoctorOrphanLoadsRow(NamedTuple):
    severity: str | None
    found: str | None
    remedy: str | None

class DoctorSnapshotGuardRow(NamedTuple):
    severity: str | None
    found: str | None
    remedy: str | None

class DoctorUnfinishedLoadsRow(NamedTuple):
    severity: str | None
    found: str | None
    remedy: str | None

class DoctorDeepLoadsOfBarsRow(NamedTuple):
    severity: str | None
    found: str | None
    remedy: str | None

class LoadsFindRow(NamedTuple):
    load_id: int
    kind: str
    source: str
    uri: str | None
    content_sha256: str | None
    observed_at: datetime
    started_at: datetime
    finished_at: datetime | None
    rows_received: int
    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    rows_kept: int
    rows_rejected: int
    rows_deleted: int
    actor: str
    tool_version: str

class LoadsRecentRow(NamedTuple):
    load_id: int
    kind: str
    source: str
    uri: str | None
    content_sha256: str | None
    observed_at: datetime
    started_at: datetime
    finished_at: datetime | None
    rows_received: int
    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    rows_kept: int
    rows_rejected: int
    rows_deleted: int
    actor: str
    tool_version: str

class LoadsSeriesRow(NamedTuple):
    series_id: int
    first_ts: datetime
    last_ts: datetime

class LoadsUnfinishedRow(NamedTuple):
    load_id: int
    series_id: int

class RejectedListRow(NamedTuple):
    load_id: int
    position: int
    symbol: str
    timeframe: str
    ts: datetime | None
    reason: str
    raw: str

class ReplicaSeriesRow(NamedTuple):
    series_id: int
    symbol: str
    timeframe: str
    timezone: str | None
    calendar: str | None
    observed_at: datetime | None

class ResampleExtentRow(NamedTuple):
    first_ts: datetime | None
    last_ts: datetime | None
    observed_at: datetime

class RevisionsHistoryRow(NamedTuple):
    load_id: int | None
    source: str | None
    observed_at: datetime | None
    known_from: datetime | None
    known_until: datetime | None
    superseded_by: int | None
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: float | None

class SchemaAppliedRow(NamedTuple):
    migration_id: str | None

class SeriesElsewhereRow(NamedTuple):
    symbol: str
    timeframe: str
    timezone: str | None
    calendar: str | None

class SeriesFindRow(NamedTuple):
    series_id: int
    timezone: str | None
    calendar: str | None
    last_load_id: int | None

class SeriesLockRow(NamedTuple):
    series_id: int

class SeriesMatchingRow(NamedTuple):
    series_id: int
    symbol: str
    timeframe: str

class SeriesNamedRow(NamedTuple):
    series_id: int
    symbol: str
    timeframe: str

class SeriesSummaryRow(NamedTuple):
    symbol: str | None
    timeframe: str | None
    bars: int | None
    first_ts: datetime | None
    last_ts: datetime | None

class SnapshotsObstacleRow(NamedTuple):
    obstacle: str | None

class SnapshotsStatesRow(NamedTuple):
    series_id: int | None
    symbol: str | None
    timeframe: str | None
    state: str | None

class StageChangedSeriesRow(NamedTuple):
    series_id: int | None
    new_bars: int | None

class StageConflictRow(NamedTuple):
    symbol: str
    timeframe: str
    ts: datetime | None

class StreamTopic:
    def next_ts(self, *, series_id: int, start: datetime | date) -> datetime | None:
        """The time of the first bar of one series from :start on."""

class StageTopic:
    def changed_series(self, *, new_only: int) -> list[StageChangedSeriesRow]:
        """The series that a merge of new bars, and of changed ones unless :new_only is 1, touches, and how many bars of each are new."""
    def clear(self) -> None:
        """Make room for the next batch of the same load."""
    def compare(self, *, observed_at: datetime | date | None) -> int:
        """Find what is 'new', what is 'changed' and what is 'kept', so that a replay of stored bars writes nothing. A stored bar is kept when it was observed later than the batch: that covers a final bar that meets a partial one, which was observed before its interval ended. Every column is NOT NULL and finite, so <> says all there is to say. The old values come along, so that the ledger needs not look them up again."""
    def conflict(self) -> StageConflictRow | None:
        """The first stored bar that the batch would meet, in key order."""
    def create(self) -> None:
        """The batch that may overlap what is stored, and what sets it apart from that. Until the load ends, the planner is told what holds on a disk without a head: where a few bars of many change, their rows are looked up one by one. At the default of 4 it reads all of bars, three times."""
    def drop(self) -> None:
        """Done with the batch. A rollback drops both tables as well."""
    def forget_changes(self) -> int:
        """Before the batch is compared once more."""
    def kept(self) -> dict[str, NDArray[Any]]:
        """The bars of the batch that an earlier load knew better."""
    def load(self) -> int:
        """The batch in bulk, by binary COPY."""
    def merge_changed(self) -> int:
        """Replace the stored bars that differ."""
    def merge_new(self) -> int:
        """Insert the new bars, in key order, which keeps two loaders from a deadlock."""
    def revise(self) -> int:
        """Keep the bars that are about to be replaced or taken away, unless this very load wrote them."""

class SnapshotsTopic:
    def obstacle(self) -> SnapshotsObstacleRow | None:
        """Why changes of bars may go unseen here, or NULL."""
    def states(self, *, names: Any) -> list[SnapshotsStatesRow]:
        """The series named in :names, a JSON array of [symbol, timeframe], each with the state of its bars: it is another one after every change of them, and NULL where changes may go unseen."""

class SeriesTopic:
    def elsewhere(self, *, load_id: int, timezone: str, calendar: str | None) -> list[SeriesElsewhereRow]:
        """The series of a load that are known to be of another time zone or calendar."""
    def find(self, *, symbol: str, timeframe: str) -> SeriesFindRow | None:
        """One series by its name."""
    def insert(self, *, names: Any) -> int:
        """New series, from a JSON array of [symbol, timeframe]; one that another loader has just added is left alone."""
    def lock(self, *, series_ids: Sequence[int] | None) -> list[SeriesLockRow]:
        """Lock series, in id order, until the transaction ends: two loaders of one series take turns."""
    def matching(self, *, symbol: str | None, timeframe: str | None) -> list[SeriesMatchingRow]:
        """The series of one symbol, one timeframe, both or (with two NULLs) all of them."""
    def named(self, *, names: Any) -> list[SeriesNamedRow]:
        """The series named in :names, a JSON array of [symbol, timeframe]."""
    def settle(self, *, timezone: str | None, calendar: str | None, load_id: int | None) -> int:
        """Say where the series of a load are traded, and by which calendar, as far as nobody has."""
    def summary(self) -> list[SeriesSummaryRow]:
        """Every series with its first and last bar and their number."""
    def touch(self, *, load_id: int | None, series_ids: Sequence[int] | None) -> int:
        """Note the load that changed these series last."""

class SchemaTopic:
    def applied(self) -> list[SchemaAppliedRow]:
        """The migrations that this database has."""
    def is_migrated(self) -> bool | None:
        """Whether any migration was ever applied here."""
    def probe_write(self) -> int:
        """Changes nothing, but fails where the database takes no writes."""

class RevisionsTopic:
    def delete_gone(self) -> int:
        """Take away the bars that an undo leaves nothing of."""
    def history(self, *, series_id: int, ts: datetime | date) -> list[RevisionsHistoryRow]:
        """Every version of one bar, oldest first: who brought it, when it was known, when it was superseded."""
    def replaced_observed_at(self, *, series_id: int, start: datetime | date, end: datetime | date, load_id: int) -> datetime | None:
        """The earliest observation of the bars of one series that a load replaced or deleted."""
    def undo_stage(self, *, load_id: int | None, series_id: int | None, start: datetime | date | None, end: datetime | date | None, undone: int | None) -> int:
        """What taking back the load :undone means for one series from :start to :end: bars of it that are still current go back to what they replaced ('changed') or go away ('gone'); bars that it deleted and nobody has written since come back ('new'). What later loads have made is left alone."""

class ResampleTopic:
    def bars(self, *, series_id: int, width_s: float, labels: Sequence[datetime | date], starts: Sequence[datetime | date], ends: Sequence[datetime | date]) -> dict[str, NDArray[Any]]:
        """The bars of one series, put together in buckets. Part i is what lies from :starts[i] up to, and without, :ends[i]; it is cut every :width_s seconds from its start, and the bucket that begins so long after the start gets the time that lies so long after :labels[i]. Parts of one label are one bucket. Labels rise. Volumes add up as integers, of whole units and of 1e-12 of one: in any order, on any engine, the same. The order of the parts lets the engine sort within each, where it would sort all bars; with a join instead of the two subqueries it reads all bars twice more."""
    def extent(self, *, series_id: int) -> ResampleExtentRow | None:
        """The first and the last bar of one series, and when the last was observed."""

class ReplicaTopic:
    def series(self) -> list[ReplicaSeriesRow]:
        """Every series with where it is traded, and when the latest of its bars was observed."""
    def set_place(self, *, timezone: str | None, calendar: str | None, series_id: int | None) -> int:
        """Where one series is traded."""

class RejectedTopic:
    def insert(self, *, load_id: int | None, rows: Any) -> int:
        """Keep refused rows, from a JSON array of [position, symbol, timeframe, ISO time, microseconds, reason, raw]; both times may be null."""
    def list(self, *, load_id: int | None) -> list[RejectedListRow]:
        """Refused rows, of one load or of all, by load, position and series."""

class LoadsTopic:
    def add_part(self, *, received: int | None, inserted: int | None, updated: int | None, unchanged: int | None, kept: int | None, load_id: int | None) -> int:
        """Add what one part of a load over several connections has done, unless the load has been closed."""
    def discard(self, *, load_id: int | None) -> int:
        """Forget a load that was begun, and of which nothing is in."""
    def find(self, *, load_id: int) -> LoadsFindRow | None:
        """One load."""
    def finish(self, *, load_id: int | None, received: int | None, inserted: int | None, updated: int | None, unchanged: int | None, kept: int | None, rejected: int | None, deleted: int | None) -> int:
        """Close a load with what it did. It is known from now on, by the database's own clock, and later than the load before it."""
    def note_reading(self, *, load_id: int | None, reading: str | None) -> int:
        """Keep how the stamps of a load's file were read."""
    def note_series(self, *, load_id: int | None, series_ids: Sequence[int] | None, firsts: Sequence[datetime | date] | None, lasts: Sequence[datetime | date] | None) -> int:
        """Note the series that a load changed and where: parallel arrays."""
    def reading(self, *, load_id: int) -> str | None:
        """How the stamps of a load's file were read."""
    def recent(self, *, n: int) -> list[LoadsRecentRow]:
        """The last :n loads, newest first."""
    def series(self, *, load_id: int) -> list[LoadsSeriesRow]:
        """The series that a load changed, and where."""
    def set_content(self, *, content_sha256: str | None, load_id: int | None) -> int:
        """Note what a load was of, once all of it is in."""
    def start(self, *, kind: str | None, source: str | None, uri: str | None, content_sha256: str | None, observed_at: datetime | date | None, started_at: datetime | date | None, actor: str | None, tool_version: str | None) -> int | None:
        """Begin a load and give its id."""
    def unfinished(self, *, own_id: int) -> list[LoadsUnfinishedRow]:
        """The series that unfinished loads other than :own_id have touched."""
    def with_content(self, *, content_sha256: str) -> int | None:
        """The last load of the same content, if it is all in and no later load has changed anything in its ranges."""

class DoctorDeepTopic:
    def loads_of_bars(self) -> list[DoctorDeepLoadsOfBarsRow]:
        """Loads that bars and bar_revisions name, and that do not exist; reads both whole."""

class DoctorTopic:
    def clock(self, *, soon: datetime | date) -> list[DoctorClockRow]:
        """A last load that ended in the future."""
    def empty_series(self) -> list[DoctorEmptySeriesRow]:
        """Series without bars."""
    def orphan_bars(self) -> list[DoctorOrphanBarsRow]:
        """Bars whose series does not exist; one probe of the key a series."""
    def orphan_loads(self) -> list[DoctorOrphanLoadsRow]:
        """Loads that series, load_series and rejected_bars name, and that do not exist."""
    def snapshot_guard(self) -> list[DoctorSnapshotGuardRow]:
        """Why changes of bars may go unseen, so that nothing is answered from snapshots."""
    def unfinished_loads(self, *, hour_ago: datetime | date) -> list[DoctorUnfinishedLoadsRow]:
        """Loads that began over an hour ago and have not ended."""

class CoverageTopic:
    def absent(self, *, calendar: str, start: datetime | date, end: datetime | date, series_id: int) -> list[CoverageAbsentRow]:
        """The sessions (weeks, months) of a calendar from :start to :end, both inclusive, that a series has no bar of."""
    def claims(self, *, series_ids: Sequence[int]) -> dict[str, NDArray[Any]]:
        """What loads have asked their sources for, of some series."""
    def extents(self, *, series_ids: Sequence[int], start: datetime | date, end: datetime | date) -> list[CoverageExtentsRow]:
        """How many bars series have from :start up to, and without, :end, the first and the last of them."""
    def note(self, *, load_id: int | None, series_ids: Sequence[int] | None, starts: Sequence[datetime | date] | None, ends: Sequence[datetime | date] | None) -> int:
        """Note what a load has asked its source for: parallel arrays."""
    def note_undone(self, *, undone: int | None, load_id: int | None) -> int:
        """Note that a load was taken back: what it has asked for no longer counts."""
    def rejected(self, *, series_ids: Sequence[int], start: datetime | date, end: datetime | date) -> dict[str, NDArray[Any]]:
        """Where rows of some series were refused, from :start up to, and without, :end."""
    def removed(self, *, series_ids: Sequence[int], start: datetime | date, end: datetime | date) -> dict[str, NDArray[Any]]:
        """Bars of some series from :start up to, and without, :end that are not there any more: deleted (1), or taken back by an undo (0), and not asked for since."""
    def series(self) -> list[CoverageSeriesRow]:
        """Every series, and the calendar by which it is traded."""
    def starts(self, *, series_ids: Sequence[int], start: datetime | date, end: datetime | date) -> dict[str, NDArray[Any]]:
        """When the bars of some series start, from :start up to, and without, :end."""
    def touched(self, *, load_id: int) -> list[CoverageTouchedRow]:
        """The series that a load touched, and where."""
    def undone(self) -> list[CoverageUndoneRow]:
        """Which loads were taken back by which, the latest undo first."""

class CopyTopic:
    def columns(self, **params: Any) -> Any:
        """The columns of a table as binary COPY sees them: a domain is sent as the type it is made from."""
    def drop(self) -> int:
        """Done with the batch. A rollback drops it as well."""
    def encoding(self) -> str | None:
        """Until the transaction ends, text comes in as UTF-8, whatever the database's own encoding."""
    def tables(self) -> list[CopyTablesRow]:
        """The tables that there are, to suggest one for a name that is none."""

class ConnectionTopic:
    def open(self) -> None:
        """What every new connection is set to. Times come back in UTC whatever the server says. Compiling a query that then runs for a second or two takes as long as running it. A client that went without a word is given up as a client gives up a server: until then its transaction would hold its locks, by default for two hours."""
    def version(self) -> str | None:
        """The server's version."""

class CheckTopic:
    def set_clock(self, *, observed_at: datetime | date | None, started_at: datetime | date | None, finished_at: datetime | date | None, load_id: int | None) -> int:
        """Set the times of a load, for fixtures."""

class CalendarsTopic:
    def forget_sessions(self, *, calendar: str | None) -> int:
        """Make room for the sessions of a calendar as a newer version knows them."""
    def hours(self, *, calendar: str) -> dict[str, NDArray[Any]]:
        """When a calendar is open, session by session: from open_ts to break_start_ts, and from break_end_ts to close_ts. Without a break the second is nothing."""
    def list(self) -> list[CalendarsListRow]:
        """The calendars that are stored: where each comes from, and the dates that it knows, without the last."""
    def note(self, *, calendar: str | None, version: str | None, first: datetime | date | None, end: datetime | date | None) -> int:
        """Say what a calendar comes from; whoever comes second waits here until the first has stored its sessions."""
    def sessions(self, *, calendar: str, timeframe: str) -> dict[str, NDArray[Any]]:
        """The sessions, weeks or months of a calendar in the order of their numbers, and when each is over."""

class BenchTopic:
    def bars_of(self, *, series_id: int) -> list[BenchBarsOfRow]:
        """The bars of one series as plain rows, to be fetched without the toolkit."""
    def checkpoint(self) -> int:
        """Write out what earlier samples have left, so that nobody's sample pays for it."""
    def count_differences(self) -> int | None:
        """How many of the rows that bench.keep_rows took are not in bars, or not with the same values, bit for bit. Whose load it was does not matter. Every column is NOT NULL and finite."""
    def count_rows(self) -> int | None:
        """How many bars there are."""
    def empty(self) -> None:
        """Empty the table of the benchmark's own schema, and no other."""
    def forget_history(self) -> int:
        """Give back what bench.keep_history kept."""
    def forget_rows(self) -> int:
        """Give back what bench.keep_rows took."""
    def insert_bar(self, *, series_id: int | None, load_id: int | None, ts: datetime | date | None, open: float | None, high: float | None, low: float | None, close: float | None, volume: float | None) -> int:
        """One bar, as the user of a driver would insert it, again and again."""
    def keep_history(self) -> int:
        """Keep what bench.keep_rows took as the bars that a table has before anything is measured."""
    def keep_rows(self) -> int:
        """Keep the rows of bars, to compare later ones with."""
    def load_reference(self) -> int:
        """The server's own limit: COPY from a file that it reads itself, into the same table."""
    def read_all(self) -> list[BenchReadAllRow]:
        """All bars in the order of their key, as plain rows, to be fetched without the toolkit."""
    def read_one(self) -> list[BenchReadOneRow]:
        """The bars of the first series as plain rows, to be fetched without the toolkit. Its id stands in the text: ADBC reads by COPY, its fastest way, only without parameters, and connectorx takes none."""
    def rest(self) -> int:
        """What autovacuum does to bars a minute after they were loaded: nobody's sample sets hint bits."""
    def restore_history(self) -> int:
        """The bars that a table has before anything is measured."""
    def row_versions(self) -> int | None:
        """A number that changes when any version of any row is written: all their places and transactions."""
    def settle(self) -> int:
        """Nothing in the background while samples are compared, and statistics of the rows that are there."""

class BarsTopic:
    def at(self, *, series_id: int, ts: datetime | date) -> BarsAtRow | None:
        """One bar of one series, by its time."""
    def bare_pays(self, *, rows: int) -> int | None:
        """1 if the key of bars is better built after a load of :rows bars: they are many, the table is empty, ours to alter, and a plain one."""
    def claim(self) -> str | None:
        """Say that this transaction renews the versions of the series whose bars it changes, by series.touch, and so need not renew that of all bars, for which writers would have to queue."""
    def delete(self, *, series_id: int | None, start: datetime | date | None, end: datetime | date | None) -> int:
        """Delete the bars of one series from :start to :end, both inclusive."""
    def extent(self, *, series_id: int, start: datetime | date, end: datetime | date) -> BarsExtentRow | None:
        """The times of the first and the last bar of one series from :start to :end, both inclusive."""
    def latest(self, *, series_id: int, n: int) -> list[BarsLatestRow]:
        """The last :n bars of one series, oldest first."""
    def load(self) -> int:
        """Bars in bulk, by binary COPY."""
    def make_bare(self) -> None:
        """Have the table alone until the transaction ends, or fail at once; and drop its key for a first load."""
    def make_whole(self) -> None:
        """Build the key after a first load."""
    def observed(self, *, series_id: int, end: datetime | date, n: int) -> list[BarsObservedRow]:
        """When each of the last :n bars of one series up to :end was taken from its source, in time order."""
    def overlaps(self, *, series_id: int, first: datetime | date, last: datetime | date) -> int | None:
        """1 if a series has a bar from :first to :last, else 0."""
    def read(self, *, series_id: int, start: datetime | date, end: datetime | date) -> dict[str, NDArray[Any]]:
        """The bars of one series from :start to :end, both inclusive, in time order. One row of arrays: an ordered subquery under array_agg(x) is 2.8 times faster than array_agg(x ORDER BY ts), and a line segment carries four doubles through one aggregate and one output function."""
    def read_as_of(self, *, series_id: int, start: datetime | date, end: datetime | date, as_of: datetime | date) -> dict[str, NDArray[Any]]:
        """The bars of one series from :start to :end as they were known at :as_of, in time order."""
    def read_latest(self, *, series_id: int, end: datetime | date, n: int) -> dict[str, NDArray[Any]]:
        """The last :n bars of one series up to :end, in time order."""
    def read_many(self, *, series_ids: Sequence[int], start: datetime | date, end: datetime | date, n: int) -> dict[str, NDArray[Any]]:
        """The bars of many series, given in ascending order, from :start to :end, both inclusive, by series and then time; :n of them at most. Prices come as in bars.read. Ids are doubles: on SQLite, rows of one width are read at once."""
    def read_piece(self, *, series_id: int, start: datetime | date, end: datetime | date, n: int) -> dict[str, NDArray[Any]]:
        """The first :n bars of one series from :start to :end, both inclusive, in time order, as in bars.read."""
    def read_warm(self, *, series_id: int, end: datetime | date, start: datetime | date, n: int) -> dict[str, NDArray[Any]]:
        """The last :n bars of one series before :start, and all from there to :end (inclusive), in time order."""
    def read_warm_as_of(self, *, series_id: int, end: datetime | date, as_of: datetime | date, start: datetime | date, n: int) -> dict[str, NDArray[Any]]:
        """The last :n bars of one series before :start, and all from there to :end (inclusive), as they were known at :as_of, in time order. Each table is asked for its own last :n: asked for those of both at once, PostgreSQL sorts all that there are."""
    def revise(self, *, superseded_by: int | None, series_id: int | None, start: datetime | date | None, end: datetime | date | None) -> int:
        """Keep the bars of one series from :start to :end as what the load :superseded_by is about to delete."""

class AuditTopic:
    def shifts(self, *, series_id: int) -> list[AuditShiftsRow]:
        """Bars of one series from which on another load's price level begins: the open is at least 1.2 times the close before, or at most 1 / 1.2 of it, and the two bars came by different loads."""

class ActionsTopic:
    def list(self, *, symbol: str | None, as_of: datetime | date) -> list[ActionsListRow]:
        """The corporate actions of one symbol or (with NULL) of all, as they were known at :as_of."""
    def lock(self) -> int:
        """Have the corporate actions alone, for writing, until the transaction ends."""
    def restore(self, *, load_id: int | None, undone: int | None) -> int:
        """Bring back what the load :undone had superseded, unless a later load has written it since."""
    def revoke(self, *, load_id: int | None, undone: int | None) -> int:
        """Take back the corporate actions of the load :undone that are still current."""
    def supersede(self, *, load_id: int | None, symbol: str | None, ex_date: datetime | date | None, kind: str | None) -> int:
        """Make the current version of one corporate action an old one."""

class Topics:
    def __init__(
        self, run: Callable[..., Any], queries: Queries, prefix: str = ""
    ) -> None: ...
    def __getattr__(self, name: str) -> Any: ...
    actions: ActionsTopic
    audit: AuditTopic
    bars: BarsTopic
    bench: BenchTopic
    calendars: CalendarsTopic
    check: CheckTopic
    connection: ConnectionTopic
    copy: CopyTopic
    coverage: CoverageTopic
    doctor: DoctorTopic
    doctor_deep: DoctorDeepTopic
    loads: LoadsTopic
    rejected: RejectedTopic
    replica: ReplicaTopic
    resample: ResampleTopic
    revisions: RevisionsTopic
    schema: SchemaTopic
    series: SeriesTopic
    snapshots: SnapshotsTopic
    stage: StageTopic
    stream: StreamTopic
