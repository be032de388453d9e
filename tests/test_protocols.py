"""docs/PROTOCOLS.md: what the code cites is there, and its tables are those of the code."""

import re
from pathlib import Path

import pytest

from bench.profiles import PROFILES

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "PROTOCOLS.md").read_text(encoding="utf-8")
HEADINGS = set(re.findall(r"^#{2,3} (A\.[\d.]+) ", TEXT, re.MULTILINE))
CITED = re.compile(r"PROTOCOLS\s+(A\.\d+(?:\.\d+)*)(?:-(A\.\d+(?:\.\d+)*))?")


def test_every_cited_section_exists():
    cited = {
        section
        for folder in ("pruning", "bench", "results", "reports", "tests")
        for path in (ROOT / folder).rglob("*.py")
        for found in CITED.finditer(path.read_text(encoding="utf-8"))
        for section in found.groups()
        if section
    }
    assert len(cited) > 8
    assert cited <= HEADINGS


def rows_of(section):
    """The table of a section: its first column, then the other cells in order."""
    body = re.split(rf"^#+ {re.escape(section)} .*$", TEXT, flags=re.MULTILINE)[1]
    lines = re.split(r"^#", body, flags=re.MULTILINE)[0].splitlines()
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return {cells[0].strip(): cells[1:] for cells in table}


@pytest.mark.parametrize("column", range(len(PROFILES)))
def test_the_profiles_are_those_of_the_code(column):
    rows = {topic: cells[column] for topic, cells in rows_of("A.10").items()}
    profile = PROFILES[rows[""].strip("`")]
    protocol = profile.protocol
    assert rows["epochs; rate drops after"] == f"{protocol.epochs}; {', '.join(map(str, protocol.lr_drops))}"
    assert rows["rounds"] == ", ".join(map(str, profile.rounds))
    assert rows["seeds"] == ", ".join(map(str, profile.seeds))
    assert rows["images scored on"] == f"{protocol.score_samples:,}"
    assert rows["precision"] == protocol.precision
    assert rows["cells"] == str(sum(1 for _ in profile.cells()))
    assert rows["headline accuracy"] == profile.headline
    assert rows["against published numbers"] == ("yes" if profile.comparable else "no")
