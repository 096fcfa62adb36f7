"""Client of Prometheus's API, used by `receiver.jobs.evidence`. All external failures are raised as QueryFailed.

Rules: redirects are not followed; answers have limits of size and time; no error contains the URL, which may include a
password.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import aiohttp
from pydantic import BaseModel, Field, ValidationError

from receiver.clients.egress import Egress, HttpSession, reason_of
from receiver.errors import CannotError
from rules.reserved import DIGEST

ANSWER_LIMIT = 4 << 20
"""Bytes read of an answer."""

Pair = tuple[float, str]


@dataclass(frozen=True, slots=True)
class Series:
    """A series; its points are (seconds since 1970, value), in order, without NaN."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]


class QueryFailed(CannotError):  # noqa: N818 - an external state, not a bug
    """There is no answer, or none that can be used."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        """`final`: the query itself is rejected, so repeating it is useless."""
        super().__init__(reason)
        self.final = final


class AnswerTooLong(QueryFailed):
    """There is more than is read; fewer points may fit."""


class _Vector(BaseModel):
    metric: dict[str, str] = {}
    value: Pair


class _Matrix(BaseModel):
    metric: dict[str, str] = {}
    values: list[Pair]


class _VectorData(BaseModel):
    resultType: Literal["vector"]  # noqa: N815 - Prometheus's name
    result: list[_Vector]


class _MatrixData(BaseModel):
    resultType: Literal["matrix"]  # noqa: N815
    result: list[_Matrix]


class _Answer(BaseModel):
    status: Literal["success"]
    data: Annotated[_VectorData | _MatrixData, Field(discriminator="resultType")]


class Prometheus:
    """A Prometheus server."""

    def __init__(self, url: str, timeout: float = 10.0, egress: Egress | None = None) -> None:
        """`url`: base URL. `timeout`: seconds for a whole request, name resolution included."""
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._session = HttpSession(aiohttp.ClientTimeout(total=timeout), egress)

    async def query(self, expr: str) -> list[Series]:
        """The expression's current series. Raises QueryFailed."""
        return await self._ask("query", {"query": expr})

    async def query_range(self, expr: str, start: float, end: float, step: float) -> list[Series]:
        """The expression's series from `start` to `end` (seconds since 1970), every `step` seconds.

        Raises QueryFailed, AnswerTooLong.
        """
        wanted = {"query": expr, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        return await self._ask("query_range", wanted)

    async def rules_digests(self) -> frozenset[str]:
        """The policy digests in its alerting rules (`rules.reserved.DIGEST`). Raises QueryFailed."""
        try:
            async with self._session.request("GET", f"{self._url}/api/v1/rules?type=alert") as response:
                if response.status != 200:
                    raise QueryFailed(f"it answers {response.status}")
                groups = (await response.json())["data"]["groups"]
        except TimeoutError:
            raise QueryFailed(f"no answer within {self._timeout:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as error:
            raise QueryFailed(f"it cannot be reached ({reason_of(error)})") from None
        found = (rule.get("annotations", {}).get(DIGEST) for group in groups for rule in group["rules"])
        return frozenset(each for each in found if each)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def _ask(self, what: str, form: Mapping[str, str]) -> list[Series]:
        try:
            async with self._session.request("POST", f"{self._url}/api/v1/{what}", data=form) as response:
                body = await response.content.read(ANSWER_LIMIT + 1)
                while len(body) <= ANSWER_LIMIT and (more := await response.content.read(ANSWER_LIMIT + 1)):
                    body += more
                return _judge(response.status, body)
        except TimeoutError:
            raise QueryFailed(f"no answer within {self._timeout:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise QueryFailed(f"it cannot be reached ({reason_of(error)})") from None


def _judge(status: int, body: bytes) -> list[Series]:
    if len(body) > ANSWER_LIMIT:
        raise AnswerTooLong(f"its answer is longer than {ANSWER_LIMIT >> 20} MB")
    if status != 200:
        raise QueryFailed(f"it answers {status}", final=status in {400, 422})
    try:
        answer = _Answer.model_validate_json(body)
    except ValidationError:
        raise QueryFailed("its answer is not what Prometheus answers") from None
    return [Series(each.metric, _points(each)) for each in answer.data.result]


def _points(each: Any) -> list[tuple[float, float]]:
    """The numeric points; NaN and values that are not numbers are left out."""
    points = []
    for at, text in [each.value] if isinstance(each, _Vector) else each.values:
        try:
            value = float(text)
        except ValueError:
            continue
        if not math.isnan(value):
            points.append((at, value))
    return points
