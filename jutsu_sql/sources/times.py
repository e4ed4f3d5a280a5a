"""The time column of a text file: which format it is in, and what instants it says.

All of it is done by whole columns. Arrow's own ``strptime`` is not used: it takes 30 February for
1 March, and the year 24 for 24 AD.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jutsu_sql.errors import BarsError
from jutsu_sql.instants import (
    DAY_US,
    MAX_US,
    MIN_US,
    SECOND_US,
    Micros,
    local_from_utc,
    us_from_date,
    us_from_datetime,
)
from jutsu_sql.interchange import Stamps, stamps_of_instants, stamps_of_local

Flags = npt.NDArray[np.bool_]

_SAMPLE_ROWS = 1000
_SHOWN_CHARS = 40

_CLOCK = r"(?P<h>\d{1,2}):?(?P<i>\d{2})(?::?(?P<s>\d{2})(?:\.(?P<f>\d{1,6})0{0,3})?)?"
_ZONE = r"(?P<z>Z|(?:UTC|GMT)?[+-]\d{2}(?::?\d{2})?|UTC|GMT)"
_REST = rf"(?:[ T]+{_CLOCK} ?{_ZONE}?)?$"
_YEAR_FIRST = rf"^(?P<y>\d{{4}})[-/.](?P<m>\d{{1,2}})[-/.](?P<d>\d{{1,2}}){_REST}"
_YEAR_LAST = rf"^(?P<a>\d{{1,2}})[-/.](?P<b>\d{{1,2}})[-/.](?P<y>\d{{4}}){_REST}"
_FIRST_IS_DAY = r"^(?:1[3-9]|[23]\d)[-/.]\d{1,2}[-/.]\d{4}"
_SECOND_IS_DAY = r"^\d{1,2}[-/.](?:1[3-9]|[23]\d)[-/.]\d{4}"
_DAY = r"^(?P<y>(?:1[5-9]|2[01])\d{2})(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])"
_COMPACT = _DAY + _REST
_COMPACT_CLOCK = _DAY + r"(?P<h>[01]\d|2[0-3])(?P<i>[0-5]\d)(?P<s>[0-5]\d)?$"
# Twelve digits are left out: they would be dates of 1973 to 2001, and most are _COMPACT_CLOCK's.
_EPOCH = r"^-?(?:\d{9,10}|\d{13}|\d{16}|\d{19})(?:\.0+)?$"
_EPOCH_UNITS = {9: "s", 10: "s", 13: "ms", 16: "us", 19: "ns"}
_UNIT_DIGITS = {"s": {9, 10}, "ms": {13}, "us": {16}, "ns": {19}}
# With names of months, halves of the day, or a year of two digits, as Python reads them.
_NAMED_FORMATS = (
    "%d-%b-%y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%d %b %Y",
    "%Y-%m-%d %I-%p",
    "%Y-%m-%d %I:%M %p",
    "%Y-%m-%d %I:%M:%S %p",
    "%B %d, %Y",
)
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
# Arrow casts exactly this by itself.
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?Z?", re.ASCII)

_DIRECTIVES = {
    "Y": r"(?P<y>\d{4})",
    "m": r"(?P<m>\d{1,2})",
    "d": r"(?P<d>\d{1,2})",
    "H": r"(?P<h>\d{1,2})",
    "M": r"(?P<i>\d{1,2})",
    "S": r"(?P<s>\d{1,2})",
    "f": r"(?P<f>\d{1,6})",
    "z": r"(?P<z>Z|[+-]\d{2}:?\d{2})",
}

# Stamps of a chunk of texts, and which of them are valid.
Reader = Callable[[Any], tuple[Stamps, Flags]]


@dataclass(frozen=True, slots=True)
class Times:
    """A column of times as they came; ``valid`` marks the rows that could be read."""

    texts: pa.ChunkedArray
    stamps: Stamps
    valid: Flags
    format: str


def read_times(
    texts: pa.ChunkedArray,
    date_format: str | None,
    *,
    month_first: bool | None = None,
    units: tuple[str, ...] = (),
    day: date | None = None,
) -> Times:
    """What a column of trimmed strings says, in the one format that most of it is in.

    ``date_format`` is a ``strptime`` format, or ``s``, ``ms``, ``us`` or ``ns`` since 1970-01-01.
    ``month_first`` tells the month from the day where no row does; of numbers, each is in that of
    ``units`` that its digits tell; with ``day`` they are milliseconds of that day, without a zone.

    Raises:
        BarsError: no format fits, or several do.
    """
    if texts.null_count == len(texts):
        none = np.zeros(len(texts), dtype=np.bool_)
        return Times(texts, stamps_of_instants(none.astype(np.int64)), none, "nothing")
    if day is not None:
        name, read = f"ms of {day}", _clock_reader(day)
    elif date_format:
        name, read = _given(date_format)
    else:
        name, read = _recognised(texts, month_first, units)
    stamps, is_valid = _all_stamps(texts, read)
    if date_format and not is_valid.any():
        raise BarsError(f"no time reads as {date_format!r}; the first is {_sample(texts)[0]!r}")
    return Times(texts, stamps, is_valid, name)


def _all_stamps(texts: pa.ChunkedArray, read: Reader) -> tuple[Stamps, Flags]:
    """The stamps of all chunks, each laid in its place: joining them would hold them twice."""
    rows = len(texts)
    stamps = Stamps(
        np.empty(rows, dtype=np.int64),
        np.empty(rows, dtype=np.int64),
        np.empty(rows, dtype=np.bool_),
        np.empty(rows, dtype=np.bool_),
    )
    valid = np.empty(rows, dtype=np.bool_)
    start = 0
    for chunk in texts.chunks:
        part = slice(start, start + len(chunk))
        read_part, valid[part] = read(chunk)
        for name in ("wall_us", "offset_us", "naive", "dated"):
            getattr(stamps, name)[part] = getattr(read_part, name)
        start += len(chunk)
    return stamps, valid


def _sample(texts: pa.ChunkedArray) -> list[str]:
    filled = texts.drop_null()
    step = max(1, len(filled) // _SAMPLE_ROWS)
    picked: list[str] = filled.take(np.arange(0, len(filled), step)).to_pylist()
    return picked


def _recognised(
    texts: pa.ChunkedArray, month_first: bool | None, units: tuple[str, ...]
) -> tuple[str, Reader]:
    sample = _sample(texts)
    matches = {
        pattern: sum(1 for text in sample if re.match(pattern, text, re.ASCII))
        for pattern in (_YEAR_FIRST, _YEAR_LAST, _COMPACT, _COMPACT_CLOCK, _EPOCH)
    }
    pattern = max(matches, key=lambda each: matches[each])
    # A pattern that fits a few of many digits fits them by chance.
    if 2 * matches[pattern] < len(sample):
        if (named := _named_format(sample)) is not None:
            return named, lambda chunk: _read_distinct(chunk, named)
        misfit = next(text for text in sample if not re.match(pattern, text, re.ASCII))
        raise BarsError(
            f"{misfit[:_SHOWN_CHARS]!r} is in no time format that is known here: say which,"
            " as in --date-format '%d-%b-%y', or ms for milliseconds since 1970"
        )
    example = next(text for text in sample if re.match(pattern, text, re.ASCII))
    if pattern == _EPOCH:
        lengths = [len(re.sub(r"\..*|-", "", text)) for text in sample if re.match(_EPOCH, text)]
        unit = _EPOCH_UNITS[max(set(lengths), key=lengths.count)]
        if unit in units:
            name = " or ".join(each for each in units if _UNIT_DIGITS[each] & {*lengths})
            return f"{name} since 1970-01-01 UTC", _digits_reader(units)
        return f"{unit} since 1970-01-01 UTC", _epoch_reader(unit, is_guess=True)
    name = "YYYYMMDD"
    if pattern == _YEAR_LAST:
        first, second = _day_and_month(texts, example, month_first)
        name = "/".join((first, second, "YYYY")).replace("/", example.lstrip("0123456789")[0])
        pattern = pattern.replace("(?P<a>", f"(?P<{first[0].lower()}>")
        pattern = pattern.replace("(?P<b>", f"(?P<{second[0].lower()}>")
    elif pattern == _YEAR_FIRST:
        name = "YYYY-MM-DD".replace("-", example[4])
    parts = re.match(pattern, example, re.ASCII)
    if parts and parts["h"]:
        zone = parts.groupdict().get("z")
        name += " HH:MM" + (":SS" if parts["s"] else "") + (" and zone" if zone else "")
    if pattern == _YEAR_FIRST and _ISO.fullmatch(example):
        return name, _read_iso
    return name, lambda chunk: _extract(chunk, pattern)


def _day_and_month(
    texts: pa.ChunkedArray, example: str, month_first: bool | None
) -> tuple[str, str]:
    """Which of the first two numbers is the day, by what the whole column leaves possible.

    If it leaves both, ``month_first`` tells.
    """
    over = dict.fromkeys("ab", "")
    for name, pattern in (("a", _FIRST_IS_DAY), ("b", _SECOND_IS_DAY)):
        for chunk in texts.chunks:
            found = pc.index(pc.match_substring_regex(chunk, pattern), True).as_py()
            if found >= 0:
                over[name] = chunk[found].as_py()
                break
    if over["a"] and over["b"]:
        raise BarsError(
            f"{over['a']!r} has the day first and {over['b']!r} the month: say which is right,"
            " as in --date-format %m/%d/%Y"
        )
    if not over["a"] and not over["b"] and month_first is None:
        raise BarsError(
            f"{example!r} may have the month or the day first, and no other row tells:"
            " say --date-format %m/%d/%Y or %d/%m/%Y"
        )
    is_day_first = not month_first if not any(over.values()) else bool(over["a"])
    return ("DD", "MM") if is_day_first else ("MM", "DD")


def _given(date_format: str) -> tuple[str, Reader]:
    if date_format in _PER_SECOND:
        reader = _epoch_reader(date_format, is_guess=False)
        return f"{date_format} since 1970-01-01 UTC", reader
    try:
        datetime.strptime("", date_format)
    except ValueError as error:
        if "directive" in str(error) or "stray" in str(error):
            raise BarsError(f"--date-format {date_format!r}: {error}") from None
    directives = re.findall("%(.)", date_format)
    has_day = {"d", "j", "c", "x"} & {*directives} and {"Y", "y", "c", "x"} & {*directives}
    if not has_day:
        raise BarsError(f"--date-format {date_format!r} has no year, or no day")
    if set(directives) <= {*_DIRECTIVES, "%"} and len(set(directives)) == len(directives):
        literals = [re.escape(text) for text in re.split("%.", date_format)]
        groups = ["%" if each == "%" else _DIRECTIVES[each] for each in directives]
        pattern = "".join(a + b for a, b in zip(literals, [*groups, ""], strict=True))
        return date_format, lambda chunk: _extract(chunk, f"^{pattern}$")
    return date_format, lambda chunk: _read_distinct(chunk, date_format)


def _read_iso(texts: Any) -> tuple[Stamps, Flags]:
    """The commonest format, by Arrow's own cast; whatever that does not take goes the long way."""
    length = pc.binary_length(texts).fill_null(0).to_numpy()
    is_zulu = bool(pc.any(pc.ends_with(texts, "Z")).as_py())
    # Arrow takes an hour alone, and a date with a Z.
    date_chars, least_chars = len("2024-01-02"), len("2024-01-02T09:30") + is_zulu
    usual = (length >= least_chars) | (length == 0) | (~np.bool_(is_zulu) & (length == date_chars))
    if not usual.all():
        return _extract(texts, _YEAR_FIRST)
    try:
        wall = texts.cast(pa.timestamp("us", "UTC" if is_zulu else None))
    except pa.ArrowInvalid:
        return _extract(texts, _YEAR_FIRST)
    rows = len(texts)
    dated = length == date_chars
    naive = np.zeros(rows, dtype=np.bool_) if is_zulu else ~dated
    none = np.zeros(rows, dtype=np.int64)
    return Stamps(_int64(wall), none, naive, dated), _filled(wall)


def _extract(texts: Any, pattern: str) -> tuple[Stamps, Flags]:
    """Times by a regular expression with groups y, m, d and perhaps h, i, s, f and z."""
    groups = pc.extract_regex(texts, pattern)
    names = re.findall(r"\(\?P<(\w)>", pattern)

    def two_digits(name: str) -> Any:
        if name not in names:
            return "00"
        return pc.utf8_lpad(pc.struct_field(groups, name), 2, "0")  # an empty one too

    fraction = pc.utf8_rpad(pc.struct_field(groups, "f"), 6, "0") if "f" in names else "0"
    day = pc.binary_join_element_wise(
        pc.struct_field(groups, "y"), two_digits("m"), two_digits("d"), "-"
    )
    clock = pc.binary_join_element_wise(two_digits("h"), two_digits("i"), two_digits("s"), ":")
    wall = _moments(
        pc.binary_join_element_wise(pc.binary_join_element_wise(day, clock, "T"), fraction, ".")
    )
    valid = _filled(wall)
    rows = len(texts)
    dated = valid.copy()
    if "h" in names:
        dated &= pc.equal(pc.struct_field(groups, "h"), "").fill_null(False).to_numpy(False)
    naive = valid & ~dated
    offset = np.zeros(rows, dtype=np.int64)
    if "z" in names:
        zones = pc.struct_field(groups, "z").fill_null("").dictionary_encode()
        codes = zones.indices.to_numpy()
        texts_of_zones = zones.dictionary.to_pylist()
        offset = np.array([_offset_us(text) for text in texts_of_zones], dtype=np.int64)[codes]
        naive &= np.array([not text for text in texts_of_zones])[codes]
    return Stamps(_int64(wall), offset, naive, dated), valid


def _offset_us(text: str) -> int:
    digits = re.sub(r"\D", "", text).ljust(4, "0")
    sign = -1 if "-" in text else 1
    return sign * (int(digits[:2]) * 60 + int(digits[2:])) * 60 * SECOND_US


def _moments(texts: Any) -> Any:
    """Timestamps of ISO texts; null where there is no such moment, as on 30 February."""
    try:
        return texts.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        if len(texts) == 1:
            return pa.nulls(1, pa.timestamp("us"))
        half = len(texts) // 2
        return pa.concat_arrays([_moments(texts[:half]), _moments(texts[half:])])


def _epoch_reader(unit: str, *, is_guess: bool) -> Reader:
    per_second = _PER_SECOND[unit]

    def read(texts: Any) -> tuple[Stamps, Flags]:
        groups = pc.extract_regex(texts, r"^(?P<n>-?(?:\d{1,18}|[1-8]\d{18}))(?:\.0+)?$")
        numbers = pc.struct_field(groups, "n").cast(pa.int64())
        valid, ticks = _filled(numbers), _int64(numbers)
        if unit == "ns":
            valid &= ticks % 1000 == 0
            us = ticks // 1000
        else:
            factor = SECOND_US // per_second
            valid &= (ticks >= MIN_US // factor) & (ticks <= MAX_US // factor)
            us = np.where(valid, ticks, 0) * factor
        if is_guess and unit != "s":
            # One stray row of seconds among milliseconds reads as a day of early 1970.
            valid &= (us < 0) | (us >= 10_000_000 * SECOND_US)
        return stamps_of_instants(us), valid

    return read


def _named_format(sample: list[str]) -> str | None:
    """The format with names that reads most of a sample."""

    def reads(text: str, date_format: str) -> bool:
        try:
            datetime.strptime(text, date_format)
        except ValueError:
            return False
        return True

    counts = {each: sum(reads(text, each) for text in sample) for each in _NAMED_FORMATS}
    best = max(counts, key=lambda each: counts[each])
    return best if 2 * counts[best] > len(sample) else None


def _digits_reader(units: tuple[str, ...]) -> Reader:
    """Numbers since 1970, each in the unit that its digits tell: Binance changed it in 2025."""
    readers = [(_UNIT_DIGITS[unit], _epoch_reader(unit, is_guess=True)) for unit in units]

    def read(texts: Any) -> tuple[Stamps, Flags]:
        digits = pc.binary_length(pc.replace_substring_regex(texts, r"^-|\.0+$", ""))
        lengths = digits.fill_null(0).to_numpy(zero_copy_only=False)
        us, valid = np.zeros(len(texts), dtype=np.int64), np.zeros(len(texts), dtype=np.bool_)
        for wanted, reader in readers:
            stamps, is_read = reader(texts)
            rows = np.isin(lengths, list(wanted)) & is_read
            us[rows], valid[rows] = stamps.wall_us[rows], True
        return stamps_of_instants(us), valid

    return read


def _clock_reader(day: date) -> Reader:
    """Milliseconds since midnight."""
    start_us = us_from_date(day)

    def read(texts: Any) -> tuple[Stamps, Flags]:
        is_number = pc.match_substring_regex(texts, r"^\d{1,8}$")
        ms = pc.if_else(is_number, texts, None).cast(pa.int64())
        us = _int64(ms) * 1000
        valid = _filled(ms) & (us < DAY_US)
        return stamps_of_local(start_us + np.where(valid, us, 0), dated=False), valid

    return read


def times_of_arrow(column: pa.ChunkedArray, date_format: str | None, **hints: Any) -> Times:
    """What a column of any Arrow type says; integers and texts as :func:`read_times` does.

    Raises:
        BarsError: a type that holds no times, or as :func:`read_times` does.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        if not (
            pa.types.is_integer(kind)
            or pa.types.is_string(kind)
            or pa.types.is_floating(kind)
            or pa.types.is_large_string(kind)
        ):
            raise BarsError(f"the column of times is {kind}, which holds no times")
        if pa.types.is_floating(kind):
            column = column.cast(pa.int64())
        texts = pc.ascii_trim_whitespace(column.cast(pa.string()))
        return read_times(texts, date_format, **hints)
    is_valid = np.concatenate([_filled(chunk) for chunk in column.chunks])
    zone_name = getattr(kind, "tz", None)
    us = column.cast(pa.timestamp("us", zone_name), safe=False).cast(pa.int64()).fill_null(0)
    wall = np.concatenate([chunk.to_numpy(zero_copy_only=False) for chunk in us.chunks])
    if getattr(kind, "unit", None) == "ns":
        fine = column.cast(pa.int64()).fill_null(0)
        is_valid &= np.concatenate([np.asarray(chunk) for chunk in fine.chunks]) % 1000 == 0
    if zone_name:
        stamps = stamps_of_instants(wall)
        if zone_name.upper() not in {"UTC", "+00:00", "Z", "ETC/UTC"}:
            local = local_from_utc(wall, zone_name)
            stamps = Stamps(local, local - wall, stamps.naive, stamps.dated)
    else:
        stamps = stamps_of_local(wall, dated=pa.types.is_date(kind))
    return Times(column.cast(pa.string(), safe=False), stamps, is_valid, str(kind))


def _read_distinct(texts: Any, date_format: str) -> tuple[Stamps, Flags]:
    """Times in a format with names, 12-hour clocks or the like: each distinct text by Python."""
    has_clock = bool(re.search("%[HIMSfXcp]", date_format))
    encoded = texts.dictionary_encode()
    rows: list[tuple[int, int, bool, bool, bool]] = []
    for text in encoded.dictionary.to_pylist():
        try:
            moment = datetime.strptime(text, date_format)
        except ValueError:
            rows.append((0, 0, False, False, False))
            continue
        offset = (moment.utcoffset() or timedelta()) // timedelta(microseconds=1)
        is_naive = moment.tzinfo is None and has_clock
        wall = us_from_datetime(moment.replace(tzinfo=UTC))
        rows.append((wall, offset, is_naive, not has_clock, True))
    rows.append((0, 0, False, False, False))  # for null
    codes = encoded.indices.fill_null(len(rows) - 1).to_numpy()
    table = [np.array(column)[codes] for column in zip(*rows, strict=True)]
    return Stamps(*table[:4]), table[4]


def _int64(column: Any) -> Micros:
    return np.asarray(column.cast(pa.int64()).fill_null(0).to_numpy())


def _filled(column: Any) -> Flags:
    return np.array(column.is_valid().to_numpy(zero_copy_only=False))


__all__ = ["Times", "read_times", "times_of_arrow"]
