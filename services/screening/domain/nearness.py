"""Compiled comparing of messages and matters: an index with short entries, candidates, and how much two matters are one."""

# mypy: disable-error-code="arg-type, assignment, no-any-return"
# ruff: noqa: PLR0912, PLR0915 - a call per branch would be slower to compile than to read

from __future__ import annotations

import numpy as np

from services.screening.domain.grams import (
    NAME,
    SHIFT,
    TITLE,
    Array,
    choose,
    compiled,
    forget,
    heaviest,
    pack,
    rarity,
    unit,
    unpack,
    weigh,
)

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
def enter(
    grams: Array, count: int, number: int, seen: Array, scale: float, logs: Array, powers: Array, chosen: Array, row: Array,
    rows: Array, rings: Array, heads: Array, used: int, posted: Array, lost: Array,
) -> tuple[int, int, int, int]:  # fmt: skip
    """Keep the heaviest grams of a message and post the heaviest of those; gives (kept, cells of its row, posted, rows in use)."""
    kept = choose(grams, count, seen, scale, logs, powers, chosen)
    most = min(kept, posted.size)
    posted[:most] = chosen[:most]
    return kept, pack(chosen, kept, row), most, post(posted, most, number, rows, rings, heads, used, lost)


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
        at = heads[row] % depth
        for _ in range(min(depth, heads[row])):
            at = at - 1 if at else depth - 1
            entry = rings[row, at]
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
        ranks[index] = group[found[index]]
        group[found[index]] = 0.0
    order = heaviest(ranks, out.size)
    for index in range(order.size):
        out[index] = found[order[index]]
    return order.size


# Columns of the table in which two matters are laid side by side, beside the sums themselves.
_OTHER, _HOLD, _TITLE = 0, 1, 2


@compiled
def _lay(
    home: int, low: int, features: Array, sizes: Array, previous: Array, last: Array, alone: bool,
    seen: Array, scale: float, logs: Array, powers: Array, table: Array, spots: Array, start: int, whole: int,
    sums: Array, parts: Array, sample: Array, buckets: Array, marks: Array, weights: Array, rarities: Array,
) -> tuple[int, int, int]:  # fmt: skip
    """Add the latest members of a matter to the table; gives (members, members with a name in the title, keys used).

    The table numbers the grams: `sums` and, for the first `whole` of them, `parts` are what the matter holds of each.
    `alone`: it has one member, of which only what the table holds already matters.
    """
    ring = features.shape[0] - 1
    mask = np.uint64(table.size - 1)
    members = named = 0
    used = start
    number = last[home]
    sums[:start] = 0.0
    parts[:start] = 0.0
    while number >= low and members < SAMPLE:
        many = unit(
            features[number & ring], sizes[number & ring], seen, scale, logs, powers, buckets, marks, weights, rarities
        )
        titles = 0.0
        for index in range(many):
            if marks[index] & TITLE:
                titles += max(0.0, rarities[index] - NAME_FLOOR)
        named += titles > 0.0
        for index in range(many):
            key = np.uint64(buckets[index]) + np.uint64(1)
            slot = (key * np.uint64(0x9E3779B1) >> np.uint64(8)) & mask
            while table[slot] != 0 and table[slot] >> np.uint64(16) != key:
                slot = (slot + np.uint64(1)) & mask
            if table[slot] == 0:
                if alone:
                    continue
                table[slot] = key << np.uint64(16) | np.uint64(used)
                spots[used] = slot
                sums[used] = 0.0
                if used < whole:
                    parts[used] = 0.0
                used += 1
            spot = table[slot] & np.uint64(0xFFFF)
            sums[spot] += weights[index]
            if spot < whole:
                parts[spot, _HOLD] += np.float32(1.0)
                if not marks[index] & NAME:
                    parts[spot, _OTHER] += weights[index]
                if marks[index] & TITLE and titles > 0.0:
                    parts[spot, _TITLE] += np.float32(max(0.0, rarities[index] - NAME_FLOOR) / titles)
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
    powers: Array, table: Array, spots: Array, sums: Array, parts: Array, numbers: Array, out: Array, known: Array,
) -> None:  # fmt: skip
    """How much a matter and each of the `homes` are the same, 0…1: the cosine of their sums, but what they share as names
    counts at most `names` times as much as what else they share, and less where their names or regions differ, where one
    person wrote both, or where their topics differ. `known` gets how much of the names in the titles of one the other holds.
    """
    names, veto, unnamed, apart, same, topical = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]
    form = numbers[6]
    ring = features.shape[0] - 1
    first, second = np.empty(SAMPLE, np.int32), np.empty(SAMPLE, np.int32)
    room = features.shape[1] + 1
    buckets, marks = np.empty(room, np.uint32), np.empty(room, np.uint8)
    weights, rarities = np.empty(room, np.float32), np.empty(room, np.float32)
    m, m_named, laid = _lay(
        one, low, features, sizes, previous, last, False, seen, scale, logs, powers, table, spots, 0, spots.size,
        sums[0], parts[0], first, buckets, marks, weights, rarities,
    )  # fmt: skip
    square_m = 0.0
    for index in range(laid):
        square_m += sums[0, index] ** 2
    for at in range(many):
        other = homes[at]
        n, n_named, used = _lay(
            other, low, features, sizes, previous, last, counts[other] == 1, seen, scale, logs, powers, table, spots,
            laid, laid, sums[1], parts[1], second, buckets, marks, weights, rarities,
        )  # fmt: skip
        dot = rest = square_n = covered_m = covered_n = 0.0
        for index in range(used - 1, laid - 1, -1):
            square_n += sums[1, index] * sums[1, index]
            table[spots[index]] = 0
        for index in range(laid - 1, -1, -1):
            b = sums[1, index]
            if b > 0.0:
                dot += sums[0, index] * b
                rest += parts[0, index, _OTHER] * parts[1, index, _OTHER]
                square_n += b * b
                covered_m += parts[0, index, _TITLE] * parts[1, index, _HOLD]
                covered_n += parts[1, index, _TITLE] * parts[0, index, _HOLD]
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
        # Two people hardly ever word one matter alike: what is so like is a form letter, of which only the names tell.
        factor = veto + (1.0 - veto) * np.sqrt(known[at]) if score < form else known[at] ** 2
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
        table[spots[index]] = 0


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
def near(
    chosen: Array, probed: int, number: int, low: int, seen: Array, scale: float, logs: Array, powers: Array, rows: Array,
    rings: Array, heads: Array, score: Array, touched: Array, group: Array, found: Array, first: Array,
    features: Array, sizes: Array, matter: Array, previous: Array, last: Array, counts: Array, petitioner: Array,
    topic: Array, region: Array, table: Array, spots: Array, sums: Array, parts: Array, numbers: Array, out: Array,
    known: Array,
) -> int:  # fmt: skip
    """`candidates` of a message, `rank`ed; `first` gets the earliest live message of each. Gives how many there are."""
    many = candidates(
        chosen, probed, number, low, seen, scale, logs, powers, rows, rings, heads, matter, score, touched, group, found
    )
    own = matter[number & (matter.size - 1)]
    rank(
        own, found, many, low, features, sizes, previous, last, counts, petitioner, topic, region, seen, scale, logs,
        powers, table, spots, sums, parts, numbers, out, known,
    )  # fmt: skip
    for at in range(many):
        first[at] = last[found[at]]
        for _ in range(counts[found[at]] - 1):
            first[at] = previous[first[at] & (previous.size - 1)]
    return many


@compiled
def shared(
    grams: Array, places: Array, count: int, slots: Array, home: int, low: int, features: Array, sizes: Array,
    previous: Array, last: Array, seen: Array, scale: float, logs: Array, powers: Array, limit: int,
) -> Array:  # fmt: skip
    """(place, weight) of the heaviest grams that the latest members of a matter hold too, the heaviest first.

    `slots` is scratch, all -1 before and after.
    """
    ring = features.shape[0] - 1
    mask = slots.size - 1
    room = features.shape[1] + 1
    buckets, marks = np.empty(room, np.uint32), np.empty(room, np.uint8)
    for index in range(count):
        slot = (np.int64(grams[index]) >> SHIFT) & mask
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = index
    weights = np.zeros(count, np.float32)
    held = np.zeros(count, np.bool_)
    many = 0
    number = last[home]
    looked = 0
    while number >= low and looked < SAMPLE and many < count:
        for at in range(unpack(features[number & ring], sizes[number & ring], buckets, marks)):
            slot = np.int64(buckets[at]) & mask
            while slots[slot] >= 0 and np.int64(grams[slots[slot]]) >> SHIFT != buckets[at]:
                slot = (slot + 1) & mask
            if slots[slot] >= 0 and not held[slots[slot]]:
                held[slots[slot]] = True
                weights[slots[slot]] = weigh(np.int64(grams[slots[slot]]), seen, scale, logs, powers)
                many += 1
        looked += 1
        number = previous[number & ring]
    forget(grams, count, slots)
    order = heaviest(weights, min(many, limit))
    out = np.empty((order.size, 2), np.float64)
    for index in range(out.shape[0]):
        out[index, 0] = places[order[index]]
        out[index, 1] = weights[order[index]]
    return out
