"""Who has which connection, for the error of a pool that has none left."""

from __future__ import annotations

import contextlib
import threading
import traceback
from pathlib import Path
from time import monotonic
from typing import Any

from jutsu_sql.errors import Holder, PoolTimeoutError

_SHOWN_HOLDERS = 5
_SHOWN_FRAMES = 4


class Holders:
    """Connections in use. Every method is one operation on a dict, which needs no lock."""

    def __init__(self, *, keep_stacks: bool) -> None:
        self._keeps_stacks = keep_stacks
        self._held: dict[Any, tuple[int, float, str]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def take(self, raw: Any) -> None:
        taken_at = _callers() if self._keeps_stacks else ""
        self._held[raw] = (threading.get_ident(), monotonic(), taken_at)

    def give_back(self, raw: Any) -> bool:
        """Whether this process had it: a child's parent may."""
        return self._held.pop(raw, None) is not None

    def timeout_error(
        self, timeout_s: float, limit: int, cause: Exception | None = None
    ) -> PoolTimeoutError:
        now_s = monotonic()
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        held = sorted(self._held.copy().values(), key=lambda each: each[1])
        holders = [
            Holder(names.get(ident, "a thread that has ended"), now_s - since_s, taken_at)
            for ident, since_s, taken_at in held
        ]
        shown = [str(holder) for holder in holders[:_SHOWN_HOLDERS]]
        if len(holders) > _SHOWN_HOLDERS:
            shown.append(f"and {len(holders) - _SHOWN_HOLDERS} more")
        who = f", {', '.join(shown)}" if shown else ""
        why = f"; the last attempt to connect failed: {cause}" if cause else ""
        return PoolTimeoutError(
            f"no connection came free within {timeout_s:g} s (pool_timeout): of"
            f" {limit}, {len(holders)} are in use{who}{why}",
            holders=holders,
        )


def _callers() -> str:
    """Where this was called from, outside the toolkit."""
    ours = (str(Path(__file__).parents[1]), contextlib.__file__)
    frames = [f for f in traceback.extract_stack() if not f.filename.startswith(ours)]
    return "".join(traceback.format_list(frames[-_SHOWN_FRAMES:]))
