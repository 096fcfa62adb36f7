"""E-mail addresses: what is one, what it is to a mail server, and where the others go wrong."""

import pytest

from rules.addresses import AddressError, parse_address
from rules.outputs.options import Options

GOOD = {
    "ann@example.org": "ann@example.org",
    "Ann.O'Neil+page@Example.org": "Ann.O'Neil+page@Example.org",
    "jürgen@example.org": "jürgen@example.org",
    "дежурный@example.org": "дежурный@example.org",
    "ops@bücher.example": "ops@xn--bcher-kva.example",
    "ops@straße.example": "ops@xn--strae-oqa.example",
    "ops@xn--bcher-kva.example": "ops@xn--bcher-kva.example",
    "当番@例え.テスト": "当番@xn--r8jz45g.xn--zckzah",
    f"{'a' * 64}@example.org": f"{'a' * 64}@example.org",
}
BAD = {
    "": 0,
    "ann": 0,
    "@example.org": 0,
    "ann@": 4,
    "ann@localhost": 4,
    "a..b@example.org": 2,
    ".ann@example.org": 0,
    "ann.@example.org": 3,
    "an n@example.org": 2,
    "ann@bob@example.org": 3,
    '"ann"@example.org': 0,
    "Ann <ann@example.org>": 3,
    "ann@example..org": 12,
    "ann@.example.org": 4,
    "ann@example.org.": 15,
    "ann@-example.org": 4,
    "ann@exam ple.org": 4,
    "ann@[10.0.0.1]": 4,
    "ann@☃.example": 4,
    "ann@example.org\u3002": 4,
    "ann@example.\u00ad.org": 4,
    "ann,bob@example.org": 3,
    "ann\n@example.org": 3,
    "ann\u00a0@example.org": 3,
    f"{'a' * 65}@example.org": 0,
    f"{'ü' * 33}@example.org": 0,
    f"ann@{'b' * 64}.org": 4,
    f"ann@{'b.' * 130}org": 4,
}


@pytest.mark.parametrize(("text", "sent"), GOOD.items())
def test_addresses(text: str, sent: str) -> None:
    """An address is taken as people write it; its domain is what DNS has, by the rules of today (IDNA 2008)."""
    assert str(parse_address(text)) == sent
    assert parse_address(text).needs_utf8 is not sent.isascii()


@pytest.mark.parametrize(("text", "offset"), BAD.items())
def test_others(text: str, offset: int) -> None:
    """What is none is refused with the character where that shows."""
    with pytest.raises(AddressError) as caught:
        parse_address(text)
    assert caught.value.offset == offset


def test_within_the_network() -> None:
    """Our own sender, and the fallback's, may be of this host; their other faults are faults all the same."""
    assert str(parse_address("tocsin@localhost", within=True)) == "tocsin@localhost"
    mail = {"fallback_smarthost": "mail:25", "fallback_from": "tocsin@localhost"}
    Options(fallback_email="ann@example.org", **mail)
    with pytest.raises(ValueError, match="fallback_email is no e-mail address"):
        Options(fallback_email="a..b@example.org", **mail)
