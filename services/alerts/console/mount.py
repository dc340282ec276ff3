"""The pages on the service's application. Addresses that are not the console's stay the API's."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from nicegui import app as pages
from nicegui import core, ui
from starlette.routing import Match, Mount
from starlette.types import Scope

from services.alerts.console import (
    district,
    drills,
    live,
    operations,
    plans,
    reports_page,
    silences,
    units,
    warning_page,
)
from services.alerts.console.guard import Guarded, events, guard
from services.alerts.console.shell import PAGES, add_page
from services.alerts.console.visitor import Console
from shared.icon import icon_routes

_holder: list[Console] = []
"""The console of this process; NiceGUI keeps its pages for the process, not for an application."""

PATHS: Final = frozenset({"/", *(path for path, *_ in PAGES)})
UNDER: Final = ("/_nicegui", "/warnings/")


class PageMount(Mount):
    """Takes only the console's addresses, so that an unknown address of the API is answered by the API."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the address is the console's."""
        path = str(scope.get("path", ""))
        if path in PATHS or path.startswith(UNDER):
            return super().matches(scope)
        return Match.NONE, {}


def mount(app: FastAPI, console: Console) -> None:
    """Put the console on the application; connects to nothing."""
    first = not _holder
    _holder[:] = [console]
    if first:
        _add_pages()
        guard(core.sio)
        ui.run_with(
            app, title="枫桥预警", favicon="🍁", tailwind=False, show_welcome_message=False, reconnect_timeout=5
        )
        app.router.routes.pop()
    app.include_router(icon_routes())
    app.router.routes.append(PageMount("/", _asgi()))


def _asgi() -> Any:
    return Guarded(pages, events(core.sio), core.sio.eio.sockets)


def _add_pages() -> None:
    builds = {
        "/": live.build,
        "/district": district.build,
        "/units": units.build,
        "/silences": silences.build,
        "/plans": plans.build,
        "/drills": drills.build,
        "/reports": reports_page.build,
        "/operations": operations.build,
    }
    for path, zh, en, permission in PAGES:
        add_page(_holder, path, zh, en, builds[path], permission)
    add_page(_holder, "/warnings/{id}", "预警", "Warning", warning_page.build, "warnings.read")
