"""Commands load what they need and no more: an editor or a hook runs `tocsin check` all the time, a shell `tocsin show`."""

import subprocess
import sys

import pytest

HEAVY = ("sqlalchemy", "alembic", "aiohttp", "jinja2", "yaml", "rules.document", "receiver.engine.engine")


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        ("--version", set()),
        ("show --help", set()),
        ("acknowledge --help", set()),
        ("watch --help", set()),
        ("check --help", {"jinja2", "yaml", "rules.document", "receiver.engine.engine"}),
    ],
)
def test_a_command_loads_only_what_it_needs(words: str, needed: set[str]) -> None:
    """No command loads another's libraries; `check` needs neither a database's nor the network's."""
    code = f"import sys; sys.argv = 'tocsin {words}'.split()\nfrom receiver.cli import main\ntry:\n    main()\n"
    code += f"finally:\n    print([each for each in {HEAVY} if each in sys.modules], file=sys.stderr)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(eval(run.stderr)) <= needed
