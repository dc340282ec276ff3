"""The words of the made-up district. Written for this project; no real place, firm or person is meant."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final


def _pairs(first: str, last: str) -> tuple[str, ...]:
    return tuple(one + two for one in first.split() for two in last.split())


ESTATES: Final = _pairs(
    "翠湖 金桂 阳光 江畔 和顺 碧园 紫荆 云锦 丽景 书香 玉兰 锦程 福安 望山 银河 "
    "海棠 清泉 松涛 百合 雅居 荷塘 凤鸣 龙湾 星河 瑞景 竹海 枫丹 半山 春晓 秋实",
    "花园 家园 小区 新城 名居 雅苑 公寓 府邸 里 坊",
)
ROADS: Final = _pairs(
    "枫溪 文昌 桥头 建设 团结 新港 石桥 白石 云河 学府 纺织 矿山 朝阳 向阳 胜利 光明 和平 振兴 迎宾 滨河 平安 富强 长青 育才",
    "路 街 大道 巷",
)
FIRMS: Final = _pairs(
    "恒达 宏远 新锐 顺发 永泰 佳美 盛源 长兴 东盛 万和 百川 启明 金诚 华艺 天元 利民 国泰 德信 广源 联创 远航 精工 同乐 嘉禾",
    "食品厂 机械厂 建材公司 物流公司 塑料厂 家具厂 饭店 培训中心 印刷厂 电子厂 门窗厂 养殖场 超市 汽修厂",
)
SURNAMES: Final = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许"
GIVEN: Final = tuple(
    one + two
    for one in ("建", "秀", "志", "桂", "海", "立", "春", "玉")
    for two in ("国", "英", "强", "兰", "燕", "新", "梅", "珍")
)


@dataclass(frozen=True)
class Subject:
    """What people write about: topic slug, title and sentences with blanks for place and thing."""

    topic: str
    titles: tuple[str, ...]
    facts: tuple[str, ...]
    wishes: tuple[str, ...]


SUBJECTS: Final = (
    Subject(
        "urban_construction",
        ("{road}{near}路面坑洼积水", "{estate}门口道路破损无人修", "{road}路灯不亮"),
        (
            "{road}{near}一到下雨就积水，行人只能绕行。",
            "{estate}门前的人行道地砖松动，上个月有老人绊倒。",
            "从{road}到{estate}这一段晚上没有路灯。",
        ),
        ("请尽快安排维修。", "希望告知由哪个单位负责，什么时候能修好。"),
    ),
    Subject(
        "urban_construction",
        ("{estate}物业不作为", "{estate}电梯经常停运", "{estate}地下车库漏水"),
        (
            "{estate}物业收费不公开，楼道长期没人打扫。",
            "{estate}{n}号楼电梯一个月坏了三次，老人被困。",
            "{estate}地下车库渗水，{n}号车位泡了半个月。",
        ),
        ("请督促物业整改。", "请住建部门到现场看一看。"),
    ),
    Subject(
        "environmental_protection",
        ("{firm}夜间排气味道刺鼻", "{road}{near}烧烤油烟扰民", "{firm}噪声影响休息"),
        (
            "{firm}夜里排放的气味很大，附近居民不敢开窗。",
            "{road}{near}的烧烤摊油烟直接排到居民楼。",
            "{firm}凌晨还在生产，机器声音很响。",
        ),
        ("请环保部门检测并公布结果。", "请依法处理。"),
    ),
    Subject(
        "labour_dispute",
        ("{firm}拖欠工资", "{firm}不签劳动合同", "在{firm}打工押金不退"),
        (
            "我在{firm}干了{n}个月，工资只发了一部分。",
            "{firm}一直不和员工签合同。",
            "从{firm}离职已经{n}周，押金还没有退。",
        ),
        ("请帮助要回血汗钱。", "请劳动监察部门处理。"),
    ),
    Subject(
        "basic_education",
        ("{estate}孩子入学划片问题", "{road}小学放学时段拥堵", "{firm}退费难"),
        (
            "{estate}今年划片改到较远的学校，家长接送不便。",
            "{road}小学门口放学时车堵成一片，不安全。",
            "在{firm}给孩子报的班停课了，费用没有退。",
        ),
        ("请教育部门解释划片依据。", "希望协调解决。"),
    ),
    Subject(
        "subsistence_relief",
        ("{village}低保申请没有回音", "{village}危房改造补助咨询"),
        (
            "{village}一户人家申请低保{n}个月了，一直没有结果。",
            "{village}的老房子墙体开裂，想申请危房改造。",
        ),
        ("请民政部门核实。", "请告知需要哪些材料。"),
    ),
    Subject(
        "land_contracting",
        ("{village}承包地面积少算", "{village}土地流转租金未付"),
        (
            "{village}确权时我家的承包地少算了{n}分。",
            "{village}流转出去的地租金已经{n}个月没有给。",
        ),
        ("请农业部门重新丈量。", "请督促付清租金。"),
    ),
    Subject(
        "illegal_construction",
        ("{estate}{n}号楼顶违建", "{road}{near}占道搭棚"),
        ("{estate}{n}号楼顶层私自加盖，影响采光。", "{road}{near}有人占用人行道搭棚经营。"),
        ("请城管部门拆除。", "请依法查处。"),
    ),
    Subject(
        "social_insurance",
        ("{firm}没有缴社保", "{road}社保窗口养老保险转移办理慢"),
        ("{firm}从入职起就没有给员工缴社保。", "养老保险关系转移材料在{road}社保窗口交了{n}周还没有办完。"),
        ("请人社部门核查补缴。", "请加快办理。"),
    ),
    Subject(
        "public_order",
        ("{estate}电动车屡次被盗", "{road}{near}夜间飙车"),
        ("{estate}车棚一个月丢了{n}辆电动车。", "{road}{near}深夜有人飙车，噪声很大。"),
        ("请派出所加强巡逻。", "请安装监控。"),
    ),
    Subject(
        "community_health",
        ("{village}卫生室经常关门", "{road}社区医院排队太久"),
        ("{village}卫生室一周开门不到三天，老人拿药不便。", "{road}社区医院只有一个窗口，打疫苗要等半天。"),
        ("请卫健部门安排。", "希望增加人手。"),
    ),
)

CLOSINGS: Final = ("谢谢。", "盼复。", "希望早日答复。", "请答复。", "")
NEAR: Final = ("路口", "北段", "南段", "桥下", "菜市场旁", "公交站旁")


def person(draw: random.Random) -> dict[str, str]:
    """An invented petitioner: a name, and a number of a range that is not given out."""
    return {
        "name": draw.choice(SURNAMES) + draw.choice(GIVEN),
        "phone": f"1380000{draw.randint(0, 9999):04d}",
    }


def compose(subject: Subject, village: str, draw: random.Random) -> tuple[str, str]:
    """Title and text of one petition about `subject`."""
    blanks = {
        "estate": draw.choice(ESTATES),
        "road": draw.choice(ROADS),
        "firm": draw.choice(FIRMS),
        "near": draw.choice(NEAR),
        "village": f"{village}{draw.randint(1, 12)}组",
        "n": draw.randint(2, 30),
    }
    title = draw.choice(subject.titles).format(**blanks)
    facts = [f.format(**blanks) for f in draw.sample(subject.facts, k=min(len(subject.facts), draw.randint(1, 2)))]
    return title, "".join([*facts, draw.choice(subject.wishes), draw.choice(CLOSINGS)])


@dataclass(frozen=True)
class Story:
    """A matter that grows: whose wording differs from person to person, but names the same place."""

    name: str
    topic: str
    town: str
    titles: tuple[str, ...]
    sentences: tuple[str, ...]
    days: tuple[float, ...]
    visits: tuple[tuple[float, str, int, int], ...] = ()
    """(day, level presented at, headcount, representatives)"""


STORIES: Final = (
    Story(
        "hengfeng-wages",
        "labour_dispute",
        "379911001",
        (
            "恒丰制衣厂拖欠工资",
            "溪东街道恒丰制衣厂五个月没发工资",
            "恒丰制衣厂欠薪何时解决",
            "请帮我们要回恒丰制衣厂的工资",
        ),
        (
            "我是溪东街道恒丰制衣厂缝纫车间的工人，工资已经五个月没有发。",
            "恒丰制衣厂老板说货款没回来，一直拖欠工资，快过年了家里等钱用。",
            "恒丰制衣厂从去年十月起不发工资，二百多名工人都没有拿到。",
            "恒丰制衣厂把机器往外搬，我们担心工资要不回来。",
            "多次到恒丰制衣厂讨要工资，厂里让我们再等等。",
            "听说再不解决，大家要一起去市里讨说法。",
        ),
        (3.0, 4.2, 5.1, 5.8, 6.3, 7.0, 8.4, 9.9, 12.5, 15.0, 19.0, 24.0, 31.0),
        ((8.0, "county", 9, 5), (21.0, "prefecture", 12, 7), (38.0, "province", 6, 5)),
    ),
    Story(
        "liuwan-resettlement",
        "demolition_resettlement",
        "379911102",
        ("柳湾村拆迁安置房迟迟不交", "枫林镇柳湾村回迁房什么时候能住", "柳湾村拆迁过渡费停发"),
        (
            "枫林镇柳湾村三年前拆迁，协议说两年交安置房，现在还没有封顶。",
            "柳湾村拆迁户的过渡费从上季度起停发，租房的钱没有着落。",
            "柳湾村安置房工地停工几个月了，没有人给我们解释。",
            "请公布柳湾村安置房的交房时间，并补发过渡费。",
            "柳湾村几十户老人租房过冬，实在困难。",
        ),
        (10.0, 14.0, 18.5, 22.0, 25.0, 27.5, 33.0, 40.0, 46.0),
        ((29.0, "county", 15, 5),),
    ),
    Story(
        "baishi-plant",
        "environmental_protection",
        "379911103",
        ("白石镇金石水泥厂夜间噪声粉尘", "金石水泥厂粉尘太大没法开窗", "白石镇水泥厂夜里噪声扰民"),
        (
            "白石镇金石水泥厂夜里球磨机声音很大，整村睡不好。",
            "金石水泥厂的粉尘落在东白石村的院子里，晾的衣服都是灰。",
            "金石水泥厂白天停、夜里开，检查的人一来就关。",
            "请环保部门夜里到金石水泥厂检测噪声和粉尘。",
            "东白石村的孩子咳嗽的多了，怀疑和金石水泥厂的粉尘有关。",
        ),
        (20.0, 23.0, 26.0, 28.5, 30.0, 31.5, 34.0, 37.0, 42.0, 49.0),
    ),
)
