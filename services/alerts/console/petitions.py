"""The petitions behind a warning: masked, and their texts only on demand, with a reason that goes into the audit log."""

from __future__ import annotations

from typing import Any, Final

from nicegui import ui

from services.alerts.console.forms import Form, reason_input
from services.alerts.console.remote import RemoteError
from services.alerts.console.visitor import SignedOut, Visitor, moment
from services.alerts.domain.warning import Warning
from services.alerts.handlers import note_text_view

FIRST: Final = 8


class Petitions:
    """The list, and the texts that this visitor has opened on this page."""

    def __init__(self, visitor: Visitor, box: ui.element) -> None:
        self.visitor = visitor
        self.box = box
        self.all = False
        self._texts: dict[str, dict[str, Any]] = {}
        self._reason = ""
        self._place: ui.element | None = None
        self._warning: Warning | None = None

    def draw(self, warning: Warning) -> None:
        """Draw it, or draw it anew."""
        self._warning = warning
        self._place = ui.element("div")
        self._fill()

    def _fill(self) -> None:
        warning, place = self._warning, self._place
        assert warning is not None
        assert place is not None
        place.clear()
        visitor, t, flag = self.visitor, self.visitor.t, warning.flag
        known = {item.petition_id: item for item in flag.evidence}
        ids = sorted(flag.petition_ids, key=lambda id: known[id].at.timestamp() if id in known else 0, reverse=True)
        shown = ids if self.all else ids[:FIRST]
        with place:
            with ui.element("ol").classes("fq-petitions"):
                for id in shown:
                    with ui.element("li"):
                        item = known.get(id)
                        with ui.element("div").classes("line"):
                            ui.label(moment(item.at) if item else "—").classes("when")
                            ui.label(visitor.channel(item.channel) if item else t("未列入证据", "not in evidence"))
                            ui.label(id[:13]).classes("fq-hint fq-id")
                            ui.element("span").classes("fq-grow")
                            if visitor.may("petitions.read") and id not in self._texts:
                                button = ui.button(t("查看内容", "Read"), on_click=lambda id=id: self._ask(id))
                                button.props("flat dense no-caps").classes("fq-read")
                        if item and item.note:
                            ui.label(visitor.text(item.note)).classes("fq-hint")
                        if found := self._texts.get(id):
                            with ui.element("blockquote"):
                                ui.label(str(found.get("title", ""))).classes("title")
                                ui.label(str(found.get("text") or t("（无正文）", "(no text)")))
            if len(ids) > FIRST:
                words = t("收起", "Fewer") if self.all else t(f"显示全部 {len(ids)} 件", f"Show all {len(ids)}")
                ui.button(words, on_click=self._toggle).props("flat dense no-caps")
            if not ids:
                ui.label(t("没有关联信访件", "No petition is linked")).classes("fq-hint")

    def _toggle(self) -> None:
        self.all = not self.all
        self._fill()

    def _ask(self, id: str) -> None:
        visitor, t = self.visitor, self.visitor.t

        async def send() -> bool:
            self._reason = (reason.value or "").strip()
            if not self._reason:
                ui.notify(t("请填写查看理由", "Say why you read it"), type="warning", position="top")
                return False
            return await self._open(id)

        with self.box, Form(visitor, t("查看信访内容", "Read a petition"), t("查看", "Read"), send):
            ui.label(
                t(
                    "内容已脱敏。谁、何时、为何查看均记入审计日志。",
                    "Masked text. Who reads it, when and why is audited.",
                )
            ).classes("fq-hint")
            reason = reason_input(visitor)
            reason.value = self._reason

    async def _open(self, id: str) -> bool:
        visitor, warning = self.visitor, self._warning
        assert warning is not None
        try:
            visitor.use()
            await note_text_view(visitor.console.desk, visitor.who, warning.id, id, self._reason)
            self._texts[id] = await visitor.console.remote.petition(visitor.who, id)
        except SignedOut:
            ui.navigate.to(f"/auth/login?next=/warnings/{warning.id}")
            return False
        except RemoteError as error:
            words = {
                "unreachable": visitor.t("受理系统无响应，请稍后再试。", "Intake does not answer; try again."),
                "petition-unknown": visitor.t(
                    "受理系统中没有该件，或您无权查看。", "Intake has no such petition for you."
                ),
            }
            ui.notify(words.get(error.code, error.code), type="warning", position="top")
            return True
        except Exception as error:
            ui.notify(visitor.refusal(error), type="warning", position="top")
            return False
        self._fill()
        return True
