import pytest

from shared import signals


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("再拖下去我只有喝农药了", "self_harm"),
        ("再不解决我就从楼顶跳下去", "self_harm"),
        ("逼得我只好自焚", "self_harm"),
        ("我真的不想活了", "farewell"),
        ("要跟他们同归于尽", "harm_to_others"),
        ("对方扬言要杀我全家", "harm_to_others"),
        ("不解决我们就去省里上访", "higher_level"),
        ("再不解决就去省信访局", "higher_level"),
        ("我们只能进京上访", "capital"),
        ("明天我们全村集体去市政府讨说法", "collective"),
        ("因为举报他被公司开除", "reprisal"),
        ("举报后遭到威胁恐吓", "reprisal"),
        ("我们准备去 北京\n上访", "capital"),
    ],
)
def test_words_that_are_a_signal(text, phrase):
    assert phrase in {signal.phrase for signal in signals.find("", text)}
    assert phrase in {signal.phrase for signal in signals.find(text, "")}


@pytest.mark.parametrize(
    "text",
    [
        "跳楼价大甩卖的广告太吵",
        "我不会自杀的，请放心",
        "垃圾站臭死了，气死人",
        "听说去年有人跳楼",
        "楼上小孩整夜跳来跳去，吵死了",
        "希望学校门口的死角有人管",
        "短信轰炸和电话轰炸，还有人威胁，轰炸不停",
        "我们不想去北京上访",
        "他们要去北京出差",
        "请保密，担心打击报复",
        "冒着被打击报复的风险反映",
        "市政府门口的路灯坏了",
        "",
    ],
)
def test_idioms_negations_the_past_and_fears_are_none(text):
    assert signals.find("", text) == ()


def test_life_safety_comes_first_and_slugs_do_not_repeat():
    found = signals.slugs("不想活了", "否则只有喝农药，还要去北京上访，因举报被辞退")
    assert found == (signals.LIFE_SAFETY, signals.ANNOUNCED_ESCALATION, signals.REPRISAL)


def test_the_travelling_form_names_slug_and_phrase():
    assert signals.encode(signals.find("", "我真的不想活了")) == ("life_safety:farewell",)


def test_a_long_text_without_any_word_of_it_is_none():
    assert signals.find("路灯不亮", "请派人来修一修。" * 2000) == ()
