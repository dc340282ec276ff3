"""Whatever the order, the batches, the repetitions and the restarts within the lateness bound: the same matters."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.screening.domain.linker import Linker
from services.screening.domain.matters import LinkConfig, Message
from services.screening.domain.timeline import Timeline

START = datetime(2026, 3, 1, tzinfo=UTC)
CONFIG = LinkConfig(window=timedelta(hours=3), lateness=timedelta(minutes=30))
PLACES = ("丽发新城", "魅力之城", "青竹湖路", "月亮岛", "梅溪书院")
LETTER = "尊敬的领导您好,具体情况请见附件材料,盼复为感,谢谢!"
WOES = ("搅拌站噪音粉尘扰民", "油烟直排没有烟道", "路灯不亮出行难", "工资拖欠三个月", "搅拌站夜间施工")


@st.composite
def histories(draw):
    """Messages in event order, and the minutes by which each arrives late (within the bound)."""
    count = draw(st.integers(2, 24))
    minute, rows = 0, []
    for number in range(count):
        minute += draw(st.integers(0, 25))
        place, woe = draw(st.sampled_from(PLACES)), draw(st.sampled_from(WOES))
        text = f"{place}附近{woe},{draw(st.sampled_from(WOES))},请处理。"
        if draw(st.integers(0, 3)) == 0:
            place, text = draw(st.sampled_from(("", place))), LETTER
        who = f"p{draw(st.integers(0, 5))}"
        message = Message(f"m{number:02}", who, START + timedelta(minutes=minute), place + woe, text)
        rows.append((message, draw(st.integers(0, 29))))
    return rows


def apply(own, changes):
    """What a store would hold."""
    for message, before, after in changes.assigned:
        assert own.get(message) == before
        own[message] = after


def in_order(rows):
    own = {}
    timeline = Timeline(CONFIG)
    for message, _ in rows:
        apply(own, timeline.add([message]))
    return own


@settings(max_examples=60, deadline=None)
@given(histories(), st.data())
def test_order_batches_and_repeats_change_nothing(rows, data):
    arrival = [m for m, _ in sorted(rows, key=lambda row: row[0].at + timedelta(minutes=row[1]))]
    own, seen = {}, []
    timeline = Timeline(CONFIG)
    while arrival:
        size = data.draw(st.integers(1, len(arrival)))
        batch, arrival = arrival[:size], arrival[size:]
        again = data.draw(st.lists(st.sampled_from(seen), max_size=3)) if seen else []
        apply(own, timeline.add([*batch, *[m for m in again if m.id in timeline.linker]]))
        seen += batch
    assert own == in_order(rows)


@settings(max_examples=40, deadline=None)
@given(histories(), st.data())
def test_a_restart_changes_nothing(rows, data):
    cut = data.draw(st.integers(1, len(rows)))
    own, merges = {}, []
    first = Timeline(CONFIG)
    for message, _ in rows[:cut]:
        changes = first.add([message])
        apply(own, changes)
        merges += changes.merges
    second = Timeline(CONFIG)
    floor = rows[cut - 1][0].at - 2 * CONFIG.window
    second.restore([(message, own[message.id]) for message, _ in rows[:cut] if message.at > floor], merges)
    for message, _ in rows[cut:]:
        apply(own, second.add([message]))
    assert own == in_order(rows)


@settings(max_examples=40, deadline=None)
@given(histories(), st.integers(1, 10))
def test_undo_then_add_is_the_same(rows, back):
    config = LinkConfig(window=CONFIG.window, lateness=timedelta(days=1))
    linker = Linker(config)
    links = linker.add_many(message for message, _ in rows)
    back = min(back, len(rows))
    undone = [linker.undo() for _ in range(back)]
    assert linker.add_many(undone[::-1]) == links[-back:]


def test_one_that_is_later_than_the_bound_is_marked():
    timeline = Timeline(CONFIG)
    rows = [Message(f"m{n}", "p", START + timedelta(minutes=20 * n), PLACES[n % 5], WOES[n % 5]) for n in range(5)]
    timeline.add(rows)
    changes = timeline.add([Message("late", "p", START, "丽发新城搅拌站", WOES[0])])
    assert [(link.message, link.late) for link in changes.links] == [("late", True)]
    assert timeline.add([rows[0]]).links == ()


@settings(max_examples=150, deadline=None)
@given(histories(), st.randoms(use_true_random=False), st.integers(1, 4))
def test_any_order_at_all_loses_no_message(rows, draw, size):
    arrival = [m for m, _ in rows]
    draw.shuffle(arrival)  # far beyond the lateness bound
    timeline = Timeline(CONFIG)
    own = {}
    for start in range(0, len(arrival), size):
        apply(own, timeline.add(arrival[start : start + size]))
    assert set(own) == {m.id for m, _ in rows}
