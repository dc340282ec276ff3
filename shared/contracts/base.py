"""What all contracts share: the frozen model, words in two languages, codes and topics."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

PETITIONS: Final = "petition.events.v1"
FLAGS: Final = "screening.flags.v1"
WARNINGS: Final = "alerts.warnings.v1"
FINDINGS: Final = "assessment.findings.v1"
TOPICS: Final = (PETITIONS, FLAGS, WARNINGS, FINDINGS)

Level = Literal["village", "town", "county", "prefecture", "province", "central"]
InternalLevel = Literal["I", "II", "III", "IV"]
"""紧急 I · 预警 II · 提醒 III · 关注 IV. Internal only: never one of the four public colours (突发事件应对法 Art. 63)."""
Purpose = Literal["suggestion", "accusation", "appeal", "consult"]


def _ascii(text: str) -> str:
    # A published pattern is ECMA-262, where \d is 0 to 9; pydantic's own takes the digits of every script.
    if not text.isascii():
        raise ValueError("must be written in ASCII digits")
    return text


County = Annotated[str, Field(pattern=r"^\d{6}$", description="county code, six digits"), AfterValidator(_ascii)]


class Contract(BaseModel):
    """A frozen wire model; unknown fields of newer writers are ignored, input values never appear in errors."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Bilingual(Contract):
    """One sentence in Chinese and in English."""

    zh: str
    en: str
