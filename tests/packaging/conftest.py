"""What an installation elsewhere needs: the dependencies that are installed here, and nothing of this checkout."""

import site
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def dependencies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that is installed here but Tocsin itself, for environments without a network."""
    folder = tmp_path_factory.mktemp("dependencies")
    places = {Path(each) for each in (*site.getsitepackages(), sysconfig.get_path("purelib"))}
    for installed in (each for place in places if place.is_dir() for each in place.iterdir()):
        if not installed.name.startswith(("tocsin", "_tocsin")) and installed.suffix != ".pth":
            (folder / installed.name).symlink_to(installed)
    return folder
