"""The report of a backtest as one self-contained HTML page: Chinese first, English beside it, charts as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from deploy.backtest.figures import Crowd, Difference, Figures
from shared.clock import BEIJING

WIDTH, HEIGHT = 900, 220

_PAGE = """<!doctype html><html lang="zh"><meta charset="utf-8"><title>规则回测 Backtest</title>
<style>
body{font:15px/1.6 system-ui,"Noto Sans CJK SC",sans-serif;max-width:960px;margin:2rem auto;padding:0 1rem;color:#1d2733}
h1{font-size:1.5rem} h2{font-size:1.15rem;margin-top:2rem} small,.en{color:#5b6b7b}
table{border-collapse:collapse;width:100%;font-size:.9rem} td,th{border-bottom:1px solid #dde3ea;padding:.3rem .5rem;
text-align:left}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums} .cards{display:flex;flex-wrap:wrap;gap:.8rem}
.card{border:1px solid #dde3ea;border-radius:8px;padding:.6rem 1rem;min-width:8rem} .card b{font-size:1.4rem;display:block}
svg{width:100%;height:auto} .note{background:#f5f7fa;border-left:4px solid #7a8ea3;padding:.5rem 1rem}
</style>
<h1>规则回测 <span class="en">Policy backtest</span></h1>
<p class="note">演练（Exercise）：本页由历史数据重放得出，没有发出任何预警。内部资料，级别为内部级别，不是突发事件预警。<br>
<span class="en">Exercise: replayed history, nothing was sent. Internal levels, never a public warning.</span></p>
<p>{{ day(a.first) }} – {{ day(a.last) }} · {{ "{:,}".format(a.messages) }} 件 petitions · {{ a.counties }} 个县区 counties ·
规则 policy <b>{{ a.policy }}</b>{% if b %} / <b>{{ b.policy }}</b>{% endif %}</p>
{% for f in (a, b) if f %}
<h2>{{ f.policy }}</h2>
<div class="cards">
<div class="card"><b>{{ f.flags }}</b>苗头 flags</div>
<div class="card"><b>{{ "%.2f"|format(f.per_week) }}</b>每周 per week</div>
<div class="card"><b>{{ f.weeks_over_budget }}</b>超出预算的周 weeks over {{ f.budget }}</div>
<div class="card"><b>{{ f.in_time }} / {{ f.crowds|length }}</b>第五人之前或当时 by the fifth petitioner</div>
<div class="card"><b>{{ f.after }}</b>之后 after</div>
<div class="card"><b>{{ f.missed }}</b>未预警 missed</div>
<div class="card"><b>{{ "{:,.0f}".format(f.rate) }}</b>件/秒 petitions/s</div>
</div>
<h3>每日苗头 <span class="en">Flags per day</span></h3>
{{ days(f) }}
<table><tr><th>类型 kind<th class="n">数量 flags</tr>
{% for kind, n in f.by_kind|dictsort %}<tr><td>{{ kind }}<td class="n">{{ n }}</tr>{% endfor %}</table>
<h3>提前量 <span class="en">Lead time of matters that reached five petitioners in 30 days</span></h3>
{{ leads(f.crowds) }}
<table><tr><th>事项 matter<th class="n">件 petitions<th class="n">人 petitioners<th>第五人 fifth<th>预警 flagged
<th class="n">提前 lead<th class="n">高峰周前 before peak week</tr>
{% for c in f.crowds %}<tr><td>{{ c.title }}<td class="n">{{ c.petitions }}<td class="n">{{ c.petitioners }}
<td>{{ minute(c.fifth) }}<td>{{ minute(c.flagged) if c.flagged else "—" }}
<td class="n">{{ span(c.lead_fifth) }}<td class="n">{{ span(c.lead_peak) }}</tr>{% endfor %}</table>
{% endfor %}
{% if d %}
<h2>两版规则的差别 <span class="en">Difference</span></h2>
<p>相同 both {{ d.both }}（更早 earlier {{ d.earlier }}，更晚 later {{ d.later }}，级别不同 other level {{ d.other_level }}）</p>
<h3>仅 only {{ a.policy }}：{{ d.only_first|length }}</h3><ul>{% for x in d.only_first %}<li>{{ x }}{% endfor %}</ul>
<h3>仅 only {{ b.policy }}：{{ d.only_second|length }}</h3><ul>{% for x in d.only_second %}<li>{{ x }}{% endfor %}</ul>
{% endif %}
</html>
"""


def write_report(path: Path, first: Figures, second: Figures | None, diff: Difference | None) -> None:
    """Write the page."""
    environment = Environment(autoescape=True)
    page = environment.from_string(_PAGE)
    html = page.render(a=first, b=second, d=diff, days=_days, leads=_leads, span=span, day=_day, minute=_minute)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html, encoding="utf-8")


def span(delta: timedelta | None) -> str:
    """`3 d 4 h`; `—` where there was no flag."""
    if delta is None:
        return "—"
    hours = round(abs(delta.total_seconds()) / 3600)
    return f"{'−' if delta < timedelta() and hours else ''}{hours // 24} d {hours % 24} h"


def _day(at: datetime) -> date:
    """Beijing's day: flags are counted by it, whatever zone the file writes its times in."""
    return at.astimezone(BEIJING).date()


def _minute(at: datetime) -> str:
    return f"{at.astimezone(BEIJING):%Y-%m-%d %H:%M}"


def _days(f: Figures) -> Markup:
    first, last = _day(f.first), _day(f.last)
    return _bars(_filled(f.per_day, first, last), first, last)


def _filled(per_day: Mapping[date, int], first: date, last: date) -> list[int]:
    return [per_day.get(first + timedelta(days=n), 0) for n in range((last - first).days + 1)]


def _bars(values: Sequence[int], first: date, last: date) -> Markup:
    top = max([*values, 1])
    step = WIDTH / max(1, len(values))
    bars = "".join(
        f'<rect x="{n * step:.2f}" y="{HEIGHT - 20 - value / top * (HEIGHT - 40):.1f}" width="{max(step, 1.5):.2f}" '
        f'height="{value / top * (HEIGHT - 40):.1f}" fill="#31688e"><title>{first + timedelta(days=n)}: {value}</title></rect>'
        for n, value in enumerate(values)
        if value
    )
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="flags per day">'
        f'<line x1="0" y1="{HEIGHT - 20}" x2="{WIDTH}" y2="{HEIGHT - 20}" stroke="#9aa7b4"/>{bars}'
        f'<text x="0" y="{HEIGHT - 4}" font-size="12">{first}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 4}" font-size="12" text-anchor="end">{last}</text>'
        f'<text x="0" y="14" font-size="12">{top}</text></svg>'
    )


def _leads(crowds: Sequence[Crowd]) -> Markup:
    """Each matter a line: the flag, the fifth petitioner at 0, the peak week; in days."""
    known = [(c, c.lead_fifth) for c in crowds if c.lead_fifth is not None]
    if not known:
        return Markup("")
    reach = max(1.0, *(abs(lead / timedelta(days=1)) for _, lead in known))
    middle, scale, row = WIDTH / 2, (WIDTH / 2 - 30) / reach, 16
    height = row * len(known) + 24
    dots = "".join(
        f'<line x1="{middle}" y1="{n * row + 12}" x2="{middle - lead / timedelta(days=1) * scale:.1f}" y2="{n * row + 12}" '
        f'stroke="{"#35b779" if lead >= timedelta() else "#d1495b"}" stroke-width="3"/>'
        f'<circle cx="{middle - lead / timedelta(days=1) * scale:.1f}" cy="{n * row + 12}" r="4" '
        f'fill="{"#35b779" if lead >= timedelta() else "#d1495b"}"/>'
        for n, (_, lead) in enumerate(known)
    )
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="lead time">'
        f'<line x1="{middle}" y1="0" x2="{middle}" y2="{height - 18}" stroke="#1d2733" stroke-dasharray="3 3"/>{dots}'
        f'<text x="{middle}" y="{height - 4}" font-size="12" text-anchor="middle">第五人 fifth petitioner</text>'
        f'<text x="30" y="{height - 4}" font-size="12">提前 {reach:.0f} d early</text>'
        f'<text x="{WIDTH}" y="{height - 4}" font-size="12" text-anchor="end">迟 {reach:.0f} d late</text></svg>'
    )
