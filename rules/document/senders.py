"""The document models of foreign alerts: the levels of their severities, and which alerts to ignore."""

from pydantic import Field

from rules.document.values import LabelMatchers, LevelOrNone, Section, Text


class SeverityMap(Section):
    """The levels of words in the label `severity`, for one source or for all."""

    source: Text | None = Field(
        None, description="The `?source=` of the webhook's URL whose alerts are meant; left out: those of every source."
    )
    map: dict[Text, LevelOrNone] = Field(
        description="Word → level. 0: the alert is kept in the history and nobody is told. A source's own words go "
        "before those for all, and both before the usual ones."
    )


class Ignored(Section):
    """Foreign alerts that open no incident; they are counted. Alerts of this policy's rules are never ignored."""

    matchers: LabelMatchers = Field(
        description="All must be met, as in Alertmanager: =, !=, and =~ and !~ for the whole value."
    )
    reason: str = Field("", description="Why, for people.")
