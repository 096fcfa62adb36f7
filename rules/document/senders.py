"""What people may write about alerts that others made: what their severities mean, and which are nothing to us."""

from pydantic import Field

from rules.document.values import LabelMatchers, LevelOrNone, Section, Text


class SeverityMap(Section):
    """What words of the label `severity` mean, of one source or of all."""

    source: Text | None = Field(
        None, description="The `?source=` of the webhook's URL whose alerts are meant; left out: those of every source."
    )
    map: dict[Text, LevelOrNone] = Field(
        description="Word → level. 0: the alert is kept in the history and nobody is told. A source's own words go "
        "before those for all, and both before the usual ones."
    )


class Ignored(Section):
    """Alerts of others that open no incident; they are counted. Alerts of this policy's rules are never ignored."""

    matchers: LabelMatchers = Field(
        description="All must be met, as in Alertmanager: =, !=, and =~ and !~ for the whole value."
    )
    reason: str = Field("", description="Why, for people.")
