"""The roles of accounts, their names, and who may do what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, cast, get_args

Role = Literal["duty_officer", "unit", "leader", "auditor", "operator", "petitioner", "channel"]
ROLES: Final = frozenset(get_args(Role))
STAFF: Final[tuple[Role, ...]] = ("duty_officer", "operator", "leader", "unit", "auditor")
ROLE_NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "duty_officer": ("值班员", "duty officer"),
    "unit": ("责任单位", "unit"),
    "leader": ("领导", "leader"),
    "auditor": ("审计", "auditor"),
    "operator": ("运维", "operator"),
}
"""Of staff, in Chinese and English."""

PERMISSIONS: Final[Mapping[str, frozenset[str]]] = {
    "warnings.read": frozenset({"duty_officer", "unit", "leader", "auditor"}),
    "warnings.handle": frozenset({"duty_officer"}),
    "warnings.carry_out": frozenset({"duty_officer", "unit"}),
    "warnings.documents": frozenset({"duty_officer", "leader"}),
    "petitions.read": frozenset({"duty_officer", "unit", "leader"}),
    "petitions.handle": frozenset({"duty_officer", "unit"}),
    "petitions.enter": frozenset({"duty_officer", "unit", "channel"}),
    "petitions.file": frozenset({"duty_officer", "unit", "channel", "petitioner"}),
    "identity.read": frozenset({"duty_officer", "unit"}),
    "obligations.read": frozenset({"duty_officer", "unit", "leader", "auditor"}),
    "reports.publish": frozenset({"leader"}),
    "audit.read": frozenset({"auditor"}),
    "system.operate": frozenset({"operator"}),
}
"""Who may do what. An operator runs the system and sees no case; an auditor sees masked titles, but no text, and changes
nothing."""


def may(permission: str) -> tuple[Role, ...]:
    """Roles that hold a permission, for `require(access, *may("warnings.read"))`."""
    return cast(tuple[Role, ...], tuple(sorted(PERMISSIONS[permission])))
