"""Parts of pages in Markdown."""

from pathlib import Path

__all__ = ["replace_between", "table"]


def table(head: list[str], lines: list[list[str]]) -> str:
    """A table."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows)


def replace_between(path: Path, begin: str, end: str, text: str) -> None:
    """Replace what stands between two markers of a page."""
    page = path.read_text(encoding="utf-8")
    before, after = page.split(begin, 1)[0], page.split(end, 1)[1]
    path.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")
