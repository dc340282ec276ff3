"""The linker: what belongs together, copies, one hand, undo, restore, expiry."""

from datetime import UTC, datetime, timedelta

import pytest

from services.screening.domain.linker import Linker
from services.screening.domain.matters import LinkConfig, Message, matter_id

START = datetime(2026, 3, 1, tzinfo=UTC)
MIXER = "小区旁边的搅拌站昼夜施工,噪音和粉尘严重扰民,老人孩子无法入睡,请环保部门查处。"
SMOKE = "小区一楼的烧烤夜宵摊没有烟道,油烟直排,一天到晚熏得开不了窗,请城管处理。"


def at(number, title, text, petitioner=None, days=0, topic=None):
    moment = START + timedelta(days=days, minutes=number)
    return Message(f"m{number}", petitioner or f"p{number}", moment, title, text, topic)


def fill(linker):
    """Some other business of a county, so that words have a frequency."""
    places = ["东湖", "西岭", "北辰", "青竹", "松雅", "梅溪", "月亮", "湘江", "观沙", "麓谷"]
    woes = ["路灯不亮", "公交不准时", "水压太低", "电梯停运", "垃圾成堆", "停车收费贵", "幼儿园不开园", "工资被拖欠"]
    for number, (place, woe) in enumerate((p, w) for p in places for w in woes):
        linker.add(
            at(1000 + number, f"{place}小区{woe}", f"我住在{place}小区,这里{woe},已经反映很多次,没有人管。", days=-2)
        )


@pytest.fixture
def linker():
    made = Linker()
    fill(made)
    return made


def test_many_people_about_one_place_are_one_matter(linker):
    first = linker.add(at(1, "丽发新城搅拌站噪音扰民", "丽发新城" + MIXER))
    second = linker.add(at(2, "丽发新城附近建搅拌站粉尘污染", "丽发新城附近的搅拌站粉尘很大,噪音扰民,请查处搅拌站。"))
    third = linker.add(at(3, "投诉丽发新城搅拌站夜间施工", "搅拌站在丽发新城旁边,夜里噪音不断。"))
    assert first.new and first.matter == matter_id("m1")
    assert {second.matter, third.matter} == {first.matter}
    assert second.score >= second.threshold > 0
    assert any("搅拌站" in word or "丽发新城" in word for word in second.shared)


def test_the_same_words_about_another_place_are_another_matter(linker):
    one = linker.add(at(1, "A5区魅力之城小区油烟扰民", "魅力之城" + SMOKE))
    other = linker.add(at(2, "A3区润芳园小区油烟扰民", "润芳园" + SMOKE))
    assert other.new and other.matter != one.matter


def test_a_form_letter_of_many_villages_is_a_matter_for_each(linker):
    villages = ["桥头社区9组", "新港社区4组", "高岭村1组", "锦绣社区2组", "西白石村7组", "云河口村3组"]
    found = {}
    for number, village in enumerate(villages * 2):
        text = f"{village}卫生室一周开门不到三天,老人拿药不便。请卫健部门安排。希望增加人手。盼复。"
        found.setdefault(village, []).append(linker.add(at(number, f"{village}卫生室经常关门", text)).matter)
    assert all(len(set(matters)) == 1 for matters in found.values())
    assert len({matters[0] for matters in found.values()}) == len(villages)


def test_another_grievance_of_the_same_place_is_another_matter(linker):
    one = linker.add(at(1, "魅力之城小区油烟扰民", "魅力之城" + SMOKE))
    school = "住户的孩子今年不能上配套小学,请教育局说明学区怎样划分,未交房的业主孩子能不能入学。"
    other = linker.add(at(2, "魅力之城孩子入学划分学区", school))
    assert other.matter != one.matter


def test_a_copy_by_someone_else_is_linked_and_marked(linker):
    linker.add(at(1, "丽发新城搅拌站噪音扰民", "丽发新城" + MIXER, "one"))
    copy = linker.add(at(2, "请管管搅拌站", "丽发新城" + MIXER.replace(",", ","), "two"))
    again = linker.add(at(3, "丽发新城搅拌站噪音扰民", "丽发新城" + MIXER, "one"))
    assert (copy.duplicate_of, copy.repeat) == ("m1", False)
    assert (again.duplicate_of, again.repeat) == ("m1", True)
    assert copy.matter == again.matter == matter_id("m1")


OUTAGE = "已经连续停水三天了,居民生活非常不便,请尽快协调恢复供水,谢谢。"
ATTACHED = "尊敬的领导您好,具体情况请见附件材料,盼复为感,谢谢!"


@pytest.mark.parametrize("who", ["one", "two"])
@pytest.mark.parametrize("warm", [True, False])
def test_one_text_about_two_estates_is_two_matters_and_counts_for_both(warm, who):
    linker = Linker()
    if warm:
        fill(linker)
    linker.add(at(1, "南门社区停水三天", OUTAGE, "one"))
    other = linker.add(at(2, "纺织社区停水三天", OUTAGE, who))
    assert other.new and (other.duplicate_of, other.repeat) == (None, False)
    again = linker.add(at(3, "纺织社区停水", OUTAGE.replace(",", " "), who))
    assert (again.matter, again.duplicate_of, again.repeat) == (other.matter, "m2", True)


def test_a_text_that_points_to_an_attachment_is_linked_by_its_title(linker):
    titles = ["恒丰制衣厂拖欠工人工资", "幸福家园小区电梯天天坏", "枫林镇征地补偿款不到位"]
    linked = linker.add_many(at(n, title, ATTACHED) for n, title in enumerate(titles))
    assert [(link.new, link.duplicate_of) for link in linked] == [(True, None)] * 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("南门社区停水三天", "请尽快恢复供水"),
        ("请尽快恢复供水", "南门社区停水三天"),
        ("南门社区停水三天", "江北街道南门社区没有水"),
        ("请求恢复供水", "三天没有水了"),
    ],
)
def test_a_copy_may_have_a_title_of_its_own_that_names_no_other_place(linker, one, other):
    linker.add(at(1, one, OUTAGE))
    copy = linker.add(at(2, other, OUTAGE))
    assert (copy.matter, copy.duplicate_of, copy.score) == (matter_id("m1"), "m1", 1.0)


def test_a_copy_may_be_about_a_place_that_only_the_text_names(linker):
    text = "湖开小区和旁边的望江花园" + OUTAGE
    linker.add(at(1, "湖开小区停水", text))
    assert linker.add(at(2, "望江花园停水", text)).duplicate_of == "m1"


def test_a_copy_without_a_place_does_not_lead_from_one_place_to_the_next(linker):
    titles = ["停水三天", "南门社区停水三天", "纺织社区停水三天", "南门社区停水", "纺织社区停水"]
    links = linker.add_many(at(n, title, OUTAGE) for n, title in enumerate(titles))
    assert [link.duplicate_of for link in links] == [None, "m0", None, "m1", "m2"]
    assert [link.matter for link in links] == [matter_id(f"m{n}") for n in (0, 0, 2, 0, 2)]


def test_a_text_of_very_many_places_costs_no_look_at_each_of_them(linker):
    letters = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥"
    titles = [f"{a}{b}村停水" for a in letters for b in letters if a != b][:200]
    links = linker.add_many(at(n, title, OUTAGE) for n, title in enumerate(titles))
    assert {link.duplicate_of for link in links} == {None}
    again = linker.add(at(900, titles[0], OUTAGE))
    assert (again.matter, again.duplicate_of) == (links[0].matter, "m0")


def test_a_draft_with_an_open_text_about_another_place_resembles_nothing(linker):
    linker.add(at(1, "南门社区停水三天", OUTAGE))
    assert linker.similar("纺织社区停水三天", OUTAGE) == ()
    assert [found.score for found in linker.similar("南门社区停水", OUTAGE)] == [1.0]


def test_a_short_text_is_no_copy(linker):
    linker.add(at(1, "丽发新城搅拌站噪音扰民", "如题"))
    assert linker.add(at(2, "梅溪湖公交线路建议", "如题")).duplicate_of is None


def test_pseudonyms_are_only_compared(linker):
    other = Linker()
    fill(other)
    rows = [at(n, f"丽发新城搅拌站噪音{n}", MIXER, f"p{n % 2}") for n in range(6)]
    renamed = [at(n, f"丽发新城搅拌站噪音{n}", MIXER, f"x{(n + 1) % 2}") for n in range(6)]
    assert linker.add_many(rows) == other.add_many(renamed)


def test_the_channel_is_not_even_a_field():
    assert "channel" not in Message.__dataclass_fields__


def test_a_message_expires_and_its_matter_with_it():
    linker = Linker(LinkConfig(window=timedelta(days=10)))
    one = linker.add(at(1, "丽发新城搅拌站噪音扰民", MIXER))
    linker.add(at(2, "青竹湖路灯不亮", "青竹湖的路灯坏了半年。", days=11))
    assert "m1" not in linker and linker.members(one.matter) == () and len(linker) == 1


def test_an_id_is_added_once(linker):
    linker.add(at(1, "丽发新城搅拌站", MIXER))
    with pytest.raises(ValueError, match="m1"):
        linker.add(at(1, "丽发新城搅拌站", MIXER))


def test_undo_is_exact(linker):
    rows = [at(n, f"丽发新城搅拌站噪音{n}", MIXER[n:]) for n in range(8)]
    before = {matter: linker.members(matter) for matter in linker.matters()}
    first = linker.add_many(rows)
    taken = [linker.undo() for _ in rows]
    assert taken == rows[::-1]
    assert {matter: linker.members(matter) for matter in linker.matters()} == before
    assert linker.add_many(rows) == first


def test_undo_beyond_the_bound_is_refused():
    linker = Linker(LinkConfig(lateness=timedelta(minutes=5)))
    linker.add(at(1, "丽发新城搅拌站", MIXER))
    linker.add(at(20, "青竹湖路灯不亮", "青竹湖的路灯坏了半年。"))
    linker.undo()
    with pytest.raises(IndexError):
        linker.undo()


def test_a_draft_sees_open_matters_and_changes_nothing(linker):
    one = linker.add(at(1, "丽发新城搅拌站噪音扰民", "丽发新城" + MIXER))
    before = {matter: linker.members(matter) for matter in linker.matters()}
    found = linker.similar("丽发新城的搅拌站太吵", "丽发新城的搅拌站昼夜施工,噪音扰民,请查处。")
    assert found[0].matter == one.matter and found[0].example == "m1" and len(found) <= 3
    assert {matter: linker.members(matter) for matter in linker.matters()} == before
    assert linker.similar("申请公租房需要什么材料", "想问公租房的申请条件") == ()


def test_empty_and_strange_texts_do_not_break_it(linker):
    texts = ["", "!!!", "\ud800", "𠮷" * 50, "a" * 30_000, "好" * 30_000, "\x00\n", "ﷺ㎏①"]
    linked = [linker.add(at(n, text[:50], text)) for n, text in enumerate(texts)]
    assert len({link.message for link in linked}) == len(texts)
