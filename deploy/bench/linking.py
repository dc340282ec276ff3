"""`fengqiao bench linking`: petitions linked a second against 1 k, 10 k and 100 k live ones, beside brute-force cosine.

The county is made up: words with the frequencies of a language (Zipf), places, and grievances with words of their own. Each
size is filled by `restore`, then measured in its steady state, where a message expires for each that comes.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from rich.console import Console
from rich.progress import Progress
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer

from deploy.bench.report import machine, save, tell
from services.screening.domain.linker import Linker
from services.screening.domain.matters import LinkConfig, Message, matter_id

START = datetime(2026, 1, 1, tzinfo=UTC)
SPACING = timedelta(seconds=60)
CHARACTERS = 400
CHUNK = 2_000
WORDS, SAID = 40, 90  # of the words of a grievance, and how many of a message's 200 are from them


@dataclass(frozen=True)
class Row:
    """A message and the matter it is of."""

    message: Message
    matter: str


class County:
    """Messages of a made-up county, always the same ones for a seed."""

    def __init__(self, matters: int, seed: int = 7) -> None:
        self._random = np.random.default_rng(seed)
        letters = [chr(code) for code in range(0x4E00, 0x4E00 + 3_000)]
        draw = self._random.choice(letters, size=(20_000, 2))
        self._words = ["".join(pair) for pair in draw]
        frequency = 1.0 / np.arange(1, len(self._words) + 1)
        self._weights = np.cumsum(frequency / frequency.sum())
        self._places = ["".join(name) for name in self._random.choice(letters, size=(max(20, matters // 3), 3))]
        heads = ("小区", "路", "村", "学院", "公司", "花园")
        self._matters = [
            (f"{self._places[self._random.integers(len(self._places))]}{heads[n % len(heads)]}", self._some(WORDS, 500))
            for n in range(matters)
        ]
        popular = 1.0 / np.arange(1, matters + 1) ** 0.6
        self._popular = np.cumsum(popular / popular.sum())

    def _some(self, count: int, skip: int = 0) -> list[str]:
        found = np.searchsorted(self._weights, self._random.random(count))
        return [self._words[min(n + skip, len(self._words) - 1)] for n in found]

    def rows(self, count: int, start: int = 0) -> Iterator[Row]:
        """So many messages of 400 characters, one a minute."""
        for number in range(start, start + count):
            which = int(np.searchsorted(self._popular, self._random.random()))
            place, words = self._matters[min(which, len(self._matters) - 1)]
            own = [words[n] for n in self._random.integers(len(words), size=SAID)]
            pieces = self._some(CHARACTERS // 2)
            for at, word in zip(self._random.integers(len(pieces), size=SAID + 2), [place, place, *own], strict=True):
                pieces[at] = word
            title = f"{place}{words[0]}{words[1]}{own[0]}{self._some(1)[0]}"
            text = "".join(piece + ("," if n % 8 == 7 else "") for n, piece in enumerate(pieces))[:CHARACTERS]
            message = Message(f"m{number}", f"p{number % 50_021}", START + SPACING * number, title, text)
            yield Row(message, matter_id(f"truth-{which}"))


def measure(live: int, adds: int, queries: int, progress: Progress) -> dict[str, Any]:
    """One size: restore, add, memory, and the same questions to brute-force cosine."""
    county = County(max(50, live // 4))
    linker = Linker(LinkConfig(window=SPACING * live, lateness=timedelta(0)))
    task = progress.add_task(f"{live:,} live", total=live + adds + queries)
    truth: dict[str, str] = {}
    gc.collect()
    before, text, spent = psutil.Process().memory_info().rss, 0, 0.0
    for start in range(0, live, CHUNK):
        rows = list(county.rows(min(CHUNK, live - start), start))
        clock = time.perf_counter()
        linker.restore_many((row.message, row.matter) for row in rows)
        spent += time.perf_counter() - clock
        text += sum(sys.getsizeof(row.message.title) + sys.getsizeof(row.message.text) for row in rows)
        progress.advance(task, len(rows))
    del rows
    gc.collect()
    beside = (psutil.Process().memory_info().rss - before - text) / live
    for row in County(max(50, live // 4)).rows(live):
        truth[row.message.id] = row.matter
    messages = list(county.rows(adds + queries, live))
    truth.update((row.message.id, row.matter) for row in messages)
    clock, cpu = time.perf_counter(), time.process_time()
    for row in messages[:adds]:
        linker.add(row.message)
    wall, cpu = time.perf_counter() - clock, time.process_time() - cpu
    progress.advance(task, adds)
    brute = _brute(linker, messages[adds:], truth, progress, task)
    return {
        "live": live,
        "restored_per_second": live / spent,
        "linked_per_second": adds / wall,
        "linked_per_cpu_second": adds / cpu,
        "microseconds": 1e6 * wall / adds,
        "bytes_beside_text": beside,
        "brute_force_per_second": brute["rate"],
        "asked": len(brute["answers"]),
        **{
            name: float(np.mean([answer[at] for answer in brute["answers"]])) if brute["answers"] else 1.0
            for at, name in enumerate(("agreement", "linker_right", "brute_force_right"))
        },
    }


def _brute(linker: Linker, asked: list[Row], truth: dict[str, str], progress: Progress, task: Any) -> dict[str, Any]:
    """The nearest live message by cosine of character 2- and 3-grams, and the matter that each way chooses."""
    vectors = HashingVectorizer(
        analyzer="char", ngram_range=(2, 3), n_features=1 << 20, alternate_sign=False, dtype=np.float32
    )
    ids = [message for matter in linker.matters() for message in linker.members(matter)]
    texts = (linker.message(name) for name in ids)
    matrix = sparse.vstack(
        [vectors.transform([m.title * 3 + m.text for m in part]) for part in _parts(texts, CHUNK)], format="csr"
    )
    rarity = np.log((1 + len(ids)) / (1 + np.asarray(matrix.astype(bool).sum(axis=0)).ravel())).astype(np.float32) + 1
    matrix = (matrix @ sparse.diags(rarity)).tocsr()
    matrix.data /= np.repeat(np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel()), np.diff(matrix.indptr))
    columns = matrix.T.tocsr()
    answers, spent = [], 0.0
    alive = {truth[name] for name in ids}
    for row in asked:
        message = row.message
        clock = time.perf_counter()
        query = vectors.transform([message.title * 3 + message.text]).multiply(rarity).tocsr()
        nearest = ids[int((query @ columns).toarray().argmax())]
        spent += time.perf_counter() - clock
        if row.matter in alive:
            found = linker.similar(message.title, message.text, 1)
            linked = truth[found[0].example] if found else None
            same = bool(found) and found[0].matter == linker.matter_of(nearest)
            answers.append((same, linked == row.matter, truth[nearest] == row.matter))
        progress.advance(task)
    return {"rate": len(asked) / spent, "answers": answers}


def _parts(items: Iterator[Message], size: int) -> Iterator[list[Message]]:
    part: list[Message] = []
    for item in items:
        part.append(item)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


_ROWS: Final[tuple[tuple[str, Callable[[dict[str, Any]], Any]], ...]] = (
    ("linked/s", lambda size: round(size["linked_per_second"])),
    ("µs each", lambda size: round(size["microseconds"])),
    ("restored/s", lambda size: round(size["restored_per_second"])),
    ("bytes beside text", lambda size: round(size["bytes_beside_text"])),
    ("brute force/s", lambda size: size["brute_force_per_second"]),
    ("agree", lambda size: f"{size['agreement']:.0%}"),
    ("right", lambda size: f"{size['linker_right']:.0%}"),
    ("brute force right", lambda size: f"{size['brute_force_right']:.0%}"),
)


def bench(sizes: list[int], adds: int, queries: int, path: Path | None) -> dict[str, Any]:
    """Measure each size; print the table and write the JSON."""
    clock = time.perf_counter()
    warm = Linker()
    for row in County(50).rows(60):
        warm.add(row.message)
    warm.similar(row.message.title, row.message.text)
    ready = time.perf_counter() - clock
    with Progress(console=Console(stderr=True), transient=True) as progress:
        found = [measure(size, adds, queries, progress) for size in sizes]
    first, last = found[0], found[-1]
    growth = None
    if first["live"] != last["live"]:
        growth = float(np.log(last["microseconds"] / first["microseconds"]) / np.log(last["live"] / first["live"]))
    result = {"machine": machine(), "ready_seconds": ready, "sizes": found, "exponent": growth}
    grows = "" if growth is None else f"cost grows as the window to the power {growth:.2f}; "
    tell(
        f"Linking petitions of {CHARACTERS} characters, one county, one core",
        ("live", *(f"{size['live']:,}" for size in found)),
        [(name, *(told(size) for size in found)) for name, told in _ROWS],
        [
            f"{grows}first use took {ready:.1f} s (compiling, kept on disk)",
            "agree: the linker names the matter of the message that brute-force cosine (2- and 3-grams) finds nearest;",
            "right: it is the matter that the message was made of; both over messages whose matter is live",
        ],
    )
    save(path, result)
    return result
