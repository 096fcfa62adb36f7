"""The HTTP connections to one destination: a provider, an Alertmanager, Prometheus, an identity provider.

Each client (`receiver.clients.alertmanager`, `receiver.clients.prometheus`, `receiver.channels.posting`,
`receiver.web.auth.provider`, `receiver.jobs.heartbeat`) has an HttpSession per destination, so that a slow one does not
use up the connections of another; the owner of the client closes it. Rules: no cookies; no limit of connections,
because callers limit their concurrent requests; proxies and certificate authorities come from the Egress.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Self

import aiohttp

from receiver.clients.egress import Egress

make_connector = partial(aiohttp.TCPConnector, limit=0)
"""Makes the connector of one destination; further keyword arguments go to aiohttp's TCPConnector."""


class HttpSession:
    """Opens connections on first use, and reuses them."""

    def __init__(
        self,
        timeout: aiohttp.ClientTimeout,
        egress: Egress | None = None,
        connector: Callable[..., aiohttp.BaseConnector] = make_connector,
    ) -> None:
        """`timeout` applies to each request. `egress` None: no proxy. `connector` is called in the event loop of the
        first request, with the TLS context as `ssl`.
        """
        self._timeout = timeout
        self._egress = egress or Egress()
        self._connector = connector
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def request(self, method: str, url: str, **more: Any) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Send a request; the context manager gives the response. Redirects are not followed."""
        proxy = self._egress.proxy_for(url)
        return self._get().request(method, url, proxy=proxy, allow_redirects=False, **more)

    def _get(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=self._connector(ssl=self._egress.tls),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
            )
        return self._session

    async def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        if self._session is not None:
            await self._session.close()
