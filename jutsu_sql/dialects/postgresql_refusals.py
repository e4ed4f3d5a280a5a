"""Why a server refuses a connection, as an SQLSTATE.

psycopg has none for it, and the message is in the server's language. But libpq writes the state in
place of the message if it is told so between the start of a connection and the server's answer.
"""

from __future__ import annotations

import ctypes
import re
import selectors
import sys
from contextlib import suppress
from time import monotonic
from typing import Any

from psycopg import pq
from psycopg.pq import PollingStatus

# What a server says is a severity, a colon and two spaces, in whatever language, and then a message
# (pqBuildErrorMessage3 in libpq's fe-protocol3.c).
_ANSWER = ":  "
_STATE = re.compile(r":  ([0-9A-Z]{5})$", re.MULTILINE)
_PQERRORS_SQLSTATE = 3
_TIMEOUT_S = 3.0
_EVENTS: dict[int, int] = {
    PollingStatus.READING: selectors.EVENT_READ,
    PollingStatus.WRITING: selectors.EVENT_WRITE,
}


def find_refusal(message: str, conninfo: str) -> str | None:
    """The SQLSTATE of a server that refused with a message: it is asked once more.

    None if no server has answered, or it does not refuse again, or libpq cannot be told.
    """
    if _ANSWER not in message:
        return None
    pgconn: Any = pq.PGconn.connect_start(conninfo.encode())
    try:
        with suppress(AttributeError, OSError):  # of libraries that are linked in other ways
            library = ctypes.CDLL(sys.modules[pq.PGconn.__module__].__file__)
            library.PQsetErrorVerbosity(ctypes.c_void_p(pgconn.pgconn_ptr), _PQERRORS_SQLSTATE)
        _wait(pgconn)
        states = _STATE.findall(pgconn.get_error_message())
        return states[-1] if states else None
    finally:
        pgconn.finish()


def _wait(pgconn: Any) -> None:
    until_s = monotonic() + _TIMEOUT_S
    while event := _EVENTS.get(pgconn.connect_poll()):
        with selectors.DefaultSelector() as selector:  # the socket may be another one each time
            selector.register(pgconn.socket, event)
            if not selector.select(until_s - monotonic()):
                return
