"""`/`: the open incidents as a plain page, for a person without a client. Everything in it is escaped."""

from collections.abc import Iterable
from html import escape

from receiver.core.model import Incident
from receiver.core.plan import Playbook
from receiver.web.views import rfc3339


def list_page(incidents: Iterable[Incident], playbook: Playbook) -> str:
    """The page. No script, no style, no link out: its content policy allows none."""
    rows = "".join(_row(incident, playbook) for incident in incidents)
    table = (
        f"<table><thead><tr><th>Number<th>Level<th>State<th>What<th>Since</tr></thead><tbody>{rows}</tbody></table>"
        if rows
        else "<p>No open incidents.</p>"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Tocsin</title></head>'
        f"<body><main><h1>Open incidents</h1>{table}</main></body></html>"
    )


def _row(incident: Incident, playbook: Playbook) -> str:
    level = f"{incident.level} {playbook.policy.level(incident.level).name}"
    cells = (f"#{incident.number}", level, incident.state, incident.title, rfc3339(incident.opened_at))
    return f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in cells)}</tr>"
