"""Compile the linker's inner loops when the image is built, so that no container does it while petitions wait.

Run with NUMBA_CACHE_DIR naming the directory that is to hold the machine code.
"""

from datetime import UTC, datetime, timedelta

from services.screening.domain.linker import Linker
from services.screening.domain.matters import Message

START = datetime(2026, 1, 1, tzinfo=UTC)
TEXTS = (
    ("东湖小区电梯停运", "东湖小区3号楼电梯停运半个月，老人上下楼困难，请尽快维修。"),
    ("东湖小区电梯坏了没人修", "东湖小区3号楼的电梯坏了，物业一直不修，请督促物业公司。"),
    ("工地拖欠农民工工资", "城南工地拖欠三十名农民工三个月工资，劳务公司推诿。"),
)


def main() -> None:
    """Link, look up, take back and outlive a few messages: every loop runs once."""
    linker = Linker()
    for number, (title, text) in enumerate(TEXTS):
        linker.add(Message(f"m{number}", f"p{number}", START + timedelta(days=number), title, text))
    linker.similar(*TEXTS[0])
    linker.undo()
    linker.add(Message("later", "p9", START + timedelta(days=200), *TEXTS[2]))


if __name__ == "__main__":
    main()
