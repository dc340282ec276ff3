"""Which live messages have the same text, and of which of those a new one is a copy.

A text is a copy only where the titles allow it: a form letter, or one that points to an attachment, leaves it to the title to
say which place it is about.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from services.screening.domain.grams import mark_names
from services.screening.domain.matters import Message
from services.screening.domain.text import TABLES, codes, letters, same_text

KNOWN: Final = 2 / 3
"""Share of the grams of a title's names from which they are known. The copies among the real messages hold 0.7 and more; two
estates of which only the first character differs (北门小区, 南门小区) share 0.6.
"""
LOOK: Final = 64
"""Messages of the same text, the latest, in whose titles another spelling of a name is looked for."""
_CACHED: Final = 1024

Names = frozenset[str]


@dataclass(slots=True)
class _Same:
    """Numbers of the live messages of one text, in order: all, and by what their titles name."""

    numbers: list[int] = field(default_factory=list)
    named: dict[Names, list[int]] = field(default_factory=dict)

    def put(self, number: int, names: Names) -> None:
        insort(self.numbers, number)
        insort(self.named.setdefault(names, []), number)

    def take(self, number: int, names: Names) -> None:
        self.numbers.remove(number)
        self.named[names].remove(number)
        if not self.named[names]:
            del self.named[names]


class Copies:
    """The live messages by the fingerprint of their text; `at` gives the message of a number.

    What it answers follows from the live messages and their numbers alone, so that it is the same after an undo or a restart.
    """

    def __init__(self, at: Callable[[int], Message]) -> None:
        self._at = at
        self._texts: dict[int, int | _Same] = {}  # a number alone, as hardly any text comes twice

    def original(self, message: Message, mark: int) -> int | None:
        """The earliest message of which this one would be a copy: the same text, and no other place in the title.

        Other places: both titles name some, and neither's are known to the other's title or the text. One that names none is
        no original of one that does where the text was sent about yet another place: it would lead there.
        """
        same = self._texts.get(mark)
        if same is None:
            return None
        found = self._search(message, self._many(same))
        return found if found is not None and same_text(message.text, self._at(found).text) else None

    def put(self, mark: int, number: int) -> None:
        """A message is live, or live again."""
        same = self._texts.get(mark)
        if same is None:
            self._texts[mark] = number
            return
        same = self._texts[mark] = self._many(same)
        same.put(number, _names(self._at(number).title))

    def take(self, mark: int, number: int) -> None:
        """A message is live no more."""
        same = self._texts[mark]
        if not isinstance(same, _Same):
            del self._texts[mark]
            return
        same.take(number, _names(self._at(number).title))
        if len(same.numbers) == 1:
            self._texts[mark] = same.numbers[0]

    def _many(self, same: int | _Same) -> _Same:
        if isinstance(same, _Same):
            return same
        return _Same([same], {_names(self._at(same).title): [same]})

    def _search(self, message: Message, same: _Same) -> int | None:
        names, text = _names(message.title), letters(message.text)
        if not names or _known(names, text):
            return same.numbers[0]
        if names in same.named:
            return same.named[names][0]
        title = letters(message.title)
        for number in same.numbers[-LOOK:]:
            other = self._at(number).title
            theirs = _names(other)
            if _known(names, text, letters(other)) or (theirs and _known(theirs, text, title)):
                return number
        return same.numbers[0] if same.named.keys() == {frozenset()} else None


def _known(names: Names, *where: str) -> bool:
    return sum(any(gram in piece for piece in where) for gram in names) >= KNOWN * len(names)


@lru_cache(_CACHED)
def _names(title: str) -> Names:
    """The pairs and triples of characters inside the names of a title."""
    chars, numbers = mark_names(codes(title, ""), *TABLES)
    found: dict[int, str] = {}
    for char, number in zip(chars.tolist(), numbers.tolist(), strict=True):
        if number:
            found[number] = found.get(number, "") + chr(char)
    return frozenset(name[at : at + n] for name in found.values() for n in (2, 3) for at in range(len(name) - n + 1))
