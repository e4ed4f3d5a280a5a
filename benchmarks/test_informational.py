"""What is worth knowing, and fails nothing."""

from __future__ import annotations

import pytest
from conftest import Run

from jutsu_sql.bench import SCENARIOS, Scenario, Verdict

pytestmark = [pytest.mark.informational, pytest.mark.benchmark(disable_gc=True)]


@pytest.mark.parametrize(
    "scenario", [s for s in SCENARIOS if not s.limits], ids=lambda scenario: scenario.name
)
def test_informational(run: Run, scenario: Scenario) -> None:
    assert run(scenario).verdict is Verdict.INFO
