"""Numbers, masking, pseudonyms: pure functions."""

import string
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain import numbers
from services.intake.domain.identity import (
    Identity,
    IdentityError,
    basis,
    check_digit,
    keyed_hash,
    normal_id_number,
    normal_phone,
    pseudonym,
)
from services.intake.domain.masking import mask
from services.intake.domain.texts import folded, half_width

KEY = b"k" * 32


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("请打１３８００１３８０００联系", "请打[电话]联系"),
        ("电话+86 138-0013-8000或0086 13800138000", "电话[电话]或[电话]"),
        ("座机0731-84412345", "座机[电话]"),
        ("电话:84412345", "电话:[电话]"),
        ("身份证11010519491231002x。", "身份证[证件号]。"),
        ("旧证110105491231002", "旧证[证件号]"),
        ("卡6222 0212 3456 7890 123", "卡[卡号]"),
        ("发到a.b-c@mail.example.com吧", "发到[邮箱]吧"),
        ("我叫欧阳锋,家住春华镇", "我叫[姓名],家住春华镇"),
        ("本人李强系春华镇金鼎村村民", "本人[姓名]系春华镇金鼎村村民"),
        ("联系人:张三", "联系人:[姓名]"),
        ("车牌湘A12345和鲁JD12345", "车牌[车牌]和[车牌]"),
        ("我的车京N8P8F8被人划伤", "我的车[车牌]被人划伤"),
        ("a" * 20_000 + "。邮箱zhang.san@mail.cn", "a" * 20_000 + "。邮箱[邮箱]"),
        ("3栋2单元1102室漏水", "3栋2单元[室号]漏水"),
    ],
)
def test_what_names_a_person_is_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "A市A3区联丰路米兰春天G2栋320的影楼",
        "本人高中毕业后一直在外打工",
        "本人于2018年购房",
        "我是高兴的",
        "涉及金额1234567元,面积89.5平方米",
        "2019年12月31日23:59",
        "京港澳高速K1520公里处",
        "拨打12345热线和110",
        "王府井大街、李家村、张家界路",
    ],
)
def test_places_sums_and_dates_stay(text: str) -> None:
    assert mask(text) == text


@given(st.text(), st.sampled_from(["13800138000", "11010519491231002X", "6222021234567890123", "a@b.cn"]), st.text())
def test_a_number_is_found_whatever_stands_around_it(before: str, number: str, after: str) -> None:
    assert number not in mask(f"{before} {number} {after}")


@given(st.text(alphabet=st.characters(exclude_categories=("Nd", "Cs"))))
def test_masking_never_fails_and_keeps_length_of_the_copy(text: str) -> None:
    mask(text)
    assert len(half_width(text)) == len(text)


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@pytest.mark.parametrize(
    "text", ["110105491231002", "11010519491231002x", "１１０１０５１９４９１２３１００２Ｘ", "110105 19491231 002X"]
)
def test_one_id_number_has_one_form(text: str) -> None:
    assert normal_id_number(text) == "11010519491231002X"


@pytest.mark.parametrize("text", ["E12345678", "H1234567", "g12345678"])
def test_other_documents_stay(text: str) -> None:
    assert normal_id_number(text) == text.upper()


@pytest.mark.parametrize(
    "text", ["110105194912310021", "110105194913310020", "1234", "0" * 18, "张三", "11010519491231002"]
)
def test_an_id_number_that_cannot_be_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(IdentityError) as error:
        normal_id_number(text)
    assert text not in str(error.value)


@given(st.text(alphabet=string.digits, min_size=17, max_size=17))
def test_the_check_digit_finds_one_wrong_digit(first: str) -> None:
    wrong = str((int(first[3]) + 1) % 10)
    assert check_digit(first) != check_digit(first[:3] + wrong + first[4:])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("13800138000", "13800138000"),
        ("+8613800138000", "13800138000"),
        ("8613800138000", "13800138000"),
        ("(0731) 8441-2345", "073184412345"),
        ("+852 2345 6789", "85223456789"),
        ("12345", "12345"),
    ],
)
def test_one_phone_has_one_form(text: str, number: str) -> None:
    assert normal_phone(text) == number


@pytest.mark.parametrize("text", ["1234", "1" * 16, "电话", "138-0013-800a", ""])
def test_a_phone_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(IdentityError):
        normal_phone(text)


def test_the_surest_sign_of_a_person_counts() -> None:
    full = Identity(name="王小明", phone="13800138000", id_number="X", address="桂花巷", reference="r")
    kinds = []
    for gone in ("", "id_number", "phone", "address", "reference"):
        if gone:
            full = Identity(**{**full.__dict__, gone: ""})
        kinds.append(basis(full, channel="letter", petition_id="p")[0])
    assert kinds == ["id_number", "phone", "name_address", "reference", "once"]


def test_a_reference_is_one_of_its_channel_and_a_pseudonym_one_of_its_county() -> None:
    same = Identity(reference="A1")
    one = basis(same, channel="letter", petition_id="p")
    assert one != basis(same, channel="visit", petition_id="p")
    assert pseudonym(KEY, "379911", *one) != pseudonym(KEY, "379912", *one)
    assert pseudonym(KEY, "379911", *one) != pseudonym(b"o" * 32, "379911", *one)
    assert "A1" not in pseudonym(KEY, "379911", *one)


def test_parts_of_a_hash_cannot_run_into_each_other() -> None:
    assert keyed_hash(KEY, "ab", "c") != keyed_hash(KEY, "a", "bc")
    assert keyed_hash(KEY, "a\x1f1:b") != keyed_hash(KEY, "a", "b")


@given(st.uuids().map(str), st.integers(0, 14))
def test_a_receipt_is_read_back_and_a_slip_is_found(petition: str, place: int) -> None:
    number = numbers.receipt(KEY, petition, "379911", date(2026, 11, 24))
    assert numbers.read_receipt(number.lower().replace("-", " ")) == number
    plain = number.replace("-", "")
    sign = plain[place + 7]
    other = next(s for s in (string.digits if place < 7 else numbers.ALPHABET) if s != sign)
    assert numbers.read_receipt(plain[: place + 7] + other + plain[place + 8 :]) is None


@given(st.uuids().map(str))
def test_a_query_code_fits_its_petition_only(petition: str) -> None:
    code = numbers.query_code(KEY, petition)
    stored = numbers.code_hash(KEY, petition, code)
    assert len(code) == 10
    assert set(code) <= set(numbers.ALPHABET)
    assert numbers.code_fits(KEY, petition, f"{code[:5]}-{code[5:]}".lower(), stored)
    assert not numbers.code_fits(KEY, "another", code, stored)
    assert code not in stored
