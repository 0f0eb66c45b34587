"""Whether two servers gave the same answer, however each writes ids and instants."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import httpx

from benchmarks.measure import BadAnswers, Contender
from schema.node_ids import read_node_id

_SECONDS: Final = 30.0


def hold_same(contenders: list[Contender]) -> None:
    """Asks each the first request of its own; raises BadAnswers unless all say the same."""
    said = {each.server.name: wallet_of(_ask(each)) for each in contenders}
    first, *others = said
    for other in others:
        if said[other] != said[first]:
            raise BadAnswers(f"{other} and {first} answer differently:\n{_difference(said[other], said[first])}")


def _difference(one: str, other: str) -> str:
    at = next(place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
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


def _ask(contender: Contender) -> Mapping[str, Any]:
    head, _, body = contender.requests(0)[0].partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines if not line.lower().startswith("content-length"))
    url = f"http://127.0.0.1:{contender.server.port}{first.split(' ')[1]}"
    response = httpx.post(url, content=body.encode(), headers=headers, timeout=_SECONDS)
    try:
        answer: Mapping[str, Any] = response.json()
        answer["data"]["me"]["id"]
    except (json.JSONDecodeError, KeyError, TypeError):
        raise BadAnswers(f"{contender.server.name}: {response.status_code} {response.text[:1000]}") from None
    return answer


def request_text(path: str, *, token: str | None, body: object) -> str:
    """One HTTP request as it is sent."""
    content = json.dumps(body, ensure_ascii=True, separators=(",", ":"))
    authorization = "" if token is None else f"Authorization: Bearer {token}\r\n"
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
        f"{authorization}Content-Length: {len(content)}\r\n\r\n{content}"
    )
