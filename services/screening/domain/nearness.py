"""Compiled comparing of messages and matters: an index with short entries, candidates, and how much two matters are one."""

# mypy: disable-error-code="arg-type, assignment, no-any-return"
# ruff: noqa: PLR0912, PLR0915 - a call per branch would be slower to compile than to read

from __future__ import annotations

import numpy as np

from services.screening.domain.grams import NAME, SHIFT, TITLE, Array, compiled, rarity, unpack, weigh

SAMPLE = 16  # members of a matter that stand for it: the latest
NAME_FLOOR = 0.45  # rarity from which the name in a title tells one place from another


@compiled
def post(
    features: Array, count: int, number: int, rows: Array, rings: Array, heads: Array, used: int, lost: Array
) -> int:
    """Enter a message under each of its features; `lost` gets what that pushed out, for `unpost`. Gives the rows in use."""
    depth = rings.shape[1]
    mask = rows.size - 1
    for index in range(count):
        bucket = (np.int64(features[index]) >> SHIFT) & mask
        row = rows[bucket]
        if row < 0:
            row = used
            rows[bucket] = row
            used += 1
        at = heads[row] % depth
        lost[index] = rings[row, at]
        rings[row, at] = number
        heads[row] += 1
    return used


@compiled
def unpost(features: Array, count: int, rows: Array, rings: Array, heads: Array, lost: Array) -> None:
    """Take back `post` of the same message, the last one that was posted."""
    depth = rings.shape[1]
    mask = rows.size - 1
    for index in range(count - 1, -1, -1):
        row = rows[(np.int64(features[index]) >> SHIFT) & mask]
        heads[row] -= 1
        rings[row, heads[row] % depth] = lost[index]


@compiled
def candidates(
    features: Array, count: int, number: int, low: int, seen: Array, scale: float, logs: Array, powers: Array,
    rows: Array, rings: Array, heads: Array, matter: Array, score: Array, touched: Array, group: Array, out: Array,
) -> int:  # fmt: skip
    """The matters that share most with a message, the best first; `score` and `group` are scratch, 0 before and after.

    A matter is as near as the nearest of its messages.
    """
    many = 0
    mask = rows.size - 1
    ring = matter.size - 1
    for index in range(count):
        gram = np.int64(features[index])
        row = rows[(gram >> SHIFT) & mask]
        if row < 0:
            continue
        weight = np.float32(weigh(gram, seen, scale, logs, powers) * rarity(gram, seen, scale, logs, powers))
        if weight <= 0.0:
            continue
        depth = rings.shape[1]
        for back in range(min(depth, heads[row])):
            entry = rings[row, (heads[row] - 1 - back) % depth]
            if entry < low:
                break
            if entry >= number:
                continue
            if score[entry & ring] == 0.0:
                touched[many] = entry
                many += 1
            score[entry & ring] += weight
    floor = np.float32(0.0)
    near = 4 * out.size
    if many > near:
        values = np.empty(many, np.float32)
        for index in range(many):
            values[index] = score[touched[index] & ring]
        floor = np.partition(values, many - near)[many - near]
    found = np.empty(min(many, 2 * near), np.int32)
    taken = 0
    for index in range(many):
        value = score[touched[index] & ring]
        score[touched[index] & ring] = 0.0
        if value >= floor:
            home = matter[touched[index] & ring]
            if group[home] == 0.0:
                if taken == found.size:
                    continue
                found[taken] = home
                taken += 1
            group[home] = max(group[home], value)
    ranks = np.empty(taken, np.float32)
    for index in range(taken):
        ranks[index] = -group[found[index]]
        group[found[index]] = 0.0
    order = np.argsort(ranks, kind="mergesort")
    best = min(taken, out.size)
    for index in range(best):
        out[index] = found[order[index]]
    return best


# Columns of the table in which two matters are laid side by side, the second one's four further on.
_SUM, _OTHER, _HOLD, _TITLE, _SECOND = 0, 1, 2, 3, 4


@compiled
def _lay(
    home: int, side: int, low: int, features: Array, sizes: Array, previous: Array, last: Array, alone: bool,
    seen: Array, scale: float, logs: Array, powers: Array, keys: Array, cells: Array, spots: Array, start: int,
    sample: Array, row: Array, weights: Array,
) -> tuple[int, int, int]:  # fmt: skip
    """Add the latest members of a matter to the table; gives (members, members with a name in the title, cells used).

    `alone`: it has one member, of which only what the table holds already matters.
    """
    ring = features.shape[0] - 1
    mask = keys.size - 1
    members = named = 0
    used = start
    number = last[home]
    while number >= low and members < SAMPLE:
        square = 0.0
        titles = 0.0
        many = unpack(features[number & ring], sizes[number & ring], row)
        for index in range(many):
            gram = np.int64(row[index])
            weights[index] = weigh(gram, seen, scale, logs, powers)
            square += weights[index] * weights[index]
            if gram & TITLE:
                titles += max(0.0, rarity(gram, seen, scale, logs, powers) - NAME_FLOOR)
        norm = 1.0 / np.sqrt(square) if square > 0.0 else 0.0
        if titles > 0.0:
            named += 1
        for index in range(many):
            gram = np.int64(row[index])
            key = (gram >> SHIFT) + 1
            slot = (key * 0x9E3779B1 >> 8) & mask
            while keys[slot] != 0 and keys[slot] != key:
                slot = (slot + 1) & mask
            if keys[slot] == 0:
                if alone:
                    continue
                keys[slot] = key
                spots[used] = slot
                used += 1
                for column in range(8):
                    cells[slot, column] = 0.0
            weight = np.float32(weights[index] * norm)
            cells[slot, side + _SUM] += weight
            cells[slot, side + _HOLD] += np.float32(1.0)
            if not gram & NAME:
                cells[slot, side + _OTHER] += weight
            if gram & TITLE and titles > 0.0:
                held = max(0.0, rarity(gram, seen, scale, logs, powers) - NAME_FLOOR)
                cells[slot, side + _TITLE] += np.float32(held / titles)
        sample[members] = number
        members += 1
        number = previous[number & ring]
    return members, named, used


@compiled
def _whole(square: float, members: int, count: int) -> float:
    """The square of a matter's mean vector, when its sample has this square of the sum and it has `count` members."""
    like = (square - members) / (members * (members - 1)) if members > 1 else 0.0
    return (1.0 + (count - 1.0) * like) / count


@compiled
def rank(
    one: int, homes: Array, many: int, low: int, features: Array, sizes: Array, previous: Array, last: Array,
    counts: Array, petitioner: Array, topic: Array, region: Array, seen: Array, scale: float, logs: Array,
    powers: Array, keys: Array, cells: Array, spots: Array, numbers: Array, out: Array, known: Array,
) -> None:  # fmt: skip
    """How much a matter and each of the `homes` are the same, 0…1: the cosine of their sums, but what they share as names
    counts at most `names` times as much as what else they share, and less where their names or regions differ, where one
    person wrote both, or where their topics differ. `known` gets how much of the names in the titles of one the other holds.
    """
    names, veto, unnamed, apart, same, topical = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]
    ring = features.shape[0] - 1
    first, second = np.empty(SAMPLE, np.int32), np.empty(SAMPLE, np.int32)
    row, weights = np.empty(features.shape[1], np.uint32), np.empty(features.shape[1], np.float32)
    m, m_named, laid = _lay(
        one, 0, low, features, sizes, previous, last, False,
        seen, scale, logs, powers, keys, cells, spots, 0, first, row, weights,
    )  # fmt: skip
    square_m = 0.0
    for index in range(laid):
        square_m += cells[spots[index], _SUM] ** 2
    for at in range(many):
        other = homes[at]
        n, n_named, used = _lay(
            other, _SECOND, low, features, sizes, previous, last, counts[other] == 1,
            seen, scale, logs, powers, keys, cells, spots, laid, second, row, weights,
        )  # fmt: skip
        dot = rest = square_n = covered_m = covered_n = 0.0
        for index in range(used - 1, -1, -1):
            slot = spots[index]
            b = cells[slot, _SECOND]
            if b > 0.0:
                dot += cells[slot, _SUM] * b
                rest += cells[slot, _OTHER] * cells[slot, _SECOND + _OTHER]
                square_n += b * b
                covered_m += cells[slot, _TITLE] * cells[slot, _SECOND + _HOLD]
                covered_n += cells[slot, _SECOND + _TITLE] * cells[slot, _HOLD]
                for column in range(_SECOND, 8):
                    cells[slot, column] = 0.0
            if index >= laid:
                keys[slot] = 0
        out[at] = known[at] = 0.0
        if dot <= 0.0:
            continue
        if n == 1:
            square_n = 1.0
        shared = rest + min(dot - rest, names * rest)
        whole = _whole(square_m, m, counts[one]) * _whole(square_n, n, counts[other])
        score = shared / (m * n) / np.sqrt(whole)
        covered_m = covered_m / (m_named * n) if m_named else 0.0
        covered_n = covered_n / (n_named * m) if n_named else 0.0
        known[at] = min(1.0, max(covered_m, covered_n))
        factor = veto + (1.0 - veto) * np.sqrt(known[at])
        if not m_named or not n_named:
            factor = max(factor, unnamed)
        by_same = against = agree = differ = 0
        for i in range(m):
            for j in range(n):
                x, y = first[i] & ring, second[j] & ring
                by_same += petitioner[x] == petitioner[y]
                if region[x] and region[y]:
                    against += 1 if region[x] & region[y] == 0 else -1
                if topic[x] and topic[y]:
                    agree += topic[x] == topic[y]
                    differ += topic[x] != topic[y]
        pairs = float(m * n)
        if against > 0.5 * pairs:
            factor *= apart
        factor *= 1.0 - (1.0 - same) * by_same / pairs
        factor *= 1.0 + topical * (agree - differ) / pairs
        out[at] = min(1.0, score * factor)
    for index in range(laid - 1, -1, -1):
        keys[spots[index]] = 0


@compiled
def chain(numbers: Array, home: int, matter: Array, previous: Array, last: Array, counts: Array) -> None:
    """Make these messages (in order) the members of a matter."""
    ring = matter.size - 1
    before = -1
    for number in numbers:
        matter[number & ring] = home
        previous[number & ring] = before
        before = number
    last[home] = before
    counts[home] = numbers.size


@compiled
def unchain(
    numbers: Array, before: Array, home: int, matter: Array, previous: Array, last: Array, counts: Array
) -> None:
    """Make these messages the members of a matter again, with the `previous` they had."""
    ring = matter.size - 1
    for index in range(numbers.size):
        matter[numbers[index] & ring] = home
        previous[numbers[index] & ring] = before[index]
    last[home] = numbers[-1] if numbers.size else -1
    counts[home] = numbers.size


@compiled
def members(home: int, previous: Array, last: Array, counts: Array) -> Array:
    """The live messages of a matter, in order."""
    ring = previous.size - 1
    out = np.empty(counts[home], np.int32)
    number = last[home]
    for at in range(counts[home] - 1, -1, -1):
        out[at] = number
        number = previous[number & ring]
    return out


@compiled
def first_of(homes: Array, many: int, previous: Array, last: Array, counts: Array, out: Array) -> None:
    """The earliest live message of each matter."""
    ring = previous.size - 1
    for at in range(many):
        number = last[homes[at]]
        for _ in range(counts[homes[at]] - 1):
            number = previous[number & ring]
        out[at] = number


@compiled
def shared(
    grams: Array, places: Array, count: int, home: int, low: int, features: Array, sizes: Array, previous: Array, last: Array,
    seen: Array, scale: float, logs: Array, powers: Array, limit: int,
) -> Array:  # fmt: skip
    """(place, weight) of the heaviest grams that the latest members of a matter hold too, the heaviest first."""
    ring = features.shape[0] - 1
    row = np.empty(features.shape[1], np.uint32)
    held = set([np.int64(-1)])  # noqa: C405 - numba needs a list to know the type
    number = last[home]
    looked = 0
    while number >= low and looked < SAMPLE:
        for index in range(unpack(features[number & ring], sizes[number & ring], row)):
            held.add(np.int64(row[index]) >> SHIFT)
        looked += 1
        number = previous[number & ring]
    weights = np.zeros(count, np.float32)
    many = 0
    for index in range(count):
        gram = np.int64(grams[index])
        if gram >> SHIFT in held:
            weights[index] = -weigh(gram, seen, scale, logs, powers)
            many += 1
    order = np.argsort(weights, kind="mergesort")
    out = np.empty((min(many, limit), 2), np.float64)
    for index in range(out.shape[0]):
        out[index, 0] = places[order[index]]
        out[index, 1] = -weights[order[index]]
    return out
