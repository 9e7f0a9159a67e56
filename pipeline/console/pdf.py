"""A dossier as PDF: a title, a word about what it is, and entries with their sentences."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.officer.access_letter import western


def pdf(title: str, intro: str, context: Sequence[tuple[str, Sequence[str]]], language: str) -> bytes:
    """The dossier's bytes. Its letters are those of Western Europe; others lose their accents (the CSV keeps them)."""
    from fpdf import FPDF  # noqa: PLC0415 - seldom needed

    class Paper(FPDF):
        def footer(self) -> None:
            self.set_y(-12)
            self.set_font("Helvetica", "", 8)
            self.cell(0, 6, f"{self.page_no()} / {{nb}}", align="C")

    paper = Paper()
    paper.set_title(western(title))
    paper.set_lang(language)
    paper.set_auto_page_break(True, 16)
    paper.add_page()
    for size, style, text in ((16, "B", title), (10, "", intro)):
        paper.set_font("Helvetica", style, size)
        paper.multi_cell(0, size * 0.5, western(text), new_x="LMARGIN", new_y="NEXT")
        paper.ln(2)
    for head, lines in context:
        paper.ln(1.5)
        paper.set_font("Helvetica", "B", 9)
        paper.multi_cell(0, 4.6, western(head), new_x="LMARGIN", new_y="NEXT")
        paper.set_font("Helvetica", "", 9)
        for line in lines:
            paper.multi_cell(0, 4.4, western("- " + line), new_x="LMARGIN", new_y="NEXT")
    return bytes(paper.output())
