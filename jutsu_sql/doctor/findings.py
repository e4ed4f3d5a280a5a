"""What a check found."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """Ok, worth knowing, to be mended, or broken."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Finding(NamedTuple):
    """One thing that a check found, and what to do; an ``ok`` says what was looked for."""

    check: str
    severity: Severity
    found: str
    remedy: str = ""
