"""The HTTP connections to one destination: a provider, an Alertmanager, Prometheus, an identity provider.

Each client (`receiver.clients.alertmanager`, `receiver.clients.prometheus`, `receiver.channels.posting`,
`receiver.web.auth.provider`, `receiver.jobs.heartbeat`) has an HttpSession per destination, so that a slow one does not
use up the connections of another; the owner of the client closes it. Rules: no cookies; no limit of connections,
because callers limit their concurrent requests; proxies and certificate authorities come from the Egress; a proxy that
refuses plain HTTP raises the same error as one that refuses a tunnel.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Self

import aiohttp

from receiver.clients.egress import Egress, is_of_proxy

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
                raise_for_status=self._require_passage,
            )
        return self._session

    async def _require_passage(self, answer: aiohttp.ClientResponse) -> None:
        """Raises ClientHttpProxyError for the refusal of a proxy, which would be taken for the server's."""
        if answer.status in {403, 407} and self.is_of_proxy(answer):
            raise aiohttp.ClientHttpProxyError(answer.request_info, answer.history, status=answer.status)

    def is_of_proxy(self, answer: aiohttp.ClientResponse) -> bool:
        """Whether a proxy answered in the server's place."""
        plain = answer.url.scheme == "http" and self._egress.proxy_for(str(answer.url)) is not None
        return plain and is_of_proxy(answer)

    async def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        if self._session is not None:
            await self._session.close()
