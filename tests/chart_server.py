"""A server that answers as Yahoo's chart address does, out of raw bars; and badly, if told to."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

import numpy as np

Row = tuple[int, float | None, float | None, float | None, float | None, float | None]
# What a request meets: a status with headers, "cut" off in the middle, or "silence".
Fault = tuple[int, dict[str, str]] | str


@dataclass
class Listing:
    """One symbol: its rows as they were quoted (stamp in seconds, prices, volume), and events."""

    rows: list[Row]
    splits: dict[date, float] = field(default_factory=dict)
    dividends: dict[date, float] = field(default_factory=dict)
    tz: str = "America/New_York"
    exchange: str = "NMS"
    opens: str = "09:30"
    closes: str = "16:00"
    traded_at: int = 0

    def at(self, day: date, clock: str) -> int:
        moment = datetime.combine(day, time.fromisoformat(clock), ZoneInfo(self.tz))
        return int(moment.timestamp())

    def since(self, stamp: float) -> float:
        """What all splits after a moment have made of one share."""
        return math.prod(
            ratio for day, ratio in self.splits.items() if self.at(day, self.opens) > stamp
        )

    def chart(self, symbol: str, interval: str, start: float, end: float) -> dict[str, Any]:
        rows = [row for row in self.rows if start <= row[0] < end]
        quote: dict[str, list[Any]] = {}
        for at, name in enumerate(("open", "high", "low", "close"), 1):
            quote[name] = [_float32(row[at], self.since(row[0])) for row in rows]
        quote["volume"] = [
            None if row[5] is None else round(row[5] * self.since(row[0])) for row in rows
        ]
        today = datetime.now(ZoneInfo(self.tz)).date()
        period = {"start": self.at(today, self.opens), "end": self.at(today, self.closes)}
        result: dict[str, Any] = {
            "meta": {
                "currency": "USD",
                "symbol": symbol,
                "exchangeName": self.exchange,
                "instrumentType": "EQUITY",
                "regularMarketTime": self.traded_at,
                "exchangeTimezoneName": self.tz,
                "priceHint": 2,
                "currentTradingPeriod": {"regular": {"timezone": "EST", **period}},
                "dataGranularity": interval,
            },
            "indicators": {"quote": [quote if rows else {}]},
        }
        if rows:
            result["timestamp"] = [row[0] for row in rows]
            result["indicators"]["adjclose"] = [{"adjclose": [1.0] * len(rows)}]
        events = {"splits": self._splits(start, end), "dividends": self._dividends(start, end)}
        if any(events.values()):
            result["events"] = {kind: found for kind, found in events.items() if found}
        return result

    def _splits(self, start: float, end: float) -> dict[str, Any]:
        stamps = {self.at(day, self.opens): ratio for day, ratio in self.splits.items()}
        return {
            str(stamp): {
                "date": stamp,
                "numerator": ratio,
                "denominator": 1,
                "splitRatio": f"{ratio}:1",
            }
            for stamp, ratio in stamps.items()
            if start <= stamp < end
        }

    def _dividends(self, start: float, end: float) -> dict[str, Any]:
        stamps = {self.at(day, self.opens): amount for day, amount in self.dividends.items()}
        return {
            str(stamp): {"amount": amount / self.since(stamp), "date": stamp}
            for stamp, amount in stamps.items()
            if start <= stamp < end
        }


def _float32(price: float | None, since: float) -> float | None:
    return None if price is None else float(np.float32(price / since))


@dataclass
class ChartServer:
    """``listings`` by symbol; ``faults`` are met first, in their order; ``requests`` are kept."""

    url: str = ""
    listings: dict[str, Listing] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    requests: list[dict[str, str]] = field(default_factory=list)

    def answer(self, path: str) -> tuple[int, dict[str, Any]]:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        symbol = unquote(parts.path.rpartition("/")[2])
        self.requests.append({"symbol": symbol, **query})
        if symbol not in self.listings:
            return 404, _error("Not Found", "No data found, symbol may be delisted")
        start, end = float(query["period1"]), float(query["period2"])
        listing = self.listings[symbol]
        if end <= listing.rows[0][0]:
            reason = f"Data doesn't exist for startDate = {start:.0f}, endDate = {end:.0f}"
            return 400, _error("Bad Request", reason)
        chart = listing.chart(symbol, query["interval"], start, end)
        return 200, {"chart": {"result": [chart], "error": None}}


def _error(code: str, description: str) -> dict[str, Any]:
    return {"chart": {"result": None, "error": {"code": code, "description": description}}}


@contextmanager
def chart_server() -> Iterator[ChartServer]:
    """A server on a free port of this machine."""
    charts = ChartServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fault = charts.faults.popleft() if charts.faults else None
            if fault == "silence":
                self.rfile.read(1)  # until the client has had enough
                return
            status, content = charts.answer(self.path)
            body = json.dumps(content).encode()
            headers = {}
            if isinstance(fault, tuple):
                status, headers = fault
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)

        def log_message(self, *args: Any) -> None:
            del args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    charts.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield charts
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def daily(listing: Listing, days: Sequence[date], first_close: float = 100.0) -> None:
    """Give a listing one row a day, stamped at its open, with closes that rise by 0.25."""
    for n, day in enumerate(days):
        close = first_close + n * 0.25
        stamp = listing.at(day, listing.opens)
        listing.rows.append((stamp, close - 0.5, close + 1, close - 1, close, 1000.0 + n))


def weekdays(first: date, last: date) -> list[date]:
    """Monday to Friday."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [day for day in days if day.weekday() < 5]


def today() -> date:
    return datetime.now(UTC).date()
