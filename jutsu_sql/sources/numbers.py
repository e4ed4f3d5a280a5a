"""Numbers as vendors write them, into doubles that give the same decimal back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jutsu_sql.errors import BarsError
from jutsu_sql.interchange import Doubles

_NUMBER = r"(?i)^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|inf|infinity)$"
_EXACT_DIGITS = 15
_EXACT_INTEGER = 2**53
_SHOWN_CHARS = 40
# What stands between thousands besides the mark that is not the decimal one.
_BLANKS = "\u00a0\u202f\u2009 '\u2019"
_CURRENCY = r"^([+-]?)[$€£¥]\s?"
_EXPONENTS = {"k": 3, "m": 6, "b": 9, "t": 12}
# What tells how a comma or a point is meant. Three digits behind a lone one tell nothing, unless
# nothing but a zero stands before it.
_DECIMAL = r"{0}(?:\d{{1,2}}|\d{{4,}})(?:[eE]\S*|[KMBT%]*)$|^[+-]?0?{0}\d|\d{1}\d{{3}}{0}\d"


def is_number(text: str) -> bool:
    """Whether a cell is a number without anything around it."""
    return re.fullmatch(_NUMBER, text) is not None


def decimal_mark(cells: Iterable[str]) -> str:
    """Whether the point or the comma is the decimal mark of some cells.

    Raises:
        BarsError: nothing tells whether ``1,234`` is more than a thousand or less than two.
    """
    texts = [cell for cell in cells if re.search(r"\d", cell)]
    with_comma = [text for text in texts if "," in text]
    if not with_comma and not any(text.count(".") > 1 for text in texts):
        return "."
    commas = sum(bool(re.search(_DECIMAL.format(",", r"\."), text)) for text in texts)
    points = sum(bool(re.search(_DECIMAL.format(r"\.", ","), text)) for text in texts)
    commas += sum(text.count(".") > 1 for text in texts)
    points += sum(text.count(",") > 1 for text in texts)
    if commas == points:
        example = (with_comma or texts)[0]
        raise BarsError(
            f"the comma of {example!r} may stand for the decimal point or between thousands:"
            " say --decimal ',' or --decimal '.'"
        )
    return "," if commas > points else "."


def doubles_of_texts(
    texts: Any, name: str, decimal: str = ".", missing: tuple[str, ...] = ()
) -> tuple[Doubles, dict[int, str]]:
    """Texts as doubles, NaN for what is no number or more than a double carries; and why, by row.

    ``decimal`` is the decimal mark. Volumes may end in K, M, B or T. ``missing`` texts mean that
    there is no value.
    """
    faults: dict[int, str] = {}
    numbers = None
    if decimal == "." and not missing:
        try:
            numbers = texts.cast(pa.float64())
        except pa.ArrowInvalid:
            numbers = None
    if numbers is None:
        given = texts = pc.ascii_trim_whitespace(texts)
        texts = _cleaned(texts, name, decimal, missing)
        is_valid = pc.match_substring_regex(texts, _NUMBER)
        for row in np.flatnonzero(pc.invert(is_valid).fill_null(False).to_numpy(False)).tolist():
            if text := given[row].as_py():
                faults[row] = f"{name} {_shown(text)!r} is no number"
        texts = pc.if_else(is_valid, texts, None)
        numbers = texts.cast(pa.float64())
    for row in _inexact_rows(texts, numbers):
        faults[row] = f"{name} {_shown(texts[row].as_py())} has more digits than a double carries"
    doubles = np.array(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)
    doubles[list(faults)] = np.nan
    return doubles, faults


def _cleaned(texts: Any, name: str, decimal: str, missing: tuple[str, ...]) -> Any:
    """Texts without currency and thousands, with a decimal point, and powers of ten written out."""
    thousands = "," if decimal == "." else r"\."
    grouped = (
        rf"^[$€£¥]?[+-]?[$€£¥]?\s?\d{{1,3}}(?:[{thousands}{_BLANKS}]\d{{3}})+"
        rf"(?:[{re.escape(decimal)}]\d*)?[A-Za-z]?$"
    )
    if missing:
        texts = pc.if_else(pc.is_in(texts, pa.array(missing)), None, texts)
    texts = pc.replace_substring_regex(texts, _CURRENCY, r"\1")
    ungrouped = pc.replace_substring_regex(texts, rf"[{thousands}{_BLANKS}]", "")
    texts = pc.if_else(pc.match_substring_regex(texts, grouped), ungrouped, texts)
    if decimal == ",":
        # A point that is left is no separator of thousands: such a cell is no number.
        has_point = pc.match_substring(texts, ".")
        texts = pc.if_else(has_point, pc.binary_join_element_wise(texts, "?", ""), texts)
        texts = pc.replace_substring(texts, ",", ".", max_replacements=1)
    if name == "volume":
        for suffix, exponent in _EXPONENTS.items():
            texts = pc.replace_substring_regex(texts, rf"(?i)^([\d.]+){suffix}$", rf"\1e{exponent}")
    return texts


def scaled(numbers: Doubles, exponent: int) -> Doubles:
    """Integers of units of a power of ten as what they mean, each to the nearest double.

    Integers that a double does not hold are none.
    """
    large = np.abs(numbers) > _EXACT_INTEGER
    result = numbers / 10.0**-exponent
    result[large] = np.nan
    return result


def _inexact_rows(texts: Any, numbers: Any) -> Iterator[int]:
    """The rows whose text a double does not give back."""
    # A text of 15 characters has at most 15 digits, and those survive, unless an exponent takes
    # them out of range.
    length = pc.binary_length(texts)
    buffer = texts.buffers()[2]
    data = b"" if buffer is None else buffer.to_pybytes()
    # A regular expression would take a quarter of the time of reading a file.
    has_exponent = b"e" in data or b"E" in data
    if not has_exponent and (pc.max(length).as_py() or 0) <= _EXACT_DIGITS:
        return
    is_suspect = pc.or_(
        pc.greater(length, _EXACT_DIGITS),
        pc.or_(pc.match_substring(texts, "e"), pc.match_substring(texts, "E")),
    )
    suspects = np.flatnonzero(is_suspect.fill_null(False).to_numpy(zero_copy_only=False))
    if not len(suspects):
        return
    texts, numbers = texts.take(suspects), numbers.take(suspects)
    # What a program wrote is mostly what a program shows again; Python looks at the rest.
    shown = numbers.cast(pa.string())
    differs = pc.not_equal(pc.utf8_rtrim(texts, "0"), pc.utf8_rtrim(shown, "0"))
    for at in np.flatnonzero(differs.to_numpy(zero_copy_only=False)).tolist():
        number = numbers[at].as_py()
        if np.isfinite(number) and Decimal(repr(number)) != Decimal(texts[at].as_py()):
            yield int(suspects[at])


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "..."


__all__ = ["decimal_mark", "doubles_of_texts", "is_number", "scaled"]
