"""A small trading journal: its own table and queries beside the bars, on either engine.

``python app.py sqlite:///journal.db`` records a fill of the last bar of each series, and prints
what is held. See README.md for the table.
"""

from __future__ import annotations

import sys
from pathlib import Path

from typed import typed

import jutsu_sql

HERE = Path(__file__).parent


def main(url: str) -> None:
    with jutsu_sql.connect(url, queries=HERE / "queries") as db:
        db.migrate()
        q = typed(db)
        for series in q.series.matching(symbol=None, timeframe="1D"):
            for bar in q.bars.latest(series_id=series.series_id, n=1):
                q.fills.record(
                    series_id=series.series_id, ts=bar.ts, quantity=1.0, price=bar.close, note=None
                )
                held = q.fills.position(series_id=series.series_id, at=bar.ts)
                assert held is not None
                print(f"{series.symbol}: {held.quantity:g} for {held.cost:g}")


if __name__ == "__main__":
    main(sys.argv[1])
