"""What the build adds: the commit, in a file of the package, so that `tocsin --version` tells it where no git is."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Commit(BuildHookInterface[Any]):
    """Writes receiver/commit.txt into wheel and source distribution."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a build. An editable install gets no file: its checkout is asked each time."""
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        from receiver.version import KEPT, commit  # noqa: PLC0415 - found only now

        # SOURCE_COMMIT: whoever builds without the repository's .git (an image) may say it.
        said = os.environ.get("SOURCE_COMMIT") or commit(Path(self.root))
        self._folder = tempfile.TemporaryDirectory()
        kept = Path(self._folder.name) / KEPT
        kept.write_text(f"{said}\n", encoding="utf-8")
        build_data["force_include"][str(kept)] = f"receiver/{KEPT}"

    def finalize(self, version: str, _build_data: dict[str, Any], _artifact_path: str) -> None:
        """Called after a build."""
        if version != "editable":
            self._folder.cleanup()
