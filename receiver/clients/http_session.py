"""The HTTP connections to one destination: a provider, an Alertmanager, Prometheus, an identity provider.

Each client (`receiver.clients.alertmanager`, `receiver.clients.prometheus`, `receiver.channels.posting`,
`receiver.web.auth.provider`, `receiver.jobs.heartbeat`) keeps an HttpSession of its own for each destination, so that
one that is slow takes no connection from another; whoever makes the client closes it. Rules: no cookies, and no limit
of connections here: how many requests are under way is bounded by whoever makes them.
"""

from collections.abc import Callable
from functools import partial

import aiohttp

make_connector = partial(aiohttp.TCPConnector, limit=0)
"""The connections of one destination; more keyword arguments go to aiohttp's TCPConnector."""


class HttpSession:
    """Opens the connections on first use, and keeps them for the next request."""

    def __init__(
        self, timeout: aiohttp.ClientTimeout, connector: Callable[[], aiohttp.BaseConnector] = make_connector
    ) -> None:
        """`timeout` is each request's. `connector` is called inside the event loop that makes the first request."""
        self._timeout = timeout
        self._connector = connector
        self._session: aiohttp.ClientSession | None = None

    def get(self) -> aiohttp.ClientSession:
        """The session, for a request."""
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=self._connector(), cookie_jar=aiohttp.DummyCookieJar(), timeout=self._timeout
            )
        return self._session

    async def close(self) -> None:
        """Close the connections; a request after that opens new ones."""
        if self._session is not None:
            await self._session.close()
