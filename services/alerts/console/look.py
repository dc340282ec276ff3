"""How the console's pages look where it is no page of NiceGUI's that answers."""

from __future__ import annotations

from typing import Final

from shared.problem_page import Link, Look, both

_CSS: Final = """
:root { --bg: #f4f5f7; --card: #fff; --ink: #1c2430; --soft: #5d6878; --line: #e1e5ea; --accent: #1f5fa8; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #12161c; --card: #1b212a; --ink: #e6eaf0; --soft: #98a4b3; --line: #2c3440; --accent: #6aa8f0; }
}
body { margin: 0; background: var(--bg); color: var(--ink); font: 15px/1.7 "Noto Sans CJK SC", "Noto Sans SC", "PingFang SC",
  "Microsoft YaHei", system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 0 24px; min-height: 46px; padding: 0 16px;
  background: var(--card); border-bottom: 1px solid var(--line); }
header p { margin: 0; } nav { display: flex; gap: 16px; flex: 1; } nav a:last-child { margin-left: auto; }
main { max-width: 46rem; margin: 0 auto; padding: 8vh 16px; }
h1 { font-size: 20px; } small { color: var(--soft); } a { color: var(--accent); }
.notice { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px 16px; }
"""
LOOK: Final = Look(
    name=both("预警 · 平安指挥部", "alerts · command centre"),
    css=_CSS,
    links=(Link("/", "返回实时预警", "Back to the live list"),),
    signs_in=True,
)
