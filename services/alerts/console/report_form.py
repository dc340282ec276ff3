"""专报: the form that makes one, about a warning or a period, and sends it to a list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

from nicegui import run, ui

from services.alerts import reports
from services.alerts.console.forms import Form, local_input, read_local
from services.alerts.console.visitor import SignedOut, Visitor
from services.alerts.reports import LISTS, Wanted


def open_report(visitor: Visitor, warning_id: str | None, done: Callable[[], Awaitable[None]] | None = None) -> None:
    """Open the form; `done` is called when the report was made."""
    t = visitor.t
    now = visitor.console.desk.clock.now()

    async def send() -> bool:
        wanted = Wanted(
            form.value,
            to.value,
            lang.value,
            warning_id,
            None if warning_id else read_local(since.value),
            None if warning_id else read_local(until.value),
        )
        made = await _make(visitor, wanted)
        if made is None:
            return False
        ui.notify(t(f"专报已生成并送出：{made.name}", f"Made and sent: {made.name}"), type="positive", position="top")
        ui.download.from_url(f"/v1/documents/{made.id}")
        if done is not None:
            await done()
        return True

    title = t("生成专报", "Make a special report")
    with Form(visitor, title, t("生成并发送", "Make and send"), send):
        lists = {name: visitor.text(text) for name, text in LISTS.items()}
        to = ui.select(lists, value="leaders", label=t("报送", "To")).props("outlined dense").classes("fq-field")
        form = ui.select({"docx": "Word (docx)", "pdf": "PDF"}, value="docx", label=t("格式", "Form"))
        form.props("outlined dense").classes("fq-field")
        lang = ui.select({"zh": "中文", "en": "English"}, value=visitor.lang, label=t("文种", "Language"))
        lang.props("outlined dense").classes("fq-field")
        if warning_id is None:
            since = local_input(t("起", "From"), now - timedelta(days=7)).classes("fq-field")
            until = local_input(t("止", "Until"), now).classes("fq-field")


async def _make(visitor: Visitor, wanted: Wanted) -> reports.Made | None:
    from services.alerts.render import render  # half a second of libraries that a service may never need

    console = visitor.console
    try:
        visitor.use()
        report = await reports.compose(console.desk, visitor.who, wanted)
        body = await run.io_bound(render, report, wanted.form)
        if body is None:  # the process is ending
            return None
        receivers = console.lists.get(wanted.recipients, ())
        return await reports.send(console.desk, visitor.who, wanted, report, body, receivers, str(uuid4()))
    except SignedOut:
        ui.navigate.to("/auth/login?next=/reports")
    except Exception as error:
        ui.notify(visitor.refusal(error), type="warning", position="top")
    return None
