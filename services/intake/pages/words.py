"""Words of the public pages, Chinese and English."""

from __future__ import annotations

from typing import Final

WORDS: Final[dict[str, tuple[str, str]]] = {
    "system": ("信访登记", "Petition desk"),
    "skip": ("跳到正文", "Skip to the content"),
    "language": ("English", "中文"),
    "file": ("提交信访事项", "File a petition"),
    "progress": ("查询办理进度", "Look up progress"),
    "required": ("必填", "required"),
    "optional": ("可不填", "optional"),
    "purpose": ("您要做什么", "What is it"),
    "county": ("事情发生在哪个县区", "County the matter lies in"),
    "town": ("乡镇、街道", "Town or subdistrict"),
    "topic": ("属于哪一类", "Topic"),
    "not_sure": ("不确定", "Not sure"),
    "title": ("标题", "Title"),
    "title_hint": (
        "一句话说明是什么事，最多200字。",
        "One sentence that says what it is about, at most 200 characters.",
    ),
    "text": ("具体情况", "What happened"),
    "text_hint": (
        "请写清时间、地点、单位和您的要求，最多20000字。不必写姓名和电话，下面有专门的栏目。",
        "When, where, which body, and what you ask for; at most 20,000 characters. Name and telephone have their own fields below.",
    ),
    "accused": ("被检举的单位", "Accused unit"),
    "accused_hint": (
        "只有检举控告需要填写。该单位及其下属单位看不到这件信访。",
        "For accusations only. That unit and everything under it cannot see this petition.",
    ),
    "about_you": ("您的信息", "About you"),
    "name": ("姓名", "Name"),
    "phone": ("电话", "Telephone"),
    "id_number": ("身份证号", "Id number"),
    "address": ("住址", "Address"),
    "who_sees": ("谁会看到您的姓名", "Who will see your name"),
    "who_sees_1": (
        "您的姓名、电话、证件号和住址加密保存，系统其他部分和预警中心只看到一个编号。",
        "Name, telephone, id number and address are kept encrypted; the rest of the system sees only a code.",
    ),
    "who_sees_2": (
        "承办您这件事的工作人员说明理由后才能打开，每次打开都有记录，您在进度页可以看到。",
        "Staff who handle your matter can open them after giving a reason; you see each time on the progress page.",
    ),
    "who_sees_3": (
        "检举控告的内容不会交给被检举的单位或个人（《信访工作条例》第三十条）。",
        "An accusation is never shown to whom it accuses (Regulation on Petition Work, Art. 30).",
    ),
    "who_sees_4": (
        "可以不留姓名。不留联系方式，我们就无法书面答复，请保存好查询码。",
        "You need not give a name. Without a way to reach you there is no written answer: keep the query code.",
    ),
    "submit": ("提交", "File"),
    "errors": ("请先改正以下内容：", "Please put this right first:"),
    "similar": ("已有相似的事项正在办理", "Similar matters are already being handled"),
    "similar_hint": (
        "如果其中一件就是您说的事，可以选择一并反映；是否加入由您决定。不加入也照常登记。",
        "If one of these is what you mean you may join it; that is up to you. Your petition is registered either way.",
    ),
    "similar_none": ("都不是，单独登记", "None of these: register mine by itself"),
    "done": ("已登记", "Registered"),
    "done_hint": (
        "请抄下或保存以下两项，查询进度时要用。查询码只显示给您。",
        "Write both down: you need them to look up progress. The query code is shown to you alone.",
    ),
    "receipt": ("信访编号", "Receipt number"),
    "code": ("查询码", "Query code"),
    "look_up": ("查询", "Look up"),
    "wrong": ("信访编号与查询码不符，请核对。", "Receipt number and query code do not belong together."),
    "status": ("目前状态", "Status"),
    "unit": ("承办单位", "Unit"),
    "steps": ("办理经过", "What was done"),
    "readers": ("谁查看过您的身份信息", "Who opened your identity"),
    "readers_none": ("还没有人查看过。", "Nobody so far."),
    "evaluate": ("您的问题解决了吗", "Is your problem solved"),
    "solved": ("已解决", "Solved"),
    "not_solved": ("没有解决", "Not solved"),
    "send": ("提交评价", "Send"),
    "thanks": ("已记录您的评价。", "Your answer was recorded."),
    "expired": (
        "这一页打开得太久，已经失效，还没有登记。您填写的内容都在下面，请核对后再点一次“提交”。",
        "This page was open for too long; nothing was registered. What you wrote is all below: check it and press File again.",
    ),
    "filed_before": (
        "这一页已经登记过一件，改动后的内容没有登记。如要另外登记一件，请再点一次“提交”。",
        "One petition was registered from this page; what you changed was not. To register another one press File again.",
    ),
    "joined_gone": (
        "您选择一并反映的事项不能加入，还没有登记。请再点一次“提交”，可以另选或者单独登记。",
        "The matter that you chose cannot be joined; nothing was registered. Press File again to choose anew or file by itself.",
    ),
    "moved_on": (
        "这件事项刚有新的进展，您的评价没有记录。请重新查询后再评价。",
        "There is news of this petition, and your answer was not recorded. Look it up again and answer then.",
    ),
    "busy": (
        "提交过于频繁，还没有登记。您填写的内容都在下面，请一分钟后再点“提交”。",
        "Too many forms came from your address; nothing was registered. What you wrote is below: press File in a minute.",
    ),
    "busy_asking": ("查询过于频繁，请一分钟后再试。", "Too many look-ups; please try again in a minute."),
    "down": (
        "系统暂时无法登记，请稍后再试，您填写的内容还在。",
        "It cannot be registered just now; try again later, what you wrote is still here.",
    ),
    "field_nul": (
        "这一项里有看不见的控制字符，已经去掉，请核对后再提交。",
        "This field held an invisible control character; it was taken out. Please check it and file again.",
    ),
    "field_title": ("标题为1到200字，不能只有空格。", "The title has 1 to 200 characters, not only spaces."),
    "field_text": (
        "具体情况为1到20000字，不能只有标点。",
        "What happened: 1 to 20,000 characters, not only punctuation.",
    ),
    "field_jurisdiction": ("请选择县区。", "Choose a county."),
    "field_town": ("乡镇不属于所选县区。", "The town does not lie in this county."),
    "field_petitioner.phone": ("电话号码应为5到15位数字。", "A telephone number has 5 to 15 digits."),
    "field_petitioner.id_number": ("身份证号有误，请核对。", "The id number cannot be right."),
    "field_petitioner.name": ("姓名最多100字。", "At most 100 characters for the name."),
    "field_petitioner.address": ("住址最多500字。", "At most 500 characters for the address."),
    "field_accused_unit": (
        "被检举的单位有误，或者没有选择检举控告。",
        "The accused unit is wrong, or the purpose is not accusation.",
    ),
    "field_other": ("有一项内容不符合要求。", "One of the fields is not in order."),
    "step_filed": ("收到", "Received"),
    "step_assigned": ("交办", "Assigned"),
    "step_objected": ("承办单位提出异议", "The unit objected"),
    "step_accepted": ("受理", "Accepted"),
    "step_not_accepted": ("不予受理", "Not accepted"),
    "step_extended": ("延长办理期限", "Time extended"),
    "step_replied": ("作出处理意见", "Opinion given"),
    "step_served": ("处理意见送达", "Opinion served"),
    "step_met": ("见面", "Met"),
    "step_executed": ("意见执行", "Carried out"),
    "step_closed": ("办结", "Closed"),
    "step_reopened": ("重新办理", "Reopened"),
    "step_evaluated": ("您的评价", "Your evaluation"),
    "state_received": ("已收到，待转送交办", "Received, to be passed on"),
    "state_assigned": ("已交办，待受理", "Assigned, to be accepted"),
    "state_objected": ("承办单位有异议，待重新交办", "The unit objected, to be assigned anew"),
    "state_accepted": ("已受理，办理中", "Accepted, being handled"),
    "state_not_accepted": ("不予受理", "Not accepted"),
    "state_replied": ("已作出处理意见", "Opinion given"),
    "state_served": ("处理意见已送达", "Opinion served"),
    "state_executed": ("处理意见已执行", "Carried out"),
    "state_closed": ("已办结", "Closed"),
    "state_reopened": ("重新办理中", "Being handled anew"),
}


def words(lang: str) -> dict[str, str]:
    """All words in one language."""
    return {key: pair[lang == "en"] for key, pair in WORDS.items()}
