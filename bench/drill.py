"""Drill: how many incidents per second are played, from the alert to the close, on the virtual clock."""

import tempfile
from pathlib import Path
from time import perf_counter

from bench.ingest import POLICY
from bench.table import Row
from receiver.drill.script import Script, play
from receiver.drill.simulator import World
from rules.load import load
from rules.policy import HOUR, MINUTE

ROUNDS, INCIDENTS = 5, 200
SCRIPTS = {
    "nobody comes": Script(resolve_after=2 * HOUR),
    "acknowledged, resolved": Script(acknowledge_after=5 * MINUTE, resolve_after=HOUR),
}


def run() -> list[Row]:
    """Each script, with every incident in its own world."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.yaml"
        path.write_text(POLICY)
        policy = load([path])
    rows = []
    for name, script in SCRIPTS.items():
        rates = []
        for _ in range(ROUNDS):
            began = perf_counter()
            for _ in range(INCIDENTS):
                play(World(policy), script, "accuracy_low")
            rates.append(INCIDENTS / (perf_counter() - began))
        rows.append(Row("drill", name, "incidents/s", tuple(rates)))
    return rows
