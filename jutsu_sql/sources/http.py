"""Answers over HTTP: at a pace that the server bears, and asked again while that may help."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import inf
from threading import Event, Lock
from typing import Any
from urllib.parse import urlsplit

from jutsu_sql.config import redact
from jutsu_sql.errors import ConfigError, SourceError

try:
    import httpx
except ImportError as error:
    raise ConfigError("a source on the web needs httpx: pip install 'jutsu_sql[sync]'") from error

_log = logging.getLogger("jutsu_sql")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_MOST_BYTES = 1 << 26

# httpx logs whole URLs, in which keys may stand.
_is_ours = ContextVar("is_ours", default=False)
logging.getLogger("httpx").addFilter(lambda record: not _is_ours.get())


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server has answered in the end; ``place`` is where, without what was asked."""

    status: int
    content: bytes
    place: str

    def json(self) -> Any:
        """The content.

        Raises:
            SourceError: it is not JSON.
        """
        try:
            return json.loads(self.content)
        except ValueError as error:
            raise SourceError(
                f"{self.place} answered {self.status} and no JSON: {self.content[:80]!r}"
            ) from error


class Pace:
    """Turns to ask, for all threads: ``interval_s`` apart, and none while a server wants quiet."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._next_s = -inf
        self._lock = Lock()

    def take(self, now_s: float) -> float:
        """Take the next turn; gives the seconds until then."""
        with self._lock:
            turn_s = max(now_s, self._next_s)
            self._next_s = turn_s + self._interval_s
        return turn_s - now_s

    def hold(self, until_s: float) -> None:
        """No turn before this time."""
        with self._lock:
            self._next_s = max(self._next_s, until_s)


class HttpClient:
    """GET with a pace of ``per_s`` requests a second, over threads and symbols.

    What may pass is asked again, after a random share of a pause that doubles, until ``within_s``
    seconds after the first request: a connection refused or cut, a silence of ``timeout_s``, the
    statuses 408, 425, 429 and 5xx. A ``Retry-After`` holds all threads back. ``secrets``, and what
    stands behind the ``?`` of a URL, get into no error and no log.
    """

    def __init__(
        self,
        *,
        per_s: float,
        within_s: float = 60,
        timeout_s: float = 10,
        headers: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        share: Callable[[], float] = random.random,
    ) -> None:
        self._client = httpx.Client(headers=headers, timeout=timeout_s)
        self._within_s = within_s
        self._pace = Pace(1 / per_s)
        self._secrets = secrets
        self._closed = Event()
        self._clock = clock
        self._sleep = sleep or self._closed.wait
        self._share = share

    def get(self, url: str, params: Mapping[str, Any] | None = None) -> Reply:
        """What the server answers, whatever its status; from any thread.

        Raises:
            SourceError: it did not answer in time, or its answers were to come back later.
        """
        parts = urlsplit(url)
        place = redact(f"{parts.hostname}{parts.path}", *self._secrets)
        deadline_s = self._clock() + self._within_s
        attempt = 0
        while True:
            attempt += 1
            self._wait(self._pace.take(self._clock()))
            cause, told_s = None, None
            try:
                status, headers, content = self._ask(url, params, deadline_s)
            except (httpx.TransportError, httpx.DecodingError) as error:
                cause = error
                reason = redact(str(error) or type(error).__name__, *self._secrets)
            else:
                if status not in _PASSING:
                    return Reply(status, content, place)
                reason = f"answered {status}"
                told_s = _retry_after_s(headers.get("retry-after"))
            pause_s = self._pause_s(attempt) if told_s is None else told_s
            if self._clock() + pause_s >= deadline_s:
                wish = "" if told_s is None else f", to come back in {told_s:.0f} s"
                raise SourceError(
                    f"{place}: {reason}{wish}; asked {attempt} times,"
                    f" for at most {self._within_s:g} s"
                ) from cause
            _log.info("%s: %s; again in %.1f s", place, reason, pause_s)
            if told_s is None:
                self._wait(pause_s)
            else:
                self._pace.hold(self._clock() + told_s)

    def close(self) -> None:
        """End all waiting, and close the connections."""
        self._closed.set()
        self._client.close()

    def _ask(
        self, url: str, params: Mapping[str, Any] | None, deadline_s: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        token = _is_ours.set(True)
        try:
            with self._client.stream("GET", url, params=params) as response:
                content = bytearray()
                for chunk in response.iter_bytes():
                    content += chunk
                    # A server that sends a byte now and then is never silent for long.
                    if self._clock() > deadline_s:
                        raise httpx.ReadTimeout("the answer took too long")
                    if len(content) > _MOST_BYTES:
                        raise SourceError(f"the answer has more than {_MOST_BYTES:,} bytes")
                return response.status_code, response.headers, bytes(content)
        finally:
            _is_ours.reset(token)

    def _pause_s(self, attempt: int) -> float:
        longest_s: float = min(_FIRST_PAUSE_S * 2.0 ** (attempt - 1), _LONGEST_PAUSE_S)
        return self._share() * longest_s

    def _wait(self, pause_s: float) -> None:
        if pause_s > 0:
            self._sleep(pause_s)
        if self._closed.is_set():
            raise SourceError("the source was closed")


def _retry_after_s(text: str | None) -> float | None:
    """The seconds of a Retry-After header, which may be a date (RFC 9110, 10.2.3)."""
    if text is None:
        return None
    if text.isdecimal():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max((when.astimezone(UTC) - datetime.now(UTC)).total_seconds(), 0.0)


__all__ = ["HttpClient", "Pace", "Reply"]
