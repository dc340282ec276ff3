"""Small parts of forms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import TracebackType

from nicegui import ui

from services.alerts.console.visitor import Visitor
from shared.clock import BEIJING


class Form:
    """A dialog with a title, what `with` puts into it, and two buttons. `send` says whether it may close."""

    def __init__(self, visitor: Visitor, title: str, button: str, send: Callable[[], Awaitable[bool]]) -> None:
        self._send = send
        self._dialog = ui.dialog()
        with self._dialog:
            self._card = ui.element("div").classes("fq-form").props('role="dialog" aria-modal="true"')
        with self._card:
            ui.label(title).classes("fq-form-title")
            self._body = ui.element("div").classes("fq-form-body")
            with ui.element("div").classes("fq-form-foot"):
                ui.button(visitor.t("取消", "Back"), on_click=self._dialog.close).props("flat no-caps")
                self._button = ui.button(button, on_click=self._press).props("unelevated no-caps").classes("fq-send")
        self._dialog.on("hide", self._dialog.delete)
        self._dialog.open()

    def classes(self, names: str) -> Form:
        """Style it."""
        self._card.classes(names)
        return self

    def __enter__(self) -> Form:
        self._body.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._body.__exit__(kind, error, trace)

    async def _press(self) -> None:
        self._button.disable()
        try:
            done = await self._send()
        finally:
            if not self._button.is_deleted:
                self._button.enable()
        if done:
            self._dialog.close()


def reason_input(visitor: Visitor) -> ui.textarea:
    """The reason that a named human gives."""
    field = ui.textarea(visitor.t("理由（必填，记入日志）", "Reason (needed; kept in the log)"))
    field.props("outlined dense rows=3 autofocus maxlength=2000").classes("fq-field fq-reason")
    return field


def local_input(label: str, at: datetime | None) -> ui.input:
    """A date and time, Beijing."""
    value = at.astimezone(BEIJING).strftime("%Y-%m-%dT%H:%M") if at else ""
    field = ui.input(label, value=value).props("outlined dense type=datetime-local stack-label")
    return field.classes("fq-when")


def read_local(text: str | None) -> datetime | None:
    """What such a field holds."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=BEIJING).astimezone(UTC)
    except ValueError:
        return None
