"""Posted forms (application/x-www-form-urlencoded), as browsers, Slack and Twilio send them."""

from urllib.parse import parse_qsl

from receiver.web.http.problem_details import HttpProblem

MOST_FIELDS = 200
FORM_LIMIT = 1 << 20
"""Bytes of a form from somebody who has logged in."""


def parse_pairs(body: bytes) -> list[tuple[str, str]]:
    """Names and values in order, empty ones too. Raises Problem 400 for what is no form."""
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise HttpProblem(400, "the body is no form") from None


def parse_form(body: bytes) -> dict[str, str]:
    """The form by name; of several values the last. Raises Problem 400."""
    return dict(parse_pairs(body))
