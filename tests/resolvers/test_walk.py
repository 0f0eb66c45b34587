"""The walk of docs/coupons.md: every request of the manual is made in its order, and answered as the manual says."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.shared.principal import Principal
from resolvers.messages import locale_of
from tests.world import OPERATOR, SERVICE, World, world

__all__ = ["world"]

MANUAL = Path(__file__).parents[2] / "docs" / "coupons.md"
# A value that differs from run to run, by the name under which a later request uses it.
_NAMED = re.compile(r"<(\w+)>")


@dataclass(frozen=True, slots=True)
class Step:
    """One request of the manual."""

    title: str
    who: str
    document: str
    variables: Mapping[str, Any]
    answer: Mapping[str, Any]


def walk_of_the_manual() -> str:
    """What the manual says of the walk."""
    _, _, rest = MANUAL.read_text(encoding="utf-8").partition("\n## A walk: ")
    return re.split(r"\n## ", rest)[0]


def locale() -> str:
    """The locale of whoever sends the headers that the manual says."""
    headers = re.search(r"```json headers\n(.*?)```", walk_of_the_manual(), flags=re.DOTALL)
    assert headers is not None, "the manual says which headers to send"
    return locale_of(json.loads(headers[1])["Accept-Language"])


def steps() -> list[Step]:
    """The requests of the manual's walk."""
    found = []
    for part in walk_of_the_manual().split("\n### ")[1:]:
        title = part.partition("\n")[0]
        blocks = dict(re.findall(r"```(graphql|json \w+)\n(.*?)```", part, flags=re.DOTALL))
        who = re.search(r"\((operator|member|order system)\)$", title)
        assert who is not None, f"{title}: says who asks"
        variables = json.loads(blocks.get("json variables", "{}"))
        found.append(Step(title, who[1], blocks["graphql"], variables, json.loads(blocks["json answer"])))
    return found


def with_names(written: Any, names: Mapping[str, Any]) -> Any:
    """The manual's value with what its names stand for."""
    if isinstance(written, dict):
        return {key: with_names(value, names) for key, value in written.items()}
    if isinstance(written, list):
        return [with_names(value, names) for value in written]
    name = _NAMED.fullmatch(written) if isinstance(written, str) else None
    return names[name[1]] if name else written


def learn(written: Any, given: Any, names: dict[str, Any]) -> None:
    """Takes from an answer what the manual names in it for the first time."""
    if isinstance(written, dict) and isinstance(given, Mapping):
        for key in written.keys() & given.keys():
            learn(written[key], given[key], names)
    elif isinstance(written, list) and isinstance(given, list):
        for one, other in zip(written, given, strict=False):
            learn(one, other, names)
    elif isinstance(written, str) and (name := _NAMED.fullmatch(written)) and given is not None:
        names.setdefault(name[1], given)


async def test_the_walk_of_the_manual_is_answered_as_it_says(world: World) -> None:
    walk = steps()
    assert len(walk) >= 10, "the walk is found in the manual"
    viewers: Mapping[str, Principal] = {
        "operator": OPERATOR,
        "order system": SERVICE,
        "member": await world.member(),
    }
    names: dict[str, Any] = {}
    for step in walk:
        data = await world.ask(step.document, viewers[step.who], locale=locale(), **with_names(step.variables, names))
        given = json.loads(json.dumps({"data": data}, default=str))
        learn(step.answer, given, names)
        assert given == with_names(step.answer, names), step.title
