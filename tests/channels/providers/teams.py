"""A workflow of Microsoft Teams."""

from contextlib import asynccontextmanager

from receiver.channels.teams import TeamsSender
from tests.channels.outgoings import outgoing
from tests.channels.providers import Provider, over_http
from tests.channels.servers.teams import Workflow
from tests.channels.servers.wire import Reply


@asynccontextmanager
async def provider(patience):
    signature = "signature-of-the-workflow"
    workflow = Workflow(signature)
    async with workflow.wire:
        yield Provider(
            TeamsSender({"flight": workflow.url}.get, timeout=patience),
            outgoing("teams", "flight"),
            (signature, "0123456789abcdef0123456789abcdef"),
            over_http(
                workflow.wire,
                Reply(400, f"no trigger at {workflow.url}".encode()),
                Reply(401, signature.encode()),
            ),
            lambda: len(workflow.cards),
            advice="TOCSIN_TEAMS_URL_FLIGHT",
        )
