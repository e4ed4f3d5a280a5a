"""The documentation says what is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import jutsu_sql
from jutsu_sql.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_the_python_blocks_run_in_order(tmp_path: Path) -> None:
    assert len(blocks("python")) == 7
    for block in blocks("python"):
        subprocess.run([sys.executable, "-W", "error", "-c", block], cwd=tmp_path, check=True)


def test_the_query_of_the_readme_runs(tmp_path: Path) -> None:
    (text,) = blocks("sql")
    (tmp_path / "bars").mkdir()
    (tmp_path / "bars" / "top.sql").write_text(text)
    with jutsu_sql.connect("sqlite://", queries=tmp_path) as db:
        db.migrate()
        assert db.run("bars.top", series_id=1) is None


def test_every_command_stands_in_the_readme() -> None:
    context = click.Context(main)
    for name in main.list_commands(context):
        assert f"jutsu-sql {name}" in README, name


@pytest.mark.parametrize("name", sorted(set(jutsu_sql.__all__) - {"__version__"}))
def test_every_public_name_has_a_docstring(name: str) -> None:
    assert (getattr(jutsu_sql, name).__doc__ or "").strip()


def test_every_link_leads_somewhere() -> None:
    for document in ROOT.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{document.name}: {target}"


def test_every_promise_has_its_test() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", text))
    rows = [line for line in text.splitlines() if line.startswith("| ") and "::" in line]
    assert len(rows) > 30
    for file, name in named:
        source = (ROOT / "tests" / "faults" / file).read_text(encoding="utf-8")
        assert f"def {name}(" in source, f"{file}::{name}"
    files = {path.name for path in (ROOT / "tests" / "faults").glob("test_*.py")}
    assert {file for file, _ in named} == files
