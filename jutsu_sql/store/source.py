"""Where bars are fetched from: what a source must say, and how one is found by its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Literal, Protocol

from jutsu_sql.bars import Bars
from jutsu_sql.errors import ConfigError
from jutsu_sql.store.actions import Action

_GROUP = "jutsu_sql.sources"

# From one aware time up to, and without, another one.
Interval = tuple[datetime, datetime]
# What prices are adjusted for: nothing, splits, or dividends as well.
Prices = Literal["raw", "splits", "all", "not said"]


@dataclass(frozen=True, slots=True)
class Answer:
    """All that a source has of one series between two times.

    ``bars`` may be partial, and in any order. ``timezone`` and ``calendar`` say where the series is
    traded, ``actions`` its splits and dividends since the first of the two times, as far as the
    source knows. ``observed_at`` is when the source took the bars, if that was not now; ``notes``
    are for people.
    """

    bars: Bars
    timezone: str | None = None
    calendar: str | None = None
    actions: Sequence[Action] = ()
    observed_at: datetime | None = None
    notes: Sequence[str] = ()


class Source(Protocol):
    """What bars are fetched from. ``name`` is kept with every load; the rest has a default.

    ``prices`` says what the prices are adjusted for, and ``parallel`` how many threads may fetch at
    the same time. How fast they may do so is the source's own business: see
    :class:`jutsu_sql.sources.http.HttpClient`.
    """

    name: str
    prices: Prices = "not said"
    parallel: int = 1

    def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Answer | Bars:
        """Every bar with ``start <= ts < end`` (UTC), which is none if there is none.

        ``timeframe`` is canonical. Bars from ``1D`` up are stamped with their session date at 00:00
        UTC, and so are the bounds.

        Raises:
            SourceError: the source cannot say. What it has not been able to say is asked again.
        """

    def offers(self, symbol: str, timeframe: str) -> Sequence[Interval] | None:
        """The intervals that the source knows anything about; None is all of time.

        Raises:
            SourceError: it does not have this series at all.
        """
        return None

    def close(self) -> None:
        """Give up what is held; a fetch that is under way in another thread should end soon."""
        return


def open_source(name: str, *, tz: str | None = None, calendar: str | None = None) -> Source:
    """The source of a name, or of ``name:argument``, such as ``directory:downloads``.

    It is made by an entry point of the group ``jutsu_sql.sources``, which is called with the
    argument, and with where the series are traded, if the caller says so.

    Raises:
        ConfigError: there is none of this name, or it cannot be made.
    """
    from importlib.metadata import entry_points

    known = {entry.name: entry for entry in entry_points(group=_GROUP)}
    base, _, argument = name.partition(":")
    if base not in known:
        near = get_close_matches(base, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
        raise ConfigError(f"there is no source {base!r}: {hint}")
    try:
        factory = known[base].load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"the source {base!r} ({known[base].value}): {error}") from error
    source: Source = factory(argument, tz=tz, calendar=calendar)
    return source


__all__ = ["Answer", "Interval", "Prices", "Source", "open_source"]
