"""Reading a request's body: whole, unpacked, within a limit and a time. Webhook and API read here."""

import asyncio

from aiohttp import web

from receiver.web.problems import Problem

READ_WITHIN = 30.0
"""Seconds for a body to arrive."""


async def read_body(request: web.Request) -> bytes:
    """The whole body. aiohttp counts unpacked bytes, so a gzip bomb ends at the limit.

    Raises Problem: 400 broken, 413 too large, 503 too slow (which Alertmanager tries again; 408 it would not).
    """
    try:
        if request.content.is_eof():  # all there, as nearly always: no clock is needed
            return await request.read()
        async with asyncio.timeout(READ_WITHIN):
            return await request.read()
    except TimeoutError:
        raise Problem(503, f"the body did not arrive within {READ_WITHIN:.0f} s") from None
    except web.HTTPRequestEntityTooLarge:
        raise Problem(413, "the body is too large; TOCSIN_BODY_LIMIT sets how large it may be") from None
    except web.RequestPayloadError:
        request.content.feed_eof()  # else aiohttp reads on, meets the same error, and may drop our answer
        problem = Problem(400, "the body cannot be read: broken off or wrongly compressed")
        problem.hangs_up = True
        raise problem from None
