"""Reads a chart's path and a list of cases (values, release, whether at an upgrade) from standard input; writes what Helm makes of each, and
what it lints.

A process of its own: the library brings a whole Go runtime.
"""

import json
import sys

import helm_python as helm


def render(chart: helm.Chart, values: dict, release: str, is_upgrade: bool) -> dict:
    """The manifests, or why Helm refuses."""
    try:
        chart.validate_schema(values)
        return {"manifests": chart.render(values, name=release, namespace="prod", is_upgrade=is_upgrade)}
    except helm.HelmError as error:
        return {"error": str(error)}


asked = json.load(sys.stdin)
with helm.Chart.load(asked["chart"]) as loaded:
    answers = [render(loaded, *case) for case in asked["cases"]]
json.dump({"answers": answers, "lint": helm.lint(asked["chart"])}, sys.stdout)
