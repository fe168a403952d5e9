"""What the documentation names exists: tests, files, links."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def existing_tests():
    return {
        name
        for file in (ROOT / "host_tests").rglob("test_*.py")
        for name in re.findall(r"^\s*(?:async )?def (test_\w+)", file.read_text(), re.M)
    }


def test_every_test_that_the_documentation_names_exists():
    known = existing_tests()
    for page in PAGES:
        named = set(re.findall(r"\btest_[a-z0-9_]+\b(?!\.py)", page.read_text()))
        assert named <= known, f"{page.name} names no such tests: {sorted(named - known)}"


def test_every_file_that_the_documentation_names_exists():
    places = r"(?:lib|tools|docs|host_tests|firmware|boards)"
    for page in PAGES:
        text = page.read_text()
        named = set(re.findall(rf"`({places}/[\w/.-]+)`", text))
        named |= set(re.findall(r"\]\(([^)#:]+)\)", text))
        for name in named:
            if "NAME" in name:  # stands for several
                continue
            there = (ROOT / name).exists() or (page.parent / name).exists()
            assert there, f"{page.name} names {name}, which does not exist"
