"""Any input in the console's forms and addresses is answered with a page, never a 500."""

from urllib.parse import urlencode

from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.web.auth.signing import Signing
from receiver.web.console.incident_page import DONE
from tests.web.conftest import Running
from tests.web.test_fuzz import FEW, TEXT

NAMES = "note text state hold force level reason to step done link owner due type title labels exercise hash notice"
FIELDS = st.sampled_from([*NAMES.split(), "channel", "root_cause", "by", "id", "name", "value", "cursor"])
VALUES = st.sampled_from(
    [
        "1",
        "-1",
        "99",
        "2h",
        "99y",
        "on",
        "open",
        "",
        "2026-11-25T10:00",
        "9999-99-99",
        "javascript:x",
        "\0",
        "a" * 300,
        "part",
        "back",
    ]
)
PATHS = st.sampled_from(["/declare", "/channels/test", *(f"/incidents/1/{action}" for action in (*DONE, "steps", "x"))])


@settings(FEW, max_examples=50)
@given(form=st.dictionaries(FIELDS | TEXT, VALUES | TEXT, max_size=8), path=PATHS)
async def test_any_form(receiver: Running, form: dict[str, str], path: str) -> None:
    """No form of ours, filled in with anything, makes a 500, and the pages can be shown after it."""
    await receiver.send("single_firing")
    mark = Signing(receiver.store.key, receiver.clock).seal("csrf", "local")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _ = await receiver.post(path, urlencode({**form, "csrf": mark}).encode(), headers=headers)
    assert status < 500
    for shown in ("/incidents/1", f"/history?{urlencode(form)}", f"/declare?{urlencode(form)}"):
        assert (await receiver.get(shown))[0] < 500
