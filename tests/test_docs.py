"""The documentation says what is so."""

from __future__ import annotations

import os
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
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_bring_your_own_sql(tmp_path: Path, newest_postgres_url: str) -> None:
    """Every file of the document is written as it stands, and every command run, in order."""
    text = (ROOT / "docs" / "own-sql.md").read_text(encoding="utf-8")
    for name, content in re.findall(r"^`([\w/.-]+)`:\n\n```\w+\n(.*?)^```", text, re.DOTALL | re.M):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": programs, "DATABASE_URL": newest_postgres_url}

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    said = ""
    for language, block in re.findall(r"^```(console|python)\n(.*?)^```", text, re.DOTALL | re.M):
        if language == "python":
            said += run(sys.executable, "-W", "error", "-c", block)
        for command in re.findall(r"^\$ (.*)", block, re.MULTILINE):
            said += run("bash", "-c", command)
    assert "2024-01-02 15:30:00+00:00 5.0\n" in said
    assert "USING INDEX fills_symbol (symbol=?)" in said
    assert (tmp_path / "fills.parquet").stat().st_size


def test_every_promise_has_its_test() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:\.\./)?test_\w+\.py)::(test_\w+)`", text))
    rows = [line for line in text.splitlines() if line.startswith("| ") and "::" in line]
    assert len(rows) > 30
    for file, name in named:
        source = (ROOT / "tests" / "faults" / file).read_text(encoding="utf-8")
        assert f"def {name}(" in source, f"{file}::{name}"
    files = {path.name for path in (ROOT / "tests" / "faults").glob("test_*.py")}
    assert {file for file, _ in named if not file.startswith("../")} == files
