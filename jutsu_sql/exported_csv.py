"""What an export in CSV and an import of it must agree on.

That is the header, and an apostrophe in front of a symbol that a spreadsheet would take for a
formula.
"""

from __future__ import annotations

import re
from typing import Any

from jutsu_sql.bars import VALUES, Series

COLUMNS = (*Series._fields, "ts", *VALUES)
# How a formula starts (OWASP, "CSV Injection"). A symbol that has an apostrophe in front of that
# gets another one, so that just those that were put there are taken off.
_FORMULA = r"'*[=+\-@\t\r\n]"


def guard_symbol(symbol: str) -> str:
    """A symbol as it is written."""
    return f"'{symbol}" if re.match(_FORMULA, symbol) else symbol


def unguard_symbols(symbols: Any) -> Any:
    """An Arrow array of symbols that were written so, as they were before."""
    import pyarrow.compute as pc

    return pc.replace_substring_regex(symbols, f"^'({_FORMULA})", r"\1")


__all__ = ["COLUMNS", "guard_symbol", "unguard_symbols"]
