"""Whether two servers gave the same answer, however each writes ids and instants."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import httpx

from benchmarks.load import UNIQUE
from benchmarks.measure import BadAnswers, Contender
from domain.coupons.model import code_of
from domain.shared.ids import CouponId
from schema.node_ids import read_node_id

_SECONDS: Final = 30.0
_SHOWN: Final = 1_000


def _difference(one: str, other: str) -> str:
    differing = (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    at = next(differing, min(len(one), len(other)))
    return "\n".join(f"… {text[max(0, at - 200) : at + 200]} …" for text in (one, other))


def wallet_of(answer: Mapping[str, Any]) -> str:
    """The wallet in an answer as text, with plain UUIDs and instants."""
    me = answer["data"]["me"]
    edges = me.get("wallet", me)["coupons"]["edges"]
    plain = [
        _plain({name: me[name] for name in ("id", "locale", "joinedAt")}),
        *(_plain(edge["node"]) for edge in edges),
    ]
    return json.dumps(plain, ensure_ascii=False)


def claim_of(answer: Mapping[str, Any]) -> str:
    """What became of a claim: whether it was granted now or before, and whether its coupon has its code."""
    found = answer["data"]["claimCoupon"] if "data" in answer else answer
    coupon, coupon_id = found["coupon"], read_node_id(found["coupon"]["id"])
    key = UUID(coupon["id"]) if coupon_id is None else coupon_id.id
    return json.dumps({"replayed": found["replayed"], "code": coupon["code"] == code_of(CouponId(key))})


def _plain(value: object) -> object:
    match value:
        case dict():
            return {name: _plain(each) for name, each in sorted(value.items())}
        case str():
            return _plain_text(value)
        case _:
            return value


def _plain_text(text: str) -> str:
    ref = read_node_id(text)
    if ref is not None:
        return str(ref.id)
    try:
        return str(UUID(text))
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat()
    except ValueError:
        return text


def hold_same(
    contenders: Sequence[Contender],
    *,
    shown: Callable[[Mapping[str, Any]], str] = wallet_of,
    count: int = 20,
    times: int = 1,
) -> None:
    """Asks each so many requests of its own, spread over those of a round; raises BadAnswers unless all say the same.

    `shown` writes what an answer says in one way for all. Each request is sent so many `times` in a row.
    """
    requests = [each.requests(0) for each in contenders]
    length, keys = min(map(len, requests)), itertools.count()  # smaller ones than those of the load
    for place in range(0, length, max(1, length // count)):
        said = {}
        for each, listed in zip(contenders, requests, strict=True):
            request = listed[place].replace(UNIQUE, f"{next(keys):0{len(UNIQUE)}d}")
            said[each.server.name] = " ".join(_shown(each, request, shown=shown) for _ in range(times))
        first, *others = said
        for other in others:
            if said[other] != said[first]:
                raise BadAnswers(f"{other} and {first} answer differently:\n{_difference(said[other], said[first])}")


def _shown(contender: Contender, request: str, *, shown: Callable[[Mapping[str, Any]], str]) -> str:
    answer = _ask(contender, request)
    try:
        return shown(answer)
    except (KeyError, TypeError):
        raise BadAnswers(f"{contender.server.name}: {str(answer)[:_SHOWN]}") from None


def _ask(contender: Contender, request: str) -> Mapping[str, Any]:
    head, _, body = request.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines if not line.lower().startswith("content-length"))
    url = f"http://127.0.0.1:{contender.server.port}{first.split(' ')[1]}"
    response = httpx.post(url, content=body.encode(), headers=headers, timeout=_SECONDS)
    try:
        answer: Mapping[str, Any] = response.json()
    except json.JSONDecodeError:
        raise BadAnswers(f"{contender.server.name}: {response.status_code} {response.text[:_SHOWN]}") from None
    return answer


def request_text(path: str, *, token: str | None, body: object) -> str:
    """One HTTP request as it is sent."""
    content = json.dumps(body, ensure_ascii=True, separators=(",", ":"))
    authorization = "" if token is None else f"Authorization: Bearer {token}\r\n"
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
        f"{authorization}Content-Length: {len(content)}\r\n\r\n{content}"
    )
