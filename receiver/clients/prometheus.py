"""Asks Prometheus. `receiver.jobs.evidence` uses it. Whatever the world does is an Unanswered.

Rules: redirects are never followed, an answer is read up to a cap and within the time given, and no error text
shows the URL, which may carry a password.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import aiohttp
from pydantic import BaseModel, Field, ValidationError

from receiver.clients.egress import Egress, reason_of
from receiver.clients.http_session import HttpSession
from receiver.errors import CannotError
from rules.reserved import DIGEST

ANSWER_LIMIT = 4 << 20
"""Bytes of an answer that are read."""

Pair = tuple[float, str]


@dataclass(frozen=True, slots=True)
class Series:
    """One series: (seconds since 1970, value), in order, without NaN."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]


class QueryFailed(CannotError):  # noqa: N818 - a state of the world, not a mistake
    """There is no answer, or none that can be used."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        """`final`: the question itself is refused, so that asking again would not help."""
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
    """One Prometheus, by its base URL."""

    def __init__(self, url: str, timeout: float = 10.0, egress: Egress | None = None) -> None:
        """`timeout`: seconds for everything, from name resolution to the last byte."""
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._session = HttpSession(aiohttp.ClientTimeout(total=timeout), egress)

    async def query(self, expr: str) -> list[Series]:
        """The expression's series now. Raises Unanswered."""
        return await self._ask("query", {"query": expr})

    async def query_range(self, expr: str, start: float, end: float, step: float) -> list[Series]:
        """The expression's series from `start` to `end` (seconds since 1970), every `step` seconds.

        Raises Unanswered.
        """
        wanted = {"query": expr, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        return await self._ask("query_range", wanted)

    async def rules_digests(self) -> frozenset[str]:
        """The digests that its alerting rules carry (`rules.reserved.DIGEST`). Raises QueryFailed."""
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
    """The points that are numbers; a value that is no number at all counts as NaN."""
    points = []
    for at, text in [each.value] if isinstance(each, _Vector) else each.values:
        try:
            value = float(text)
        except ValueError:
            continue
        if not math.isnan(value):
            points.append((at, value))
    return points
