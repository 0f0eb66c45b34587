"""The second wall: with every rule of resolvers/access.py switched off, the SQL lets nothing out and nothing in."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import pytest_asyncio
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLType,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)

from domain.shared.principal import Principal
from persistence.base import metadata
from resolvers.access import ID_ARGUMENTS, NODES, ROOT_FIELDS, Rule
from schema.node_ids import NodeType
from tests.architecture.scopes import OWNED, owners
from tests.architecture.test_schema import schema
from tests.resolvers.stage import Stage, as_bytes, set_stage
from tests.resolvers.test_access import ID_CASES
from tests.world import SERVICE, World

STRANGERS = ("anonymous", "another member", "staff of another merchant")
DEPTH = 4


@pytest_asyncio.fixture
async def stage(world: World, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """One of everything, and from then on no rule at all."""
    made = await set_stage(world)
    done = await world.do(
        "registerMember", SERVICE, externalRef="the-member", displayName="韩梅梅", phone="13812345678"
    )
    assert done["__typename"] == "RegisterMemberSuccess"
    monkeypatch.setattr(Rule, "check", lambda _self, _principal: None)
    return made


def secrets(stage: Stage, caller: str) -> set[str]:
    """What nobody else may read: ids of what is hidden, and words that stand in it alone."""
    hidden = {e.id for listed in stage.examples.values() for e in listed if not stage.sees(caller, e)}
    return hidden | {"the-member", "韩梅梅", "5678", "Draft"}


def test_the_rules_are_off(stage: Stage) -> None:
    for rule in (*ROOT_FIELDS.values(), *NODES.values()):
        rule.check(None)


@pytest.mark.parametrize("caller", STRANGERS)
async def test_no_id_opens_what_is_anothers(caller: str, stage: Stage) -> None:
    for node_type, examples in stage.examples.items():
        document = f"query ($id: ID!) {{ node(id: $id) {{ __typename {_whole(node_type)} }} }}"
        for example in examples:
            if stage.sees(caller, example):
                continue
            there = await stage.world.answer(document, stage.callers[caller], id=example.id)
            missing = await stage.world.answer(document, stage.callers[caller], id=example.missing)
            assert as_bytes(there) == as_bytes(missing) == b'{"data": {"node": null}, "errors": []}', node_type


def _whole(node_type: NodeType) -> str:
    type_ = schema().type_map[node_type.name]
    return f"... on {node_type.name} {selection(type_, DEPTH)}"


@pytest.mark.parametrize("caller", STRANGERS)
async def test_nothing_that_can_be_asked_holds_a_word_of_others(caller: str, stage: Stage) -> None:
    asked = 0
    for root in sorted(ROOT_FIELDS):
        kind, _, name = root.partition(".")
        type_ = schema().type_map[kind]
        assert isinstance(type_, GraphQLObjectType)
        field = type_.fields[name]
        if kind != "Query" or not _asks_without_arguments(field):
            continue
        document = f"{{ {name} {selection(get_named_type(field.type), DEPTH)} }}"
        answered = await stage.world.answer(document, stage.callers[caller])
        told = json.dumps(answered.data, ensure_ascii=False, default=str)
        assert {secret for secret in secrets(stage, caller) if secret in told} == set(), root
        asked += 1
    assert asked > 3
    told = json.dumps(await _public(stage, caller), ensure_ascii=False, default=str)
    assert {secret for secret in secrets(stage, caller) if secret in told} == set()


async def _public(stage: Stage, caller: str) -> list[Any]:
    """Everything that hangs on the things that are public."""
    document = "query ($id: ID!) {{ node(id: $id) {{ __typename {} }} }}"
    found = [
        (await stage.world.answer(document.format(_whole(node_type)), stage.callers[caller], id=example.id)).data
        for node_type, examples in stage.examples.items()
        for example in examples
        if example.owner == "public"
    ]
    assert any(data and data["node"] for data in found)
    return found


@pytest.mark.parametrize("caller", STRANGERS)
async def test_no_argument_names_what_is_anothers(caller: str, stage: Stage) -> None:
    for root, place in ID_CASES:
        node_type = ID_ARGUMENTS[place]
        assert node_type is not None
        for example in stage.hidden_from(caller, node_type):
            if root.startswith("Subscription."):
                continue
            many = place.endswith(("Ids", "(ids)"))
            before = await rows_of_others(stage, caller)
            there = await stage.call(root, caller, **{place: [example.id] if many else example.id})
            missing = await stage.call(root, caller, **{place: [example.missing] if many else example.missing})
            assert as_bytes(there) == as_bytes(missing), (root, place)
            assert await rows_of_others(stage, caller) == before, (root, place)


@pytest.mark.parametrize("caller", STRANGERS)
async def test_no_mutation_writes_into_what_is_anothers(caller: str, stage: Stage) -> None:
    before = await rows_of_others(stage, caller)
    assert sum(rows for rows, _ in before.values()) > 10, "there is something to be protected"
    for root in sorted(ROOT_FIELDS):
        if root.startswith("Mutation."):
            await stage.call(root, caller)
            after = await rows_of_others(stage, caller)
            assert after == before, f"{caller} wrote by {root}"


async def rows_of_others(stage: Stage, caller: str) -> Mapping[str, tuple[int, str]]:
    """What the owned tables hold that is not the caller's own: how many rows, and a digest of them."""
    principal = stage.callers[caller]
    found = {}
    for table in metadata.tables.values():
        if table.info["owner"] in OWNED:
            mine = " OR ".join(f'coalesce(t."{column}" = ANY($1), false)' for column in set(owners(table).values()))
            row = await stage.world.database.pool.fetchrow(
                f"SELECT count(*), md5(coalesce(string_agg(t::text, ';' ORDER BY t::text), '')) "  # noqa: S608
                f'FROM "{table.name}" AS t WHERE NOT ({mine})',
                _ids_of(principal),
            )
            assert row is not None
            found[table.name] = (row[0], row[1])
    return found


def _ids_of(caller: Principal | None) -> list[object]:
    if caller is None:
        return []
    return [*caller.merchant_ids, *([caller.member_id] if caller.member_id else [])]


def selection(type_: GraphQLType, depth: int) -> str:
    """Every field that can be asked without arguments, and what hangs on it, to a depth."""
    named = get_named_type(type_)
    if is_leaf_type(named):
        return ""
    if isinstance(named, GraphQLUnionType):
        return "{ __typename }"
    if isinstance(named, GraphQLInterfaceType):
        return "{ __typename }"
    assert isinstance(named, GraphQLObjectType)
    parts = ["__typename"]
    for name, field in named.fields.items():
        if _asks_without_arguments(field) and (depth > 0 or is_leaf_type(get_named_type(field.type))):
            parts.append(f"{name} {selection(field.type, depth - 1)}")
    return f"{{ {' '.join(parts)} }}"


def _asks_without_arguments(field: GraphQLField) -> bool:
    return all(
        not isinstance(given.type, GraphQLNonNull) or given.ast_node is None or given.ast_node.default_value is not None
        for given in field.args.values()
    )
