"""The example is what it says: it passes its check, its types are fresh, and it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jutsu_sql
from jutsu_sql import BarStore
from jutsu_sql.check.lock import stale_files
from jutsu_sql.check.pack import Pack
from jutsu_sql.check.run import check
from jutsu_sql.check.scratch import open_scratch
from jutsu_sql.config import DIALECTS, load_config

HERE = Path(__file__).parents[1] / "examples" / "trades"
SCHEMAS = [HERE / "tables", HERE / "fixture"]


def test_the_example_passes_its_check(newest_postgres_url: str) -> None:
    with open_scratch(DIALECTS, load_config(newest_postgres_url), SCHEMAS) as checkers:
        assert check(Pack([HERE / "queries"], DIALECTS), checkers) == []
    assert stale_files([HERE / "queries"], SCHEMAS) == {}


def test_the_example_runs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/journal.db"
    yoyo = [Path(sys.executable).with_name("yoyo"), "apply", "--batch", "--no-config-file"]
    own = ["--database", f"jutsu+{url}", HERE / "tables" / "sqlite"]
    subprocess.run([*yoyo, *own], check=True)  # before the toolkit's own, in the same database
    with jutsu_sql.connect(url) as db:
        db.migrate()
        bar = {"symbol": "SPY", "timeframe": "1D", "ts": "2024-01-02T00:00Z"}
        prices = {"open": 1.0, "high": 2.0, "low": 1.0, "close": 2.0, "volume": 10.0}
        BarStore(db).write([bar | prices], source="test")
    for held in (1, 2):
        app = [sys.executable, str(HERE / "app.py"), url]
        done = subprocess.run(app, check=True, capture_output=True, text=True)
        assert done.stdout == f"SPY: {held} for {2 * held}\n"
