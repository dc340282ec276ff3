"""Special reports as DOCX and PDF. Chinese needs no font file: the PDF names Adobe's STSong-Light, which readers have."""

from __future__ import annotations

import io
from typing import Any, Final
from xml.sax.saxutils import escape

from docx import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.shared import Pt
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from services.alerts.reports import Report

FONT: Final = "STSong-Light"
_CONTROL: Final = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 127, 0xFFFE, 0xFFFF])


def clean(text: str) -> str:
    """Without characters that the formats cannot hold."""
    return text.translate(_CONTROL).encode("utf-8", "ignore").decode()


def render(report: Report, form: str) -> bytes:
    """The document's bytes."""
    return _docx(report) if form == "docx" else _pdf(report)


def _docx(report: Report) -> bytes:
    document = Document()
    style = document.styles["Normal"]
    style.font.name = "SimSun"
    style.font.size = Pt(11)
    style.element.rPr.rFonts.set(qn("w:eastAsia"), "SimSun")
    title = document.add_heading(clean(report.title), level=0)
    title.alignment = WD_ALIGN_PARAGRAPH.CENTER
    for text in (report.subtitle, report.mark):
        if text:
            document.add_paragraph(clean(text)).alignment = WD_ALIGN_PARAGRAPH.CENTER
    for section in report.sections:
        document.add_heading(clean(section.heading), level=2)
        for line in section.lines:
            document.add_paragraph(clean(line))
        if section.table:
            table = document.add_table(rows=0, cols=max(len(row) for row in section.table))
            table.style = "Table Grid"
            for row in section.table:
                cells = table.add_row().cells
                for cell, text in zip(cells, row, strict=False):
                    cell.text = clean(text)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _pdf(report: Report) -> bytes:
    if FONT not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    body = ParagraphStyle("body", fontName=FONT, fontSize=10.5, leading=16, wordWrap="CJK")
    cell = ParagraphStyle("cell", parent=body, fontSize=9, leading=12)
    head = ParagraphStyle("head", parent=body, fontSize=13, leading=20, spaceBefore=8)
    title = ParagraphStyle("title", parent=body, fontSize=20, leading=28, alignment=1)
    centre = ParagraphStyle("centre", parent=body, alignment=1)

    def paragraph(text: str, style: Any) -> Any:
        return Paragraph(escape(clean(text)), style)

    story: list[Flowable] = [paragraph(report.title, title), paragraph(report.subtitle, centre)]
    if report.mark:
        story.append(paragraph(report.mark, centre))
    for section in report.sections:
        story.append(paragraph(section.heading, head))
        story += [paragraph(line, body) for line in section.lines]
        if section.table:
            width = max(len(row) for row in section.table)
            rows = [[paragraph(text, cell) for text in (*row, *[""] * (width - len(row)))] for row in section.table]
            table = Table(rows, colWidths=[170 * mm / width] * width, repeatRows=0, splitInRow=1)
            # a reason may be longer than a page: without splitInRow its row is a LayoutError
            table.setStyle(
                TableStyle([("GRID", (0, 0), (-1, -1), 0.4, colors.grey), ("VALIGN", (0, 0), (-1, -1), "TOP")])
            )
            story += [Spacer(1, 3), table]
    out = io.BytesIO()
    SimpleDocTemplate(out, pagesize=A4, leftMargin=20 * mm, rightMargin=20 * mm, title=clean(report.subtitle)).build(
        story
    )
    return out.getvalue()
