"""Prometheus is asked: a real one where there is data, a stand-in where it fails; the answer decides."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from receiver.clients.prometheus import ANSWER_LIMIT, Prometheus, QueryFailed, Series
from receiver.core.model import Instant, Kind, Reason
from receiver.demo import tools
from receiver.demo.exporter import Exporter
from receiver.demo.stand_ins import start_web
from receiver.jobs.evidence import POINTS, Observer, concerns, make_observer, questions, thinned
from receiver.messages import MessageRenderer
from receiver.messages.times import moment
from receiver.reports.drawing import PlotLine, PlotMark
from receiver.reports.exhibits import SignalSeries
from receiver.reports.pictures import Plotter
from receiver.reports.plots import draw_png
from receiver.reports.queries import Records
from receiver.settings import Settings
from rules.policy import HOUR, MINUTE, SECOND
from rules.reserved import LABELS
from tests.core.alerts import alert
from tests.patience import GIVES_UP
from tests.web.conftest import Running

ONE = "/api/v1/incidents/1"


class StandIn:
    """Answers as it is told: a status and a body for every question, by its expression."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.raw: str | None = None
        """What it answers instead."""
        self.status = 200
        self.asked: list[str] = []
        self.course: Callable[[float], str] | None = None
        """What a signal was at a time, for all that is asked over time."""
        self.fewest_refused = 1 << 62
        """An answer with so many points is too long."""
        self.app = web.Application()
        self.app.router.add_post("/api/v1/{what}", self._answer)

    async def _answer(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.asked.append(str(form["query"]))
        value = self.answers.get(str(form["query"]))
        if self.raw is not None:
            return web.Response(status=self.status, text=self.raw)
        found = [{"metric": {"system": "landing-7"}, "value": [1.0, value]}] if value is not None else []
        if request.match_info["what"] == "query_range" and self.course:
            start, end, step = (float(str(form[each])) for each in ("start", "end", "step"))
            times = [start + number * step for number in range(int((end - start) / step) + 1)]
            if len(times) >= self.fewest_refused:
                return web.Response(text="x" * (ANSWER_LIMIT + 1))
            values = [[at, self.course(at)] for at in times]
            data = {"resultType": "matrix", "result": [{"metric": {"system": "landing-7"}, "values": values}]}
        elif request.match_info["what"] == "query_range":
            found = [{"metric": each["metric"], "values": [each["value"]]} for each in found]
            data = {"resultType": "matrix", "result": found}
        else:
            data = {"resultType": "vector", "result": found}
        return web.json_response({"status": "success", "data": data}, status=self.status)


@pytest.fixture
async def prometheus() -> AsyncIterator[tuple[StandIn, str]]:
    """A stand-in that listens, and its URL."""
    stand_in = StandIn()
    runner, url = await start_web(stand_in.app)
    yield stand_in, url
    await runner.cleanup()


def observer_of(running: Running, url: str) -> Observer:
    """What the service makes where PROMETHEUS_URL is set."""
    settings = Settings.read({"TOCSIN_PROMETHEUS_URL": url})
    reads, engine = running.store.reads(), running.engine
    observer = make_observer(settings, running.queue, engine, reads, Records(reads, MessageRenderer(), engine))
    assert observer is not None
    return observer


def body(status: str = "firing", system: str = "landing-7") -> dict[str, Any]:
    """A webhook about the safety margin (level 3 here, so that it may resolve by itself)."""
    labels = {
        "alertname": "SafetyMargin",
        "section": "incident_response",
        "rule": "safety_critical_failure",
        "severity_level": "3",
        "system": system,
    }
    alert = {
        "status": status,
        "labels": labels,
        "annotations": {"summary": "The margin is low"},
        "startsAt": "2026-11-23T02:13:00Z",
        "endsAt": "2026-11-23T02:14:00Z" if status == "resolved" else "0001-01-01T00:00:00Z",
        "fingerprint": "f1",
        "generatorURL": "",
    }
    return {"version": "4", "status": status, "alerts": [alert], "groupLabels": labels, "groupKey": "g"}


async def recovered(running: Running) -> None:
    """Its alert cleared, and `resolve_after` has passed."""
    await running.post("/webhook/alertmanager", body())
    await running.post("/webhook/alertmanager", body("resolved"))
    await running.pass_time(5 * MINUTE)


@pytest.mark.parametrize("name", sorted(LABELS))
def test_a_series_labels_called_as_ours_say_nothing(name: str) -> None:
    """A rule gives its alert labels of ours in place of the metric's: they do not tell whose series it is."""
    told = replace(alert("a"), labels={name: "ours", "unit": "1"})
    assert concerns({name: "the metric's", "unit": "1"}, [told])
    assert not concerns({name: "ours", "unit": "2"}, [told])


@pytest.mark.parametrize(
    ("answers", "state", "recovery", "said"),
    [
        ({"safety_margin": "0.99"}, "resolved", "", "safety_margin is 0.99"),
        ({"safety_margin < 0.95": "0.9", "safety_margin": "0.9"}, "open", "unverified", "still holds: 0.9"),
        ({}, "open", "unverified", "no data for safety_margin"),
        ({"safety_margin": "NaN"}, "open", "unverified", "no data for safety_margin"),
    ],
    ids=["well", "still bad", "no data", "NaN"],
)
async def test_the_answer_decides(
    receiver: Running,
    prometheus: tuple[StandIn, str],
    answers: dict[str, str],
    state: str,
    recovery: str,
    said: str,
) -> None:
    """Well resolves; still bad, absent or NaN does not, and the answer stands in the timeline."""
    stand_in, url = prometheus
    observer = observer_of(receiver, url)
    await recovered(receiver)
    stand_in.answers = answers
    await observer.answer_open()
    _, incident = await receiver.get(ONE)
    _, timeline = await receiver.get(f"{ONE}/timeline")
    assert (incident["state"], incident["recovery"]) == (state, recovery)
    [checked] = [entry for entry in timeline["timeline"] if entry["fact"] == "checked"]
    assert said in checked["text"]
    await observer.close()


@pytest.mark.parametrize("answer", ["not JSON", '{"status": "error"}', '{"status":"success","data":[]}'])
async def test_nonsense_is_no_answer(receiver: Running, prometheus: tuple[StandIn, str], answer: str) -> None:
    """What is no answer is asked again, and when the time is over it gives no all-clear."""
    stand_in, url = prometheus
    observer = observer_of(receiver, url)
    await recovered(receiver)
    stand_in.raw = answer
    with pytest.raises(QueryFailed, match="not what Prometheus answers"):
        await observer.answer_open()
    _, incident = await receiver.get(ONE)
    assert incident["recovery"] == "checking"
    await receiver.pass_time(MINUTE)
    _, incident = await receiver.get(ONE)
    assert (incident["state"], incident["recovery"]) == ("open", "unverified")
    await observer.close()


async def test_refused_question_is_said_at_once(receiver: Running, prometheus: tuple[StandIn, str]) -> None:
    """A question that Prometheus refuses is not asked again: unverified, with the reason."""
    stand_in, url = prometheus
    observer = observer_of(receiver, url)
    await recovered(receiver)
    stand_in.status = 422
    await observer.answer_open()
    _, incident = await receiver.get(ONE)
    assert incident["recovery"] == "unverified"
    await observer.close()


async def test_another_system_is_not_this_one(receiver: Running, prometheus: tuple[StandIn, str]) -> None:
    """Another system's series neither proves the recovery nor spoils it."""
    stand_in, url = prometheus
    observer = observer_of(receiver, url)
    await receiver.post("/webhook/alertmanager", body(system="landing-8"))
    await receiver.post("/webhook/alertmanager", body("resolved", system="landing-8"))
    await receiver.pass_time(5 * MINUTE)
    stand_in.answers = {"safety_margin": "0.99", "safety_margin < 0.95": "0.9"}  # of landing-7
    await observer.answer_open()
    _, timeline = await receiver.get(f"{ONE}/timeline")
    [checked] = [entry for entry in timeline["timeline"] if entry["fact"] == "checked"]
    assert checked["data"] == {"ok": "unknown", "detail": "no data for safety_margin"}
    await observer.close()


async def test_nobody_there() -> None:
    """A Prometheus that is not there is an error that says so without its URL, which may hold a password."""
    client = Prometheus("http://user:s3cret@127.0.0.1:9")
    with pytest.raises(QueryFailed) as said:
        await client.query("up")
    assert "s3cret" not in str(said.value)
    await client.close()


async def test_evidence_is_kept_and_plotted(receiver: Running, prometheus: tuple[StandIn, str]) -> None:
    """The signal's course at the opening and the resolution is kept, told in the report and drawn in its page."""
    stand_in, url = prometheus
    stand_in.answers = {"safety_margin": "0.91"}
    observer = observer_of(receiver, url)
    await receiver.post("/webhook/alertmanager", body())
    await observer.answer_open()
    await receiver.post("/webhook/alertmanager", body("resolved"))
    await receiver.post(f"{ONE}/resolve", {"by": "ann"})
    await observer.answer_open()
    _, report = await receiver.get(f"{ONE}/report")
    [technical] = [each for each in report["sections"] if each["name"] == "technical_report"]
    told = {name: values for part in technical["parts"] for name, values in part["fields"].items()}
    assert told["evidence_preserved"] == [
        "safety_margin (opened): 1 series kept",
        "safety_margin (resolved): 1 series kept",
    ]
    assert told["performance_metrics"][0] == '{system="landing-7"} (opened): from 0.91 to 0.91, at the end 0.91'
    _, page = await receiver.get(f"{ONE}/report?format=html")
    assert page.count("<polyline") == 2
    assert "threshold 0.95" in page
    assert not receiver.store.reads().inquiring(10)
    _, page = await receiver.get("/incidents/1", headers={"Accept": "text/html"})
    assert page.count("<polyline") == 1, "the latest evidence stands on the incident's page"
    assert 'aria-label="safety_margin, as Prometheus had it when the incident resolved"' in page
    await observer.close()


@pytest.mark.parametrize("fewest_refused", [1 << 62, 1000], ids=["read", "too long"])
async def test_evidence_ends_with_the_violation(
    receiver: Running, prometheus: tuple[StandIn, str], fewest_refused: int
) -> None:
    """What fires at once is in the evidence although it was measured a moment before; and its course until the end."""
    stand_in, url = prometheus
    observer = observer_of(receiver, url)
    fired = receiver.clock.now / SECOND - 0.4
    stand_in.course = lambda at: "0.91" if at >= fired else "0.97"
    stand_in.fewest_refused = fewest_refused
    await receiver.post("/webhook/alertmanager", body())
    await observer.answer_open()
    stand_in.course = lambda at: "0.91" if fired <= at < fired + 300 else "0.97"
    await receiver.pass_time(3 * HOUR)
    await receiver.post("/webhook/alertmanager", body("resolved"))
    await receiver.post(f"{ONE}/resolve", {"by": "ann"})
    await observer.answer_open()
    _, report = await receiver.get(f"{ONE}/report")
    [technical] = [each for each in report["sections"] if each["name"] == "technical_report"]
    told = {name: values for part in technical["parts"] for name, values in part["fields"].items()}
    assert told["performance_metrics"][:2] == [
        '{system="landing-7"} (opened): from 0.91 to 0.97, at the end 0.91',
        '{system="landing-7"} (resolved): from 0.91 to 0.97, at the end 0.97',
    ]
    await observer.close()


@pytest.mark.parametrize(
    ("ours", "fired"), [(0.7, 0.5), (0.0, 30.0)], ids=["within a second", "by a clock that is ahead of ours"]
)
async def test_evidence_reaches_the_violation(
    receiver: Running, prometheus: tuple[StandIn, str], ours: float, fired: float
) -> None:
    """The evidence has the moment of firing, in any part of a second and by either clock, and half an hour before."""
    stand_in, url = prometheus
    observer = observer_of(receiver, url)
    begin = receiver.clock.now / SECOND + fired
    stand_in.course = lambda at: "0.91" if at >= begin else "0.97" if at > begin - 29 * 60 else "0.99"
    receiver.clock.now = Instant(receiver.clock.now + round(ours * SECOND))
    said = body()
    said["alerts"][0]["startsAt"] = moment(Instant(round(begin * SECOND))).isoformat()
    await receiver.post("/webhook/alertmanager", said)
    await observer.answer_open()
    _, report = await receiver.get(f"{ONE}/report")
    assert '{system="landing-7"} (opened): from 0.91 to 0.99, at the end 0.91' in str(report)
    await observer.close()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3000))
def test_thinned_series_keep_what_a_rule_fired_for(values: list[float]) -> None:
    """Few enough points, in order, true ones; the least, the greatest, the first and the last are among them."""
    points = list(enumerate(values))
    kept = thinned(points, POINTS)
    assert len(kept) <= POINTS
    assert kept == sorted(set(kept))
    assert set(kept) <= set(points)
    if points:
        assert (kept[0], kept[-1]) == (points[0], points[-1])
        assert {min(values), max(values)} <= {value for _, value in kept}


async def test_messages_carry_a_picture(receiver: Running, prometheus: tuple[StandIn, str]) -> None:
    """What leaves once the evidence is there carries it drawn; the first page and what goes outside never do."""
    stand_in, url = prometheus
    stand_in.answers = {"safety_margin": "0.91"}
    observer = observer_of(receiver, url)
    plotter = Plotter(receiver.queue, receiver.engine, receiver.store.reads())
    plotter.within = 30.0  # this machine may be busy
    await receiver.post("/webhook/alertmanager", body())
    incident = receiver.store.reads().by_number(1)
    assert incident is not None
    first = receiver.store.reads().notifications(incident.id)[0]
    later = replace(first, reason=Reason.ESCALATED)
    assert await plotter.picture(later, incident) is None, "there is no evidence yet"
    await observer.answer_open()
    assert await plotter.picture(first, incident) is None
    assert await plotter.picture(replace(later, kind=Kind.EXTERNAL), incident) is None
    picture = await plotter.picture(later, incident)
    assert picture is not None
    assert picture.png.startswith(b"\x89PNG")
    assert picture.words == "safety_margin, as Prometheus had it when the incident opened"
    assert await plotter.picture(later, incident) is picture, "drawn once for all who are told"
    plotter.within = 0.0
    assert await plotter.picture(later, incident) is None, "a message does not wait"
    plotter.close()
    await observer.close()


def test_foreign_names_are_drawn_as_text() -> None:
    """Names with mathematics, underscores, other scripts and nothing to draw of them harm no picture."""
    lines = tuple(PlotLine(name, [(0.0, 1.0), (60.0, 2.0)]) for name in ("$\\frac{", "_x", '機械 {a="b"}', "<b>"))
    course = SignalSeries("opened", "$x$ < 机 $", 0.5, (*lines, PlotLine("empty", [])))
    assert draw_png([course] * 5, [PlotMark(30.0, "opened $"), PlotMark(1e12, "later")]).startswith(b"\x89PNG")


def test_without_the_extra() -> None:
    """Without matplotlib nothing of it is imported and nothing is missed; with it, only when something is drawn."""
    script = """
import sys
import receiver.service
assert not [name for name in sys.modules if name.startswith("matplotlib")]
assert receiver.reports.pictures.can_draw()
sys.modules["matplotlib"] = None
assert receiver.reports.pictures.make_plotter(None, None, None) is None
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=GIVES_UP)
    assert done.returncode == 0, done.stderr


def test_what_is_asked(policy: Any) -> None:
    """Each rule of the guide has a condition to ask and the signals behind it; types ask for their boolean."""
    from receiver.core.model import Incident, Instant  # noqa: PLC0415
    from receiver.core.plan import PolicyVersion  # noqa: PLC0415

    keys = [rule.key for rule in policy.rules] + [kind.key for kind in policy.incident_types]
    incident = Incident("i", "k", "p", 3, "t", "t", Instant(0), Instant(0), rules=dict.fromkeys(keys, 3))
    asked = {each.condition: each.subjects for each in questions(incident, PolicyVersion.of(policy, "d"))}
    assert asked["safety_margin < 0.95"] == ("safety_margin",)
    assert asked["slo_violation_detected > 0"] == ("slo_violation_detected",)
    assert asked["engine_failure > 0"] == ("engine_failure",)


def test_a_twin_is_asked_about_its_rule(policy: Any) -> None:
    """Of an incident whose data was missing, Prometheus is asked what the rule asks that the twin follows."""
    from receiver.core.model import Alert, Incident, Instant  # noqa: PLC0415
    from receiver.core.plan import PolicyVersion  # noqa: PLC0415

    rule = next(each for each in policy.rules if each.name == "failure_probability_exceeded")
    key, now = f"{rule.section}/signal_lost", Instant(0)
    labels = {"section": rule.section, "incident_type": rule.name, "rule": "signal_lost", "twin": "true"}
    twin = Alert("f", now, False, 4, key, rule.name, labels, {}, twin=True)
    incident = Incident("i", "k", "p", 3, "t", "t", now, now, rules={key: 4})
    (asked,) = questions(incident, PolicyVersion.of(policy, "d"), [twin])
    assert (asked.condition, asked.subjects) == ("failure_probability > 0.01", ("failure_probability",))


@pytest.mark.skipif(not tools.installed(), reason="no Prometheus on this machine")
async def test_real_prometheus_answers(tmp_path: Path) -> None:
    """The real Prometheus's answers, at once and over time, are understood; a question it refuses is said."""
    async with AsyncExitStack() as stack:
        exporter = Exporter()
        runner, url = await start_web(exporter.app)
        stack.push_async_callback(runner.cleanup)
        nobody = tools.Tool("alertmanager", tmp_path, tools.free_port())
        targets = {"ml": url.removeprefix("http://")}
        tool = await tools.start_prometheus(tmp_path, b"groups: []\n", targets, nobody, exporter.scraped)
        stack.push_async_callback(tool.stop)
        client = Prometheus(tool.url)
        stack.push_async_callback(client.close)

        async def margin() -> list[Series]:
            while not (found := await client.query("safety_margin")):
                await asyncio.sleep(0.1)
            assert isinstance(found, list)
            return found

        async with asyncio.timeout(GIVES_UP):
            [now] = await margin()
        assert (now.labels["system"], now.points[0][1]) == ("landing-7", 0.99)
        at = now.points[0][0]
        course = await client.query_range("safety_margin", at - 60, at, 1)
        assert isinstance(course, list)
        assert course[0].points[-1][1] == 0.99
        assert await client.query("safety_margin < 0.95") == []
        with pytest.raises(QueryFailed) as refused:
            await client.query("safety_margin <")
        assert refused.value.final
