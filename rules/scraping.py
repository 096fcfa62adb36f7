"""How often metrics are scraped: as the policy says (`scrape_interval:`), or a Prometheus configuration, by job.

`rules.lint.prometheus_lints` holds ranges, `for` and intervals against it. Imports the language's parsers only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from rules import durations
from rules.expression import Selector
from rules.matchers import match
from rules.policy import MINUTE, Micros

USUAL = Micros(MINUTE)
"""Prometheus's own default."""


@dataclass(frozen=True, slots=True)
class Scraping:
    """Scrape intervals in microseconds."""

    usual: Micros
    jobs: Mapping[str, Micros] = field(default_factory=dict)
    """By job, where they are known."""

    def of(self, selector: Selector) -> Micros:
        """The shortest interval of the jobs that may have the metric, so that no lint warns without need."""
        asked = [each for each in selector.matchers if each[0] == "job"]
        every = [interval for job, interval in self.jobs.items() if match(asked, {"job": job})]
        return min(every, default=self.usual)


def of_configuration(text: str) -> Scraping:
    """The scrape intervals of a Prometheus configuration. Raises ValueError with the reason."""
    try:
        written = yaml.load(text, yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"it is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(written, dict) or not {"global", "scrape_configs"} & set(written):
        raise ValueError("it has neither `global` nor `scrape_configs`")
    general, jobs = written.get("global") or {}, written.get("scrape_configs") or []
    if not isinstance(general, dict) or not isinstance(jobs, list) or not all(isinstance(each, dict) for each in jobs):
        raise ValueError("`global` is no mapping, or `scrape_configs` no list of mappings")
    usual = _interval(general, "global", USUAL)
    return Scraping(usual, {str(each.get("job_name", "")): _interval(each, "scrape_configs", usual) for each in jobs})


def _interval(within: Mapping[str, object], where: str, otherwise: Micros) -> Micros:
    written = within.get("scrape_interval")
    try:
        return otherwise if written is None else durations.parse(str(written)) or otherwise
    except ValueError as error:
        raise ValueError(f"{where}: scrape_interval: {error}") from None
