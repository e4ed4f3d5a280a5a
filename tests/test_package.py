"""The house rules: what is public, what is shipped, what is loaded, and where SQL may stand."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import jutsu_sql
from jutsu_sql import errors

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "jutsu_sql").rglob("*.py"))
STATEMENT = re.compile(
    r"\s*(SELECT\s|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s|DROP\s|ALTER\s|COPY\s|PRAGMA\s"
    r"|WITH\s+\w+\s+AS|BEGIN\b|COMMIT\b|ROLLBACK\b|SAVEPOINT\s|RELEASE\s|TRUNCATE\s|VACUUM\b|SET\s+\w+\s)"
)


def test_public_names() -> None:
    assert {name: getattr(jutsu_sql, name) is not None for name in jutsu_sql.__all__}
    assert sorted(jutsu_sql.__all__) == jutsu_sql.__all__ == dir(jutsu_sql)
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        jutsu_sql.nope  # noqa: B018


def test_every_error_is_drawn_in_the_tree() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    tree = errors.__doc__ or ""
    for error in classes:
        if issubclass(error, Exception):
            assert re.search(rf"\b{error.__name__}\b", tree), error
            assert issubclass(error, errors.JutsuSqlError)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_statement_text_in_python(path: Path) -> None:
    if path.name == "queries.py":
        return  # it reads SQL, and so names the words that it looks for
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)):
            text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            if id(node) not in docstrings:
                assert not STATEMENT.match(text), f"{path}:{node.lineno}: {text!r}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_dialect_test_outside_dialects(path: Path) -> None:
    if "dialects" in path.parts or path.name in {"config.py", "queries.py"}:
        return  # config names the engines, queries knows how each one lexes
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare):
            words = {x.value for x in ast.walk(node) if isinstance(x, ast.Constant)}
            assert not words & {"sqlite", "postgresql"}, f"{path}:{node.lineno}"


def test_importing_the_package_is_light() -> None:
    code = "import sys, jutsu_sql; print(sorted(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "pandas", "polars", "psycopg", "pyarrow", "sqlite3", "yaml", "yoyo", "rich"}
    assert not heavy & set(ast.literal_eval(done.stdout))


def test_the_wheel_holds_every_sql_file(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("sql", "migrations"):
        files = sorted((ROOT / folder).rglob("*.sql"))
        assert files
        for path in files:
            assert f"jutsu_sql/_data/{path.relative_to(ROOT)}" in names
    assert "jutsu_sql/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]
