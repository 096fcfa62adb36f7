"""The exporter of a small ML system: the guide's signals, initially healthy.

The demo's story sets the values; where the exporter runs alone (`receiver.demo.landing_model`),
`POST /set?safety_margin=0.9` does.
"""

import asyncio
import math

from aiohttp import web

HEALTHY: dict[str, float] = {
    "safety_margin": 0.99,
    "failure_probability": 0.001,
    "response_time_p99": 42.0,
    "error_budget_consumed": 0.12,
    "slo_violation_detected": 0.0,
    "compliance_violation_detected": 0.0,
    "compliance_score": 0.99,
    "revenue_impact": 0.0,
    "customer_satisfaction": 0.93,
}


class Exporter:
    """Serves `/metrics`; the story or `/set` changes `values`."""

    def __init__(self) -> None:
        self.values = dict(HEALTHY)
        self.scraped = asyncio.Event()
        self.app = web.Application()
        self.app.router.add_get("/metrics", self._metrics)
        self.app.router.add_post("/set", self._set)

    async def _metrics(self, _request: web.Request) -> web.Response:
        self.scraped.set()
        lines = (f'{name}{{system="landing-7"}} {value:.6g}\n' for name, value in self.values.items())
        return web.Response(text="".join(lines))

    async def _set(self, request: web.Request) -> web.Response:
        """Set signals; an unknown name or an invalid number changes nothing, and is answered with 400."""
        try:
            moved = {name: float(value) for name, value in request.query.items()}
        except ValueError:
            moved = {}
        if not moved or not moved.keys() <= self.values.keys() or not all(map(math.isfinite, moved.values())):
            known = ", ".join(self.values)
            return web.Response(status=400, text=f"write /set?NAME=NUMBER, with a name of: {known}\n")
        self.values |= moved
        return web.Response(text="".join(f"{name} is {value:.6g}\n" for name, value in moved.items()))
