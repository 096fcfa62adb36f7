"""An aviation incident from its exercise to its last report: practised, fired at night, raised by a person, reported in
stages to an authority, recurred, and closed by two persons.
"""

from datetime import datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

from manual.stories.house import House, policy_of
from manual.stories.page_text import read_page
from receiver.core.model import Instant

PACKS = (
    "procedures.yaml",
    "safety.yaml",
    "aviation.yaml",
    "business.yaml",
    "reporting.yaml",
    "obligations/aviation.yaml",
)
SYSTEM = {"system": "radio-gateway"}
TYPE = "communication_failure"
READ = ("Notices to the outside", "Reports to authorities", "Follow-up actions", "Earlier occurrences", "What it is")
"""Sections of the incident's page that the story shows; the others are forms, or in the report."""
ZONE = ZoneInfo("Europe/Berlin")


def local(text: str) -> Instant:
    """An instant from local time of the airline: 2026-11-25 03:02."""
    return Instant(int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()) * 1_000_000)


class Aviation(House):
    """The airline's receiver."""

    def __init__(self) -> None:
        super().__init__(policy_of("airline.yaml", packs=PACKS), local("2026-11-19 10:00"))

    async def until(self, text: str) -> None:
        """Advance the clock to then."""
        await self.pass_time(local(text) - self.now)

    async def fires(self, *, over: bool = False) -> None:
        """Fire or clear the radio's alert."""
        said = "resolved" if over else "firing"
        await self.prometheus(f"{TYPE} on {SYSTEM['system']}: {said}", self.compiled(TYPE, 1, SYSTEM, over=over))

    async def play(self) -> None:
        """Play the whole story."""
        await self._exercise()
        await self._first()
        await self._again()
        await self._close()
        await self._after()

    async def approve(self, who: str, number: int, group: str, *, to: tuple[str, ...] = ()) -> None:
        """Read the notice that waits for this group, and approve it."""
        notices = (await self.get(f"incidents/{number}/notices"))["notices"]
        [waits] = [each for each in notices if each["group"] == group and each["standing"] == "held"]
        body = {"hash": waits["hash"], "recipients": list(to)}
        path = f"incidents/{number}/notices/{waits['id']}/approve"
        await self.do(who, f"approves notice {waits['id']} to {group}, as it reads.", "POST", path, body)

    async def tick(self, who: str, number: int, *keys: str, note: str = "", link: str = "") -> None:
        """Tick the open steps of these checklists."""
        for checklist in (await self.get(f"incidents/{number}/checklists"))["checklists"]:
            for step in checklist["steps"]:
                if checklist["key"] in keys and not step["done"]:
                    path = f"incidents/{number}/steps/{step['id']}"
                    await self.do(who, f"ticks “{step['text']}”.", "PUT", path, {"note": note, "link": link})

    async def look(self, title: str, number: int) -> None:
        """Record the current text of the incident's page."""
        _, page = await self.call("dana", "GET", f"incidents/{number}")
        head, *sections = read_page(page).split("\n## ")
        told = [each for each in sections if each.partition("\n")[0] in READ]
        self.show(title, "\n\n## ".join((head, *told)))

    async def _exercise(self) -> None:
        one = "incidents/1"
        self.chapter("Practised: an exercise, six days before")
        body = {"type": TYPE, "labels": SYSTEM, "exercise": True, "note": "Both voice channels are taken to be dead"}
        await self.do(
            "erik", "declares an exercise: communication_failure on radio-gateway.", "POST", "incidents", body
        )
        await self.until("2026-11-19 10:04")
        await self.do("amir", "acknowledges.", "POST", f"{one}/acknowledge")
        await self.tick("amir", 1, "immediate_actions")
        await self.until("2026-11-19 10:10")
        reason = "Exercise: two aircraft without voice contact"
        await self.do("amir", f"raises it to level 4: “{reason}”.", "PATCH", one, {"level": 4, "reason": reason})
        await self.until("2026-11-19 10:12")
        await self.do("amir", "acknowledges it at its new level.", "POST", f"{one}/acknowledge")
        facts = {"impact_description": "Two flights return to Berlin"}
        await self.do("amir", "writes down whom it concerns.", "PATCH", one, {"facts": facts})
        await self.approve("mira", 1, "external_customers")
        await self.approve("mira", 1, "external_partners")
        await self.approve("erik", 1, "external_regulators")
        await self.until("2026-11-19 10:20")
        filing = {"stage": "occurrence_report", "reference": "EXERCISE-1"}
        path = f"{one}/obligations/aviation_occurrence/filings"
        await self.do("amir", "practises the occurrence report.", "POST", path, filing)
        await self.until("2026-11-19 10:28")
        facts = {
            "root_cause": "Exercise: the gateway's certificate is taken to have expired",
            "fix_description": "Exercise: the spare certificate is taken to be installed",
            "lessons_learned": "The tower's number was not at the desk",
        }
        await self.do("amir", "writes down cause, fix and lesson.", "PATCH", one, {"facts": facts})
        await self.do("amir", "resolves.", "POST", f"{one}/resolve", {"note": "End of the exercise"})
        await self.until("2026-11-19 10:33")
        await self.approve("mira", 1, "external_customers")
        await self.approve("mira", 1, "external_partners")
        await self.approve("erik", 1, "external_regulators")
        await self._tick_what_closing_wants("amir", 1)
        await self.do("erik", "signs off.", "POST", f"{one}/sign-off", {"note": "Practised as planned"})
        await self.until("2026-11-20 11:00")

    async def _tick_what_closing_wants(self, who: str, number: int) -> None:
        await self.tick(who, number, *self.policy.closing.checklists)

    async def _first(self) -> None:
        two = "incidents/2"
        await self.until("2026-11-25 03:02")
        self.chapter("Real: at 03:02 the radio gateway fails")
        await self.fires()
        await self.until("2026-11-25 03:08")
        await self.do("dana", "acknowledges.", "POST", f"{two}/acknowledge")
        await self.look("How the incident's page reads after that", 2)
        await self.until("2026-11-25 03:12")
        await self.tick("dana", 2, "immediate_actions")
        note = "Backup gateway carries data, no voice"
        await self.do("dana", f"notes: “{note}”.", "POST", f"{two}/notes", {"text": note})
        await self.until("2026-11-25 03:20")
        facts = {
            "impact_description": "Flights NW21 and NW34 hold on the ground",
            "customer_impact": "Significant customer impact",
        }
        await self.do("dana", "says whom it concerns and how much.", "PATCH", two, {"facts": facts})
        await self.until("2026-11-25 03:24")
        await self.approve("mira", 2, "external_customers")
        await self.approve("mira", 2, "external_partners", to=("duty-manager@airport.example",))
        await self.until("2026-11-25 03:31")
        self.chapter("Raised to an emergency")
        reason = "NW17 is in the air without voice contact"
        await self.do("dana", f"raises it to level 4: “{reason}”.", "PATCH", two, {"level": 4, "reason": reason})
        await self.until("2026-11-25 03:33")
        await self.do("dana", "acknowledges it at its new level.", "POST", f"{two}/acknowledge")
        await self.do("dana", "names erik safety manager.", "PUT", f"{two}/roles/safety_manager", {"to": "erik"})
        await self.until("2026-11-25 03:36")
        await self.edit(
            "erik",
            2,
            "external_regulators",
            ("hold on the ground", "hold on the ground, NW17 flies without voice contact"),
        )
        await self.approve("erik", 2, "external_regulators")
        await self.until("2026-11-25 03:50")
        text = "NW17 has voice contact by satellite telephone"
        await self.do("dana", f"posts an update: “{text}”.", "POST", f"{two}/updates", {"text": text})
        await self.until("2026-11-25 03:55")
        await self.approve("mira", 2, "external_customers")
        await self.until("2026-11-25 04:00")
        await self.do("dana", "acknowledges for an hour.", "POST", f"{two}/acknowledge", {"hold": "1h"})
        await self.until("2026-11-25 04:25")
        self.chapter("The signal recovers, a person confirms")
        await self.fires(over=True)
        await self.until("2026-11-25 04:34")
        facts = {
            "root_cause": "A loose connector at the gateway's antenna",
            "fix_description": "The connector was tightened",
        }
        await self.do("dana", "writes down cause and fix.", "PATCH", two, {"facts": facts})
        await self.do(
            "dana",
            "resolves: the recovery is confirmed.",
            "POST",
            f"{two}/resolve",
            {"note": "Voice checked with the tower"},
        )
        await self.until("2026-11-25 04:40")
        await self.approve("mira", 2, "external_customers")
        await self.approve("mira", 2, "external_partners")
        await self.approve("erik", 2, "external_regulators")
        self.chapter("The authority is told")
        await self.until("2026-11-25 08:00")
        await self.file("amir", 2, "aviation_occurrence", "occurrence_report", "ECR-2026-00417")

    async def edit(self, who: str, number: int, group: str, change: tuple[str, str]) -> None:
        """Edit the notice that waits for this group."""
        notices = (await self.get(f"incidents/{number}/notices"))["notices"]
        [waits] = [each for each in notices if each["group"] == group and each["standing"] == "held"]
        body = {"hash": waits["hash"], "subject": waits["subject"], "text": waits["text"].replace(*change)}
        await self.do(who, f"edits notice {waits['id']}.", "PUT", f"incidents/{number}/notices/{waits['id']}", body)

    async def file(self, who: str, number: int, obligation: str, stage: str, reference: str) -> None:
        """Record a filed report."""
        name = f"{stage}.pdf"
        body = {"stage": stage, "reference": reference, "file": name, "sha256": sha256(name.encode()).hexdigest()}
        path = f"incidents/{number}/obligations/{obligation}/filings"
        await self.do(who, f"records the filing of {stage}: {reference}, {name}.", "POST", path, body)

    async def _again(self) -> None:
        two = "incidents/2"
        await self.until("2026-11-25 11:40")
        self.chapter("It comes back")
        await self.fires()
        await self.until("2026-11-25 11:48")
        await self.do("amir", "acknowledges for two hours.", "POST", f"{two}/acknowledge", {"hold": "2h"})
        await self.look("How the incident's page reads after that", 2)
        await self.tick("amir", 2, "immediate_actions")
        await self.until("2026-11-25 11:52")
        facts = {"impact_description": "All departures hold on the ground"}
        await self.do("amir", "says whom it concerns.", "PATCH", two, {"facts": facts})
        await self.approve("mira", 2, "external_customers")
        await self.approve("mira", 2, "external_partners")
        await self.approve("erik", 2, "external_regulators")
        await self.until("2026-11-25 12:14")
        await self.approve("mira", 2, "external_customers")
        await self.until("2026-11-25 12:52")
        await self.fires(over=True)
        await self.until("2026-11-25 13:02")
        facts = {
            "root_cause": "A cracked solder joint in the gateway's power supply, which fails when it is warm",
            "fix_description": "The power supply was replaced",
            "testing_performed": "An hour at full load and 40 °C",
        }
        await self.do("amir", "writes down cause and fix.", "PATCH", two, {"facts": facts})
        await self.do("amir", "resolves.", "POST", f"{two}/resolve", {"note": "Voice checked with tower and NW17"})
        await self.until("2026-11-25 13:08")
        await self.approve("mira", 2, "external_customers")
        await self.approve("mira", 2, "external_partners")
        await self.approve("erik", 2, "external_regulators")

    async def _close(self) -> None:
        two = "incidents/2"
        self.chapter("It does not close yet")
        await self.until("2026-11-26 13:30")
        await self.refused("erik", "wants to sign off.", "POST", f"{two}/sign-off", {})
        await self.refused("dana", "wants to close it.", "POST", f"{two}/close", {"note": "All is done"})
        await self.look("How the incident's page reads meanwhile", 2)
        await self.until("2026-11-27 09:30")
        await self._tick_what_closing_wants("amir", 2)
        await self.tick(
            "amir",
            2,
            "root_cause_analysis.data_collection",
            note="in the safety file",
            link="https://files.nordwind.example/2026-17",
        )
        facts = {
            "contributing_factors": "The gateway's cabinet had lost its fan",
            "lessons_learned": "A recovery that nobody can explain is no recovery",
            "long_term_improvements": "A second gateway with its own power",
            "process_changes": "The cabinets' temperature is watched",
        }
        await self.do("dana", "writes down what was learned.", "PATCH", two, {"facts": facts})
        body = {"text": "Order a second gateway", "owner": "amir", "due": "2027-01-15T12:00:00+01:00"}
        await self.do(
            "dana",
            "adds a follow-up action: Order a second gateway, amir, by 15 January.",
            "POST",
            f"{two}/follow-ups",
            body,
        )
        await self.until("2026-11-27 10:30")
        report = await self.get(f"{two}/report", "erik")
        said = {"hash": report["sha256"], "prepared_by": "dana"}
        await self.do("erik", "approves the report as version 1.", "POST", f"{two}/report/approve", said)
        self.chapter("The authority is told in stages")
        await self.until("2026-12-21 11:00")
        await self.file("amir", 2, "aviation_analysis", "preliminary_results", "ECR-2026-00417/P")
        await self.until("2027-01-14 09:00")
        await self.do(
            "amir", "finishes the follow-up action.", "POST", f"{two}/follow-ups/f1/done", {"note": "Ordered"}
        )
        await self.until("2027-02-19 11:00")
        await self.file("amir", 2, "aviation_analysis", "final_results", "ECR-2026-00417/F")

    async def _after(self) -> None:
        two = "incidents/2"
        self.chapter("A second person signs off: it closes")
        await self.refused("amir", "wants to sign off what he resolved himself.", "POST", f"{two}/sign-off", {})
        await self.until("2027-02-19 14:00")
        await self.do("erik", "signs off.", "POST", f"{two}/sign-off", {"note": "Read with the chief of maintenance"})
        await self.until("2027-02-24 14:00")
        self.chapter("More becomes known: a revised report")
        facts = {"contributing_factors": "The gateway's cabinet had lost its fan on 12 November, unnoticed"}
        await self.do("dana", "corrects a contributing factor.", "PATCH", two, {"facts": facts})
        await self.until("2027-02-24 15:00")
        await self.do("erik", "signs off what is known now.", "POST", f"{two}/sign-off", {})
        report = await self.get(f"{two}/report", "erik")
        said = {"hash": report["sha256"], "prepared_by": "dana"}
        await self.do("erik", "approves the report as version 2.", "POST", f"{two}/report/approve", said)
        await self.look("How the incident's page reads in the end", 2)
        self.show("The report in the end", await self.report_text(2), "markdown")

    async def report_text(self, number: int) -> str:
        """The report as mailed."""
        _, text = await self.call("erik", "GET", f"api/v1/incidents/{number}/report?format=md")
        return str(text)
