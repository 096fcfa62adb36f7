"""Label matchers as people write them in options and policies."""

import pytest

from rules.matchers import MatcherError, match, parse, written

GOOD = {
    "one": ('namespace="prod"', (("namespace", "=", "prod"),)),
    "several, spaced": (' a = "1" , b!="2",c=~"x.*",d !~ "y" ', (("a", "=", "1"), ("b", "!=", "2"), ("c", "=~", "x.*"), ("d", "!~", "y"))),
    "in braces, with a last comma": ('{a="1",}', (("a", "=", "1"),)),
    "single quotes and escapes": (r"""a='say "hi"',b="a\"\\\n" """, (("a", "=", 'say "hi"'), ("b", "=", 'a"\\\n'))),
}  # fmt: skip


@pytest.mark.parametrize(("text", "matchers"), GOOD.values(), ids=GOOD)
def test_what_is_read(text, matchers):
    """Matchers are read as PromQL and Alertmanager have them, and written so that they are read again."""
    assert parse(text) == matchers
    assert parse(written(matchers)) == matchers


BAD = {
    "nothing": ("", 0, "a label's name"),
    "no operator": ("namespace", 9, "= != =~ !~"),
    "no quotes": ("namespace=prod", 10, "in quotes"),
    "PromQL's comparison": ('a=="b"', 1, "= != =~ !~"),
    "no comma": ('a="b" c="d"', 6, "a comma"),
    "an open quote": ('a="b', 2, "in quotes"),
    "an open brace": ('{a="b"', 6, "closing"),
    "a digit first": ('1a="b"', 0, "a label's name"),
    "no expression": ('a=~"b("', 4, "no regular expression"),
    "not Prometheus' expression": ('a=~"(?!b)"', 3 + 1, "invalid perl operator: (?!"),
    "what Prometheus repeats less often": ('a=~"b{1001}"', 4, "invalid repetition size"),
    "an injection": ('a="b"} or vector(1) or x{', 5, "a comma or the end"),
}


@pytest.mark.parametrize(("text", "offset", "said"), BAD.values(), ids=BAD)
def test_what_is_refused(text, offset, said):
    """Nonsense is refused in words, with the place where it begins."""
    with pytest.raises(MatcherError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert caught.value.offset == pytest.approx(offset, abs=1)
    assert caught.value.shown(text).splitlines()[-1].index("^") == 4 + caught.value.offset


def test_labels_agree():
    """All matchers must agree; a label that is missing is the empty value; expressions match the whole value."""
    matchers = parse('a="1",b!="2",c=~"x.*"')
    assert match(matchers, {"a": "1", "c": "xyz"})
    assert not match(matchers, {"a": "1", "b": "2", "c": "xyz"})
    assert not match(matchers, {"a": "1", "c": "axyz"})
    assert not match(matchers, {"c": "x"})


@pytest.mark.parametrize("expression", ["(x+)+y", "(x|x)*y", "(x*)*(x*)*y", "(.*x){12}y"])
def test_a_strangers_value_cannot_make_an_expression_run_for_ever(expression):
    """Expressions that backtracking cannot finish answer at once, however long the value is."""
    (matcher,) = parse(f'a=~"{expression}"')
    assert not match([matcher], {"a": "x" * 20_000})
    assert match([matcher], {"a": "x" * 20 + "y"})


def test_expressions_are_prometheus_own():
    """What only Prometheus' dialect has is understood, and values that are no text are met like any other."""
    (matcher,) = parse(r'a=~"\\pL+(?-i:x)\\z"')
    assert match([matcher], {"a": "jürgenx"})
    assert not match([matcher], {"a": "\ud800x"})
