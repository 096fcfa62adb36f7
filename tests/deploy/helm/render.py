"""Reads a chart's path and a list of values from standard input; writes what Helm makes of each, and what it lints.

A process of its own: the library brings a whole Go runtime.
"""

import json
import sys

import helm_python as helm


def render(chart: helm.Chart, values: dict) -> dict:
    """The manifests, or why Helm refuses."""
    try:
        chart.validate_schema(values)
        return {"manifests": chart.render(values, name="pager", namespace="prod")}
    except helm.HelmError as error:
        return {"error": str(error)}


asked = json.load(sys.stdin)
with helm.Chart.load(asked["chart"]) as loaded:
    answers = [render(loaded, values) for values in asked["values"]]
json.dump({"answers": answers, "lint": helm.lint(asked["chart"])}, sys.stdout)
