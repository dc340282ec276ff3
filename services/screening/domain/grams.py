"""Compiled reading of petition text: from characters to weighted grams, and to the 16 bits in which they are kept.

A gram just read is one 32-bit number: its hash (19 bits), its weighted count (8 bits), and whether it is part of a name
(NAME), of a name in the title (TITLE). A message keeps its heaviest ones in 16 bits each: the step from the hash before
(12 bits; all ones: no gram, go on from there), a class of the count (2 bits), TITLE and NAME.

Whoever changes a function here that `nearness` calls touches that file too: numba's cache looks at one file only.
"""

# mypy: disable-error-code="arg-type, assignment, no-any-return, return-value"
# ruff: noqa: PLR0912, PLR0915 - a call per branch would be slower to compile than to read

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., object])
Array = NDArray[Any]

SHIFT = 13  # below the 19 bits of the hash
BUCKETS = 1 << 19
STRIDE = (1 << 12) - 1
TIMES = (1, 2, 4, 7)  # what a count stands for once packed: 1, 2, 3 to 4 (once in the title), 5 and more
LOGS, POWERS = 1 << 16, 1001
NAME, TITLE = 1, 2
TITLE_TIMES = 3
COUNT_MOST = 255
MIN_COPY = 12  # letters; shorter texts ("如题") say nothing by being equal


def compiled(function: F) -> F:
    """Compile with numba, keep the machine code on disk, and stay typed."""
    return cast(F, numba.njit(cache=True, nogil=True)(function))


@compiled
def _kind(key: int, words: Array, kinds: Array) -> int:
    at = (np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(54)
    while words[at] != 0:
        if words[at] == np.uint64(key):
            return kinds[at]
        at = (at + np.uint64(1)) & np.uint64(1023)
    return 0


@compiled
def _mark(chars: Array, classes: Array, words: Array, kinds: Array, runs: Array, names: Array) -> int:
    """Number the runs of letters (0: none) and the names (0: none) at each position; gives the mask of regions.

    A masked or numbered region (A5区, K3县) ends a run and sets a bit of the mask: it is a place, but one of very many.
    """
    size = chars.size
    regions = np.uint64(0)
    run = 1
    at = 0
    while at < size:
        runs[at] = 0
        names[at] = 0
        code = chars[at]
        kind = classes[code] if code < 0x10000 else np.uint8(1)
        if kind & 8:
            end = at + 1
            value = np.uint64(code)
            while end < size and chars[end] < 0x10000 and classes[chars[end]] & 4:
                value = value * np.uint64(11) + np.uint64(chars[end])
                end += 1
            if end < size and chars[end] < 0x10000 and classes[chars[end]] & 16:
                if end > at + 1 and chars[end] != 0x5E02:
                    regions |= np.uint64(1) << ((value * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(58))
                for gone in range(at, end + 1):
                    runs[gone] = 0
                    names[gone] = 0
                run += 1
                at = end + 1
                continue
        if kind & 1:
            runs[at] = run
        else:
            run += 1
        at += 1
    return regions


@compiled
def _name(chars: Array, classes: Array, words: Array, kinds: Array, runs: Array, names: Array) -> None:
    """Number the names: up to four characters before a head, cut at stop words."""
    size = chars.size
    floor = 0
    number = 1
    at = 0
    while at < size:
        if runs[at] == 0:
            at += 1
            floor = at
            continue
        found = 0
        long = min(4, size - at)
        while long > 0:
            if runs[at + long - 1] == runs[at]:
                key = 0
                for step in range(long):
                    key = (key << 16) | (np.int64(chars[at + step]) & 0xFFFF)
                found = _kind(key, words, kinds) & 7
                if found:
                    break
            long -= 1
        if found & 4 and not found & 1:
            at += long
            floor = at
            continue
        if found & 1 and long == 1 and at + 1 < size and runs[at + 1] == runs[at]:
            pair = (np.int64(chars[at]) << 16) | np.int64(chars[at + 1] & 0xFFFF)
            if _kind(pair, words, kinds) & 8:
                found = 0
        if not found & 1:
            at += 1
            continue
        start = at
        low = max(floor, at - 4)
        while start > low and runs[start - 1] == runs[at] and not classes[chars[start - 1] & 0xFFFF] & 2:
            start -= 1
        end = at + long
        if at - start >= (1 if found & 2 else 2):
            for inside in range(start, end):
                names[inside] = number
            number += 1
        at += long
        floor = at


@compiled
def mark_names(raw: Array, folded: Array, classes: Array, words: Array, kinds: Array) -> tuple[Array, Array]:
    """The folded characters of a piece of text, and at each the number of the name it is part of, 0 for none."""
    chars = np.empty(raw.size, np.uint32)
    for at in range(raw.size):
        chars[at] = folded[raw[at]] if raw[at] < folded.size else raw[at]
    runs, names = np.zeros(raw.size, np.int32), np.zeros(raw.size, np.int32)
    _mark(chars, classes, words, kinds, runs, names)
    _name(chars, classes, words, kinds, runs, names)
    return chars, names


@compiled
def forget(grams: Array, count: int, slots: Array) -> None:
    """Empty the table of these grams again."""
    mask = slots.size - 1
    for index in range(count):
        slot = (np.int64(grams[index]) >> SHIFT) & mask
        while slots[slot] >= 0:
            slots[slot] = -1
            slot = (slot + 1) & mask


@compiled
def read(
    raw: Array,
    title: int,
    folded: Array,
    classes: Array,
    words: Array,
    kinds: Array,
    runs: Array,
    names: Array,
    slots: Array,
    grams: Array,
    places: Array,
    seen: Array,
    step: int,
) -> tuple[int, int, int]:
    """Collect the distinct 2- and 3-grams of title and text, the title's counting three times; `seen` counts them as held by
    `step` more live messages.

    Gives (how many, mask of regions, a number that is equal for equal texts whatever their punctuation).

    `grams` gets the features in order of first appearance and `places` where that was (position * 4 + length); `slots` is
    scratch, all -1 before and after.
    """
    chars = np.empty(raw.size, np.uint32)
    for at in range(raw.size):
        chars[at] = folded[raw[at]] if raw[at] < folded.size else raw[at]
    regions = np.uint64(0)
    head = np.uint64(0)
    count = 0
    mask = slots.size - 1
    mark = 0
    letters = 0
    for back in range(chars.size):
        # The text, and where it says too little by itself, the title after it.
        at = title + back if back < chars.size - title else back - (chars.size - title)
        if at < title and letters >= MIN_COPY:
            break
        if chars[at] >= 0x10000 or classes[chars[at]] & 1:
            mark = (mark ^ np.int64(chars[at])) * 0x100000001B3
            mark ^= (mark >> 29) & 0x7FFFFFFFF
            letters += 1
    mark &= 0x7FFFFFFFFFFFFFFF
    for part in range(2):
        low, high = (0, title) if part == 0 else (title, chars.size)
        piece, run, name = chars[low:high], runs[low:high], names[low:high]
        region = _mark(piece, classes, words, kinds, run, name)
        if part == 0:
            head = region
        regions |= region
        _name(piece, classes, words, kinds, run, name)
        for at in range(piece.size):
            if run[at] == 0:
                continue
            value = (np.int64(piece[at]) * 0x9E3779B1) & 0xFFFFFFFF
            for long in range(2, 4):
                last = at + long - 1
                if last >= piece.size or run[last] != run[at]:
                    break
                value = ((value ^ np.int64(piece[last])) * 0x85EBCA6B) & 0xFFFFFFFF
                value ^= value >> 15
                gram = ((value * 0xC2B2AE35) & 0xFFFFFFFF) >> SHIFT
                flag = 0
                if name[at] and name[at] == name[last]:
                    flag = NAME | TITLE if part == 0 else NAME
                times = TITLE_TIMES if part == 0 else 1
                slot = gram & mask
                while slots[slot] >= 0 and np.int64(grams[slots[slot]]) >> SHIFT != gram:
                    slot = (slot + 1) & mask
                if slots[slot] < 0:
                    if count >= grams.size:
                        continue
                    slots[slot] = count
                    grams[count] = (gram << SHIFT) | (times << 3) | flag
                    places[count] = (low + at) * 4 + long
                    count += 1
                else:
                    old = np.int64(grams[slots[slot]])
                    times = min(COUNT_MOST, times + ((old >> 3) & 255))
                    grams[slots[slot]] = (gram << SHIFT) | (times << 3) | (old & 7) | flag
    forget(grams, count, slots)
    for index in range(count):
        seen[np.int64(grams[index]) >> SHIFT] += step
    return count, head if head else regions, mark


def tables(power: float) -> tuple[Array, Array]:
    """Logarithms of 1 + n and the powers of a rarity in thousandths, looked up instead of computed."""
    return np.log1p(np.arange(LOGS)).astype(np.float32), (np.arange(POWERS) / (POWERS - 1)).astype(
        np.float32
    ) ** np.float32(power)


@compiled
def rarity(gram: int, seen: Array, scale: float, logs: Array, powers: Array) -> float:
    """1 for a gram nobody has used, towards 0 for one that all use; does not depend on how many messages are live."""
    return rare_of(gram >> SHIFT, seen, scale, logs, powers)


@compiled
def rare_of(bucket: int, seen: Array, scale: float, logs: Array, powers: Array) -> float:
    """The same of a gram's hash."""
    value = 1.0 - logs[min(seen[bucket], LOGS - 1)] * scale
    return powers[np.uint32(value * (POWERS - 1))] if value > 0.0 else np.float32(0.0)


@compiled
def weigh(gram: int, seen: Array, scale: float, logs: Array, powers: Array) -> float:
    """The weight of a feature: (1 + log count) * rarity ** power."""
    return (1.0 + logs[((gram >> 3) & 255) - 1]) * rarity(gram, seen, scale, logs, powers)


@compiled
def heaviest(weights: Array, most: int) -> Array:
    """Places of the `most` greatest of these weights (none below 0), the heaviest first; ties keep their order."""
    size = weights.size
    most = min(most, size)
    floor = np.partition(weights, size - most)[size - most] if 0 < most < size else np.float32(0.0)
    keys = np.empty(size, np.uint64)
    many = 0
    bits = weights.view(np.uint32)  # of floats that are not below 0 the bits are in the same order
    for index in range(size):
        keys[many] = np.uint64(0xFFFFFFFF - bits[index]) << np.uint64(32) | np.uint64(index)
        many += weights[index] >= floor
    return np.sort(keys[:many])[:most] & np.uint64(0xFFFFFFFF)


@compiled
def choose(grams: Array, count: int, seen: Array, scale: float, logs: Array, powers: Array, out: Array) -> int:
    """Put the heaviest features in `out`, the heaviest first; ties keep their order of appearance."""
    weights = np.empty(count, np.float32)
    for index in range(count):
        weights[index] = weigh(np.int64(grams[index]), seen, scale, logs, powers)
    order = heaviest(weights, out.size)
    for index in range(order.size):
        out[index] = grams[order[index]]
    return order.size


@compiled
def pack(features: Array, count: int, row: Array) -> int:
    """Write the features into a row of 16-bit steps, as many as it holds; gives how many cells it took."""
    order = np.sort(features[:count])
    before = 0
    used = 0
    for feature in order:
        value = np.int64(feature) >> SHIFT
        while value - before >= STRIDE and used < row.size:
            row[used] = STRIDE << 4
            used += 1
            before += STRIDE
        if used == row.size:
            break
        times = (np.int64(feature) >> 3) & 255
        level = 0 if times == 1 else 1 if times == 2 else 2 if times < 5 else 3
        flags = (np.int64(feature) & (NAME | TITLE)) | level << 2
        row[used] = ((value - before) << 4) | flags
        used += 1
        before = value
    return used


@compiled
def unpack(row: Array, count: int, buckets: Array, marks: Array) -> int:
    """The hashes of a row, and of each its flags and class of count (`marks >> 2`); gives how many there are.

    Both arrays have room for one more than the row. Unsigned numbers and no branch: this runs for every gram compared.
    """
    value = np.uint32(0)
    many = 0
    for at in range(count):
        cell = np.uint32(row[at])
        step = cell >> np.uint32(4)
        value += step
        buckets[many] = value
        marks[many] = cell & np.uint32(15)
        many += step < STRIDE
    return many


@compiled
def unit(
    row: Array, count: int, seen: Array, scale: float, logs: Array, powers: Array,
    buckets: Array, marks: Array, weights: Array, rarities: Array,
) -> int:  # fmt: skip
    """A kept message as a vector of length 1: hash, flags, weight and rarity of each gram; gives how many there are."""
    many = unpack(row, count, buckets, marks)
    square = 0.0
    for at in range(many):
        rare = rare_of(buckets[at], seen, scale, logs, powers)
        weight = np.float32((1.0 + logs[TIMES[marks[at] >> 2] - 1]) * rare)
        rarities[at] = rare
        weights[at] = weight
        square += weight * weight
    norm = 1.0 / np.sqrt(square) if square > 0.0 else 0.0
    for at in range(many):
        weights[at] *= norm
    return many
