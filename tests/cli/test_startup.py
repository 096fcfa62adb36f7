"""Commands that need no database and no network do not load them: an editor or a hook runs `tocsin check` all the time."""

import subprocess
import sys


def test_a_policy_is_checked_without_the_receivers_libraries() -> None:
    """Loading the command line brings in neither SQLAlchemy, Alembic nor aiohttp."""
    code = "import sys, receiver.cli; print({'sqlalchemy', 'alembic', 'aiohttp'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout == "set()\n"
