"""Warnings as CAP 1.2 messages for other command systems. Restricted or Private only: there is no way to say Public."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from xml.etree import ElementTree as ET

from services.alerts import labels
from services.alerts.domain.warning import Warning
from services.alerts.ports import LogRow
from shared.clock import BEIJING
from shared.directory import Directory

NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"
ATOM: Final = "http://www.w3.org/2005/Atom"
SENDER: Final = "fengqiao.alerts"
_MESSAGES: Final = {"raise": "Alert", "settle": "Cancel", "discard": "Cancel", "cancel": "Cancel"}
"""What a change is where it is no Update."""
_URGENCY: Final = {"I": "Immediate", "II": "Expected", "III": "Expected", "IV": "Future"}
_SEVERITY: Final = {"I": "Extreme", "II": "Severe", "III": "Moderate", "IV": "Minor"}
_SEEN: Final = frozenset({"collective_visit", "cross_level_visit", "over_representatives", "overdue"})

ET.register_namespace("", NAMESPACE)


def message_rows(warning: Warning, log: Sequence[LogRow]) -> list[LogRow]:
    """The lines of a warning's log as CAP messages: each is one, for an identifier names one message that never changes.

    A line that is newer than the warning as it was read would give its identifier to what was before it.
    """
    return [row for row in log if row.version <= warning.version]


def _type(row: LogRow) -> str:
    return _MESSAGES.get(row.action, "Update")


def identifier(warning_id: str, version: int) -> str:
    """Identifier of one message; no spaces, commas or markup."""
    return f"{warning_id}.{version}"


def cap_message(warning: Warning, log: Sequence[LogRow], units: Directory) -> bytes:
    """The newest message about a warning, with references to those before it."""
    rows = message_rows(warning, log)
    last = rows[-1]
    root = ET.Element(f"{{{NAMESPACE}}}alert")
    restricted = warning.flag.restricted
    _add(root, "identifier", identifier(warning.id, last.version))
    _add(root, "sender", SENDER)
    _add(root, "sent", stamp(last.at))
    _add(root, "status", "Exercise" if warning.exercise else "Actual")
    _add(root, "msgType", _type(last))
    _add(root, "scope", "Private" if restricted else "Restricted")
    if restricted:
        _add(root, "addresses", f"{warning.flag.jurisdiction}.command_center")
    else:
        _add(root, "restriction", labels.INTERNAL.zh)
    if warning.exercise:
        _add(root, "note", f"演练 Exercise: {warning.drill or warning.id}")
    if len(rows) > 1:
        earlier = (f"{SENDER},{identifier(warning.id, row.version)},{stamp(row.at)}" for row in rows[:-1])
        _add(root, "references", " ".join(earlier))
    for lang in ("zh", "en"):
        _info(root, warning, last, units, lang)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _expires(until: datetime | None, sent: datetime) -> datetime:
    """A day after it is sent where the flag names no end, or one that has passed: petitions that are played back lie behind."""
    return until if until is not None and until > sent else sent + timedelta(days=1)


def _info(root: ET.Element, warning: Warning, last: LogRow, units: Directory, lang: str) -> None:
    flag = warning.flag
    info = ET.SubElement(root, f"{{{NAMESPACE}}}info")
    _add(info, "language", "zh-CN" if lang == "zh" else "en")
    _add(info, "category", "Safety" if warning.kind == "life_safety" else "Other")
    _add(info, "event", labels.name(labels.KINDS, warning.kind, lang))
    _add(info, "responseType", "AllClear" if not warning.open else "Assess")
    _add(info, "urgency", _URGENCY[warning.level] if warning.open else "Past")
    _add(info, "severity", _SEVERITY[warning.level])
    _add(info, "certainty", "Observed" if warning.verified_at or warning.kind in _SEEN else "Possible")
    _add(info, "audience", labels.INTERNAL.zh if lang == "zh" else labels.INTERNAL.en)
    _add(info, "effective", stamp(last.at))
    _add(info, "onset", stamp(warning.raised_at))
    _add(info, "expires", stamp(_expires(flag.expires_at, last.at)))
    _add(info, "senderName", "平安指挥部" if lang == "zh" else "Command centre")
    _add(info, "headline", labels.title(warning, lang))
    text = flag.explanation
    _add(
        info,
        "description",
        (text.zh if lang == "zh" else text.en) if text else labels.name(labels.KINDS, warning.kind, lang),
    )
    step = warning.next_step()
    if step is not None:
        what = step.what.zh if lang == "zh" else step.what.en
        who = labels.actor(step.who, units, "zh" if lang == "zh" else "en")
        _add(
            info,
            "instruction",
            f"{what}（{who}，{stamp(step.due)}，{step.basis}）"
            if lang == "zh"
            else f"{what} ({who}, {stamp(step.due)}, {step.basis})",
        )
    for parameter, value in (
        ("internalLevel", warning.level),
        ("state", warning.state),
        ("episode", str(warning.episode)),
        ("responsibleUnit", warning.responsible_unit or "unassigned"),
    ):
        entry = ET.SubElement(info, f"{{{NAMESPACE}}}parameter")
        _add(entry, "valueName", parameter)
        _add(entry, "value", value)
    area = ET.SubElement(info, f"{{{NAMESPACE}}}area")
    place = flag.town or flag.jurisdiction
    _add(area, "areaDesc", units.name(place, "zh" if lang == "zh" else "en"))
    code = ET.SubElement(area, f"{{{NAMESPACE}}}geocode")
    _add(code, "valueName", "GB/T 2260")
    _add(code, "value", place)


def feed(entries: Sequence[tuple[Warning, Sequence[LogRow]]], at: datetime, following: str | None = None) -> bytes:
    """An Atom feed of warnings' newest messages in the order given; each entry links to its CAP document.

    `following` is the address of the next page (RFC 5005).
    """
    ET.register_namespace("atom", ATOM)
    root = ET.Element(f"{{{ATOM}}}feed")
    for name, text in (("id", "urn:fengqiao:cap"), ("title", labels.INTERNAL.zh), ("updated", stamp(at))):
        ET.SubElement(root, f"{{{ATOM}}}{name}").text = text
    author = ET.SubElement(root, f"{{{ATOM}}}author")
    ET.SubElement(author, f"{{{ATOM}}}name").text = SENDER
    if following is not None:
        ET.SubElement(root, f"{{{ATOM}}}link", rel="next", type="application/atom+xml", href=following)
    for warning, log in entries:
        last = message_rows(warning, log)[-1]
        entry = ET.SubElement(root, f"{{{ATOM}}}entry")
        mark = f"[{labels.EXERCISE.en}] " if warning.exercise else ""
        ET.SubElement(entry, f"{{{ATOM}}}id").text = f"urn:fengqiao:cap:{identifier(warning.id, last.version)}"
        ET.SubElement(entry, f"{{{ATOM}}}title").text = mark + labels.name(labels.KINDS, warning.kind)
        ET.SubElement(entry, f"{{{ATOM}}}updated").text = stamp(last.at)
        ET.SubElement(entry, f"{{{ATOM}}}category", term=_type(last))
        ET.SubElement(
            entry, f"{{{ATOM}}}link", rel="alternate", type="application/cap+xml", href=f"/v1/cap/{warning.id}"
        )
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def stamp(at: datetime) -> str:
    """A CAP time: seconds and a numeric offset, never Z."""
    return at.astimezone(BEIJING).isoformat(timespec="seconds")


_ALLOWED: Final = frozenset("\t\n\r")


def _add(parent: ET.Element, name: str, text: str) -> None:
    """An element with text; characters that XML has no way to write are left out."""
    child = ET.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    child.text = "".join(
        c
        for c in text
        if c in _ALLOWED or (ord(c) >= 32 and not 0xD800 <= ord(c) <= 0xDFFF and ord(c) not in (0xFFFE, 0xFFFF))
    )
