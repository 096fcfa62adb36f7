"""Templates are other people's programs: filling one ends soon, with bounded output or an error."""

import asyncio
import subprocess
import sys
from contextlib import suppress

import pytest

from rules.placeholders import TemplateError
from rules.rendering import OUTPUT_LIMIT, fill_jinja, placeholders

FILLING = {"severity": "emergency", "status": "open"}
SECONDS = 0.2
LOOP = "{% for a in range(99999) %}"

RUNAWAY = {
    "a loop of ten billion that writes": f"{LOOP}{LOOP}x{{% endfor %}}{{% endfor %}}",
    "a loop of ten billion that writes nothing": f"{LOOP}{LOOP}{{% endfor %}}{{% endfor %}}",
    "a text times three billion": '{{ "x" * 3000000000 }}',
    "a tuple times three billion": "{{ (1,) * 3000000000 }}",
    "a wide centre": '{{ "x" | center(10**9) }}',
    "a wide justification": '{{ "x".ljust(10**10) }}',
    "a wide percent format": '{{ "%999999999d" % 3 }}',
    "a wide format filter": '{{ "%999999999d" | format(3) }}',
    "a wide str.format": '{{ "{:>999999999}".format(1) }}',
    "a join of long parts": '{{ range(99999) | join("x" * 99999) }}',
    "replacements of replacements": '{{ "a" | replace("a", "b" * 9999999) | replace("b", "c" * 9999999) }}',
    "a text that doubles": '{% set n = namespace(x="ab") %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}'
    "{% endfor %}{{ n.x }}",
    "a power beyond all memory": "{{ 9 ** (9 ** 9) }}",
    "a range without end": "{{ range(10 ** 12) | list }}",
    "a macro that calls itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a macro that calls itself twice": "{% macro m(n) %}{{ m(n + 1) }}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
    "macros within macros": "".join(
        f"{{% macro m{n}() %}}{{{{ m{n + 1}() }}}}{{{{ m{n + 1}() }}}}{{% endmacro %}}" for n in range(60)
    )
    + "{% macro m60() %}{% endmacro %}{{ m0() }}",
    "prose by the ton": "{{ lipsum(n=100000) }}",
    "a text of its own that is too long": "x" * (OUTPUT_LIMIT + 1) + "{# it is Jinja2 #}",
}


@pytest.mark.parametrize("text", RUNAWAY.values(), ids=RUNAWAY)
def test_a_runaway_template_is_stopped(text: str) -> None:
    """Loops, huge texts, huge numbers, recursion: each ends as an error, and the next template is filled again."""
    with pytest.raises(TemplateError):
        fill_jinja(text, FILLING, SECONDS)
    assert fill_jinja("{{ severity | upper }}", FILLING) == "EMERGENCY"


CONSTANTS = {
    "a power beyond all memory": "{{ 9 ** (9 ** 9) }}",
    "a power that is set": "one\n{% set x = 2 ** 9999999999 %}",
    "a text that is a gigabyte": '{{ "%999999999d" % 3 }}',
    "a power to decide by": "{{ 1 if 9 ** 9 ** 9 else 2 }}",
    "a power that switches escaping": "{% autoescape 9 ** 9 ** 9 %}{% endautoescape %}",
    "a filter's": '{{ "x" | center(10 ** 9) | upper }}',
}


@pytest.mark.parametrize("text", CONSTANTS.values(), ids=CONSTANTS)
def test_what_is_constant_is_worked_out_under_limits(text: str) -> None:
    """Jinja2 works out constants when a template is only read: that ends soon too, as the template's fault or well."""
    with suppress(TemplateError):
        assert placeholders(text) == ()
    assert placeholders("{{ severity }}") == ("severity",)


def test_the_line_of_a_loop_is_known() -> None:
    """Where Python gets hold of a runaway template, the error names the line that it was in."""
    with pytest.raises(TemplateError, match="takes more than") as caught:
        fill_jinja(f"one\ntwo\n{LOOP}\n{LOOP}{{% endfor %}}\n{{% endfor %}}", FILLING, SECONDS)
    assert caught.value.line == 4


def test_nothing_of_ours_is_within_reach() -> None:
    """A template reaches no attribute that leads out of the sandbox, and its process has no secret of ours."""
    for text in ("{{ severity.__class__ }}", "{{ cycler.__init__.__globals__ }}", "{% include 'x' %}"):
        with pytest.raises(TemplateError):
            fill_jinja(text, FILLING)
    code = (
        "import os; os.environ['TOCSIN_SLACK_TOKEN'] = 'secret'\n"
        "from rules import rendering\n"
        "rendering.fill_jinja('{{ severity }}', {'severity': 'x'})\n"
        "print(open(f'/proc/{rendering._renderer._process.pid}/environ').read())\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "secret" not in told.stdout


async def test_the_event_loop_goes_on() -> None:
    """While a template runs away in a thread's care, the event loop turns as before."""
    text = f"{LOOP}{LOOP}{{# another #}}{{% endfor %}}{{% endfor %}}"
    filling = asyncio.create_task(asyncio.to_thread(fill_jinja, text, FILLING, SECONDS))
    turns = 0
    while not filling.done():
        turns += 1
        await asyncio.sleep(0.001)
    assert isinstance(filling.exception(), TemplateError)
    assert turns > 20
