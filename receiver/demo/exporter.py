"""A small ML system's exporter: the guide's signals, healthy until the story says otherwise."""

import asyncio

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
    """Serves `/metrics`; the story moves `values`."""

    def __init__(self) -> None:
        self.values = dict(HEALTHY)
        self.scraped = asyncio.Event()
        self.app = web.Application()
        self.app.router.add_get("/metrics", self._metrics)

    async def _metrics(self, _request: web.Request) -> web.Response:
        self.scraped.set()
        lines = (f'{name}{{system="landing-7"}} {value:.6g}\n' for name, value in self.values.items())
        return web.Response(text="".join(lines))
