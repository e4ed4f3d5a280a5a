"""Turns to write to a SQLite file: threads and processes are served in the order of arrival.

SQLite itself lets everybody try again after ever longer pauses. Of four processes that write 4 ms
at a time, one then got 331 turns in 4 s and another got one. The file's own lock stays what keeps
writers apart; what is here only decides who tries it next, and so may fail without harm.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from time import monotonic, sleep

from jutsu_sql.errors import DatabaseLockedError

try:
    import fcntl
except ImportError:  # Windows: processes take their turns as SQLite has it
    fcntl = None  # type: ignore[assignment]

# Of the file beside the database in which processes queue.
TURN_SUFFIX = "-turn"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.001, 0.008
_TICKET_BYTES = 8
# Tickets are bytes from here on that are locked, and never written: a file has room for 2**63.
_FIRST_TICKET = 2**32


class WriteTurn:
    """Whose turn it is in this process, and with ``queue_path`` among all that use that file."""

    def __init__(self, timeout_s: float, queue_path: str | None) -> None:
        self._timeout_s = timeout_s
        self._queue_path = queue_path
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._process = os.getpid()
        self._lock = _FairLock()
        self._queue = _Queue(self._queue_path) if self._queue_path and fcntl else None
        self._owner: int | None = None

    def __enter__(self) -> None:
        if self._process != os.getpid():
            self._start_afresh()  # after a fork: whose turn it was there is not here
        if self._owner == threading.get_ident():
            raise DatabaseLockedError(
                "this thread has a write transaction open on another connection:"
                " run the statement on that one (tx.run)"
            )
        deadline_s = monotonic() + self._timeout_s
        if not self._lock.acquire(self._timeout_s):
            raise self._too_late("another thread has")
        self._owner = threading.get_ident()
        try:
            if self._queue and not self._queue.wait(deadline_s):
                raise self._too_late("other processes have")
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        if self._queue:
            self._queue.leave()
        self._owner = None
        self._lock.release()

    def close(self) -> None:
        if self._queue:
            self._queue.close()

    def _too_late(self, who: str) -> DatabaseLockedError:
        return DatabaseLockedError(
            f"{who} been writing for {self._timeout_s:g} s (lock_timeout, else pool_timeout)"
        )


class _FairLock:
    """A lock that is handed to who waited longest; one of :mod:`threading` goes to who is there."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_held = False
        self._gates: deque[threading.Lock] = deque()

    def acquire(self, timeout_s: float) -> bool:
        with self._guard:
            if not self._is_held:
                self._is_held = True
                return True
            gate = threading.Lock()
            gate.acquire()
            self._gates.append(gate)
        try:
            if gate.acquire(timeout=timeout_s):
                return True
        except BaseException:
            if not self._give_up(gate):
                self.release()
            raise
        return not self._give_up(gate)

    def _give_up(self, gate: threading.Lock) -> bool:
        """False if the lock has been handed over at the last moment."""
        with self._guard:
            with suppress(ValueError):
                self._gates.remove(gate)
                return True
            return False

    def release(self) -> None:
        with self._guard:
            if self._gates:
                self._gates.popleft().release()
            else:
                self._is_held = False


class _Queue:
    """Numbered tickets of processes, each a locked byte of a file: one that dies has none.

    It costs 15 us a turn. Two queues of one process on one file do not see each other.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._ticket: int | None = None

    def wait(self, deadline_s: float) -> bool:
        """Until nobody is before us; False if that takes too long."""
        try:
            if self._descriptor is None:
                self._descriptor = self._open()
            self._ticket = self._take_ticket(self._descriptor)
            pause_s = _FIRST_PAUSE_S
            while not self._is_free(self._descriptor, self._ticket):
                if (left_s := deadline_s - monotonic()) <= 0:
                    return False
                sleep(min(pause_s, left_s))
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        except OSError:
            return True  # a folder or a file system without such locks: no queue, and no harm
        return True

    def leave(self) -> None:
        if self._ticket is not None and self._descriptor is not None:
            with suppress(OSError):
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _FIRST_TICKET + self._ticket)
            self._ticket = None

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        """For those who may write to the database, as SQLite's own files beside it are."""
        mode = os.stat(self._path.removesuffix(TURN_SUFFIX)).st_mode & 0o666
        return os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, mode)

    @staticmethod
    def _is_free(descriptor: int, ticket: int) -> bool:
        """Whether no other process has a ticket before this one."""
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, ticket, _FIRST_TICKET)
        except (BlockingIOError, PermissionError):
            return False
        fcntl.lockf(descriptor, fcntl.LOCK_UN, ticket, _FIRST_TICKET)
        return True

    @staticmethod
    def _take_ticket(descriptor: int) -> int:
        fcntl.lockf(descriptor, fcntl.LOCK_EX, _TICKET_BYTES)
        try:
            # The first is 1: a range of no bytes would be one without an end.
            ticket = int.from_bytes(os.pread(descriptor, _TICKET_BYTES, 0), "little") + 1
            os.pwrite(descriptor, ticket.to_bytes(_TICKET_BYTES, "little"), 0)
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _FIRST_TICKET + ticket)
        finally:
            fcntl.lockf(descriptor, fcntl.LOCK_UN, _TICKET_BYTES)
        return ticket
