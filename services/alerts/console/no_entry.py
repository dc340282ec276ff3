"""What a visitor reads whose role does not open a page: who may, and where to go instead."""

from __future__ import annotations

from urllib.parse import quote

from nicegui import ui

from services.alerts.console.visitor import Visitor
from shared.roles import PERMISSIONS, ROLE_NAMES, STAFF

PageRow = tuple[str, str, str, str]
"""Address, Chinese and English name, permission."""


def first_page(visitor: Visitor, pages: tuple[PageRow, ...]) -> str | None:
    """Address of the first page that the role opens."""
    return next((address for address, *_, permission in pages if visitor.may(permission)), None)


def draw(visitor: Visitor, permission: str, pages: tuple[PageRow, ...]) -> None:
    """Into the page's main part."""
    t, index = visitor.t, 0 if visitor.lang == "zh" else 1
    own = ROLE_NAMES.get(visitor.who.role, (visitor.who.role,) * 2)[index]
    needed = t("、", ", ").join(ROLE_NAMES[role][index] for role in STAFF if role in PERMISSIONS[permission])
    with ui.element("div").classes("fq-empty"):
        ui.label(t(f"您的角色（{own}）看不到此页。", f"Your role ({own}) does not see this page."))
        ui.label(t(f"可以打开的角色：{needed}。", f"Roles that may: {needed}."))
        with ui.element("p"):
            for address, zh, en, wanted in pages:
                if visitor.may(wanted):
                    ui.link(t(f"打开“{zh}”", f"Open “{en}”"), address)
                    ui.label("·").style("display:inline;margin:0 6px")
            again = f"/auth/login?next={quote(visitor.address, safe='')}"
            ui.link(t("换一个账号登录", "Sign in with another account"), again)
