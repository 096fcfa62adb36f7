"""Policies that tests read: the guide, systems of our own, and the framework's where they lie beside the project."""

from pathlib import Path

HERE = Path(__file__).parent
GUIDE = HERE / "guide.md"
SYSTEMS = HERE / "systems"
FRAMEWORK = HERE.parents[2] / "shared" / "framework"
"""The framework's own example systems; read where present, not copied."""
