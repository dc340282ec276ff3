import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from shared.directory import ConfigError, directory, directory_folder
from shared.topics import Prediction, lexicon, load_lexicon, propose, suggest


class Fixed:
    """A classifier that always gives one answer."""

    def __init__(self, label: str, confidence: float = 0.9, *, needs_person: bool = False) -> None:
        self.answer = Prediction(label, confidence, needs_person)

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        return [self.answer for _ in texts]


CASES = [
    ("urban_construction", "小区物业费涨价", "业委会没有同意,物业公司就贴了通知。"),
    ("demolition_resettlement", "回迁房迟迟不交付", "拆迁协议签了五年,过渡费也停发了。"),
    ("project_payment_arrears", "拖欠工程款", "项目竣工验收两年,发包方一直不做工程结算。"),
    ("community_health", "卫生室没有疫苗", "村医说要到镇卫生院预约接种。"),
    ("medical_accident", "医疗事故求鉴定", "手术失败致残,病历也不给。"),
    ("doctor_patient_dispute", "过度医疗引起医患纠纷", "医生让患者反复检查。"),
    ("village_affairs_disclosure", "村务不公开", "公示栏三年没有更新,村民代表大会也不开。"),
    ("grassroots_election", "换届选举有人贿选", "候选人挨家拉票。"),
    ("subsistence_relief", "低保被取消", "一家都是残疾人,申请临时救助没有回音。"),
    ("military_related", "退役士兵优待金", "服役两年,义务兵优待金没有发。"),
    ("land_expropriation", "征地补偿没有到位", "占用耕地三年,青苗补偿也没有。"),
    ("rural_homestead_approval", "宅基地审批", "一户一宅,建房申请交了两年。"),
    ("ethnic_religious", "清真寺修缮", "少数民族群众希望修缮宗教场所。"),
    ("labour_dispute", "讨薪", "老板克扣工资,三十名农民工工资没有着落。"),
    ("rights_protection", "工伤认定", "尘肺是职业病,单位不认工伤待遇。"),
    ("social_insurance", "补缴社保", "养老保险断缴,退休手续办不了。"),
    ("population_family_planning", "社会抚养费", "超生罚了两次,计生办不给收据。"),
    ("only_child_policy", "独生子女费", "独生子女父母的奖扶金没有发。"),
    ("rural_finance_supervision", "村账不清", "村集体资金白条入账,账目没人审。"),
    ("land_contracting", "土地流转", "承包地被村里收回,承包合同还没有到期。"),
    ("work_safety", "烟花爆竹仓库", "危险化学品存放在居民楼下,消防通道堵死。"),
    ("litigation_related", "判决书生效后执行难", "申请执行两年,执行局没有结果。"),
    ("illegal_construction", "楼顶加盖", "顶楼住户私搭乱建,属于违法建设。"),
    ("comprehensive_enforcement", "占道经营", "流动摊贩和夜市占了整条街,城管不管。"),
    ("environmental_protection", "化工厂偷排废水", "河水发黑,刺鼻的恶臭。"),
    ("police_supervision", "民警态度恶劣", "报警不出警,派出所不作为。"),
    ("public_order", "电信诈骗", "被骗三万,小偷和赌博也多。"),
    ("event_security", "演唱会安保措施", "观众拥挤,人流疏导没有人做。"),
    ("basic_education", "幼儿园学位不够", "孩子入学要摇号,义务教育怎么保证。"),
    ("community_teacher_issues", "原民办教师待遇", "代课教师教龄补助一直没有。"),
    ("administrative_enforcement", "暴力执法", "执法人员滥用职权,乱罚款。"),
    ("cadre_discipline", "村支书贪污", "挪用公款,虚报冒领,请纪委查处。"),
    ("emergency_plan", "病险水库", "汛期防汛没有应急预案,撤离路线也没有。"),
]


class TestLexicon:
    def test_the_cases_cover_every_topic(self):
        assert {slug for slug, _, _ in CASES} == set(directory().topics) == set(lexicon().topics)

    @pytest.mark.parametrize(("topic", "title", "text"), CASES)
    def test_an_ordinary_petition_of_each_topic(self, topic, title, text):
        proposal = propose(title, text)
        assert proposal.topic == topic
        assert proposal.department == directory().lead(topic, date.max).slug
        assert 0 < proposal.confidence < 1

    def test_department_is_the_one_of_the_day(self):
        assert propose("独生子女费", "", on=date(2015, 6, 1)).department == "family_planning_bureau"
        assert propose("独生子女费", "", on=date(2025, 6, 1)).department == "health_bureau"

    def test_reasons_quote_the_words_in_both_languages(self):
        proposal = propose("讨薪", "老板克扣工资")
        assert "讨薪" in proposal.note("zh")
        assert "Labour disputes" in proposal.note("en")
        assert not proposal.needs_person
        assert proposal.note("zh").startswith("建议")

    def test_no_word_goes_to_a_person(self):
        proposal = propose("您好", "想问一件事")
        assert (proposal.topic, proposal.department, proposal.confidence, proposal.needs_person) == (
            None,
            None,
            0,
            True,
        )
        assert proposal.note("zh").startswith("需要人工判断")
        assert proposal.note("en").startswith("A person has to decide")

    def test_two_topics_alike_go_to_a_person_with_both_named(self):
        proposal = propose("", "学校旁边化工厂")
        assert proposal.needs_person
        assert {proposal.topic, proposal.alternatives[0][0]} == {"basic_education", "environmental_protection"}
        assert [reason.code for reason in proposal.reasons] == ["words", "low_confidence"]

    def test_a_word_said_often_counts_once(self):
        assert propose("", "社保" * 50) == propose("", "社保")

    def test_the_title_counts_more_than_the_text(self):
        assert propose("社保", "").confidence > propose("", "社保").confidence

    def test_compatibility_characters_of_a_copied_pdf_read_the_same(self):
        assert propose("", "\u2f2f伤认定") == propose("", "工伤认定")

    @pytest.mark.parametrize(
        ("topic", "code"),
        [("litigation_related", "diverted"), ("military_related", "sensitive"), ("police_supervision", "recusal")],
    )
    def test_guarded_topics_always_go_to_a_person(self, topic, code):
        strong = "、".join(lexicon().topics[topic].strong)
        proposal = propose(strong, strong)
        assert proposal.topic == topic
        assert proposal.confidence > lexicon().person_below
        assert proposal.needs_person
        assert code in {reason.code for reason in proposal.reasons}

    def test_choice_can_be_restricted(self):
        text = "学校旁边化工厂偷排废水,恶臭刺鼻"
        assert propose("", text).topic == "environmental_protection"
        assert propose("", text, within=["basic_education"]).topic == "basic_education"


class TestWithAClassifier:
    def test_without_one_the_lexicon_answers(self):
        assert suggest("讨薪", "克扣工资") == propose("讨薪", "克扣工资")

    @pytest.mark.parametrize("label", ["labour_dispute", "劳资纠纷"])
    def test_a_topic_label_is_the_topic(self, label):
        proposal = suggest("其他", "没有词", Fixed(label))
        assert (proposal.topic, proposal.department) == ("labour_dispute", "hr_social_security_bureau")
        assert (proposal.confidence, proposal.needs_person, proposal.source) == (0.9, False, "model")

    def test_a_category_label_narrows_the_lexicon(self):
        text = "学校旁边化工厂偷排废水,恶臭刺鼻"
        proposal = suggest("", text, Fixed("教育文体"))
        assert (proposal.topic, proposal.source) == ("basic_education", "model")
        assert [reason.code for reason in proposal.reasons][:2] == ["model", "words"]

    def test_confidence_is_never_above_the_weaker_of_both(self):
        alone = propose("讨薪", "克扣工资")
        proposal = suggest("讨薪", "克扣工资", Fixed("劳动和社会保障", 0.55, needs_person=True))
        assert proposal.confidence == min(0.55, alone.confidence)
        assert proposal.needs_person
        assert "low_confidence" in {reason.code for reason in proposal.reasons}

    def test_a_label_outside_the_table_is_said_and_goes_to_a_person(self):
        proposal = suggest("讨薪", "克扣工资", Fixed("天气"))
        assert (proposal.topic, proposal.needs_person) == ("labour_dispute", True)
        assert "天气" in proposal.note("zh")

    def test_a_sure_classifier_cannot_wave_through_a_guarded_topic(self):
        assert suggest("", "", Fixed("cadre_discipline", 1.0)).needs_person


class TestLexiconFile:
    @pytest.mark.parametrize(
        ("old", "new", "says"),
        [
            ("  work_safety:\n", "  weather:\n", "weather"),
            ("strong: [民师, ", "strong: [民师, 民师, ", "given twice"),
            ("    strong: [宗教,", "    weak: [宗教,", "strong"),
        ],
    )
    def test_errors_name_the_line(self, tmp_path: Path, old, new, says):
        folder = tmp_path / "d"
        shutil.copytree(directory_folder(), folder)
        path = folder / "lexicon.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(ConfigError, match=says) as caught:
            load_lexicon(folder, directory())
        assert abs(caught.value.line - text[: text.index(old)].count("\n") - 1) <= 1
