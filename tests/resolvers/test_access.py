"""Who may: every root field, node type and id argument has a rule, and the rule is what happens."""

import asyncio
from collections.abc import Iterator
from functools import partial

import pytest
import pytest_asyncio
from graphql import GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType, get_named_type

from domain.shared.errors import CallerError, Forbidden
from domain.shared.principal import MerchantRole, Principal, Role
from execution import Result
from resolvers.access import ID_ARGUMENTS, NODES, ROOT_FIELDS, Rule
from schema.node_ids import NodeType
from tests.architecture.test_schema import own_types, schema
from tests.resolvers.stage import Stage, as_bytes, codes, set_stage
from tests.world import EXECUTOR, Answered, World


@pytest_asyncio.fixture
async def stage(world: World) -> Stage:
    """One of everything, and everybody."""
    return await set_stage(world)


CALLERS = (
    "anonymous",
    "the member",
    "another member",
    "owner",
    "manager",
    "till",
    "till of another store",
    "staff of another merchant",
    "operator",
    "service",
)
REFUSED = {"UNAUTHENTICATED", "FORBIDDEN"}
NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
NODES_ASKED = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"


def root_fields() -> set[str]:
    roots = [root for root in (schema().query_type, schema().mutation_type, schema().subscription_type) if root]
    return {f"{root.name}.{name}" for root in roots for name in root.fields}


def id_places() -> Iterator[str]:
    """Every argument and input field of type ID, as the rules name them."""
    for type_ in own_types():
        if isinstance(type_, GraphQLInputObjectType):
            yield from (f"{type_.name}.{n}" for n, f in type_.fields.items() if get_named_type(f.type).name == "ID")
        elif isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in type_.fields.items():
                for argument, given in field.args.items():
                    if get_named_type(given.type).name == "ID":
                        yield f"{type_.name}.{name}({argument})"


# ── every place has a rule, and every rule its place ─────────────────────────────────────────────────────────────────


def test_every_root_field_has_a_rule_and_every_rule_its_field() -> None:
    assert set(ROOT_FIELDS) == root_fields()


def test_every_node_type_has_a_rule_and_every_rule_its_type() -> None:
    node = schema().type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    assert {t.name for t in NODES} == {t.name for t in schema().get_implementations(node).objects}


def test_every_id_argument_says_what_it_names_and_nothing_else_does() -> None:
    assert set(ID_ARGUMENTS) == set(id_places())


def test_every_caller_and_every_node_type_is_on_the_stage(stage: Stage) -> None:
    assert set(stage.callers) == set(CALLERS)
    assert set(stage.examples) == set(NODES), "make an example of it in tests/resolvers/stage.py"


# ── root fields ──────────────────────────────────────────────────────────────────────────────────────────────────────


def expected(rule: Rule, caller: Principal | None) -> str | None:
    """The code that a rule answers a caller with; None lets it in."""
    if rule.roles is None:
        return None
    if caller is None:
        return "UNAUTHENTICATED"
    if caller.roles & rule.roles - {Role.MERCHANT}:
        return None
    staffed = Role.MERCHANT in caller.roles & rule.roles
    return None if staffed and caller.merchant_role in rule.merchant_roles else "FORBIDDEN"


@pytest.mark.parametrize("root", sorted(r for r in root_fields() if not r.startswith("Subscription.")))
async def test_a_root_field_lets_in_whom_its_rule_names_and_writes_nothing_for_others(root: str, stage: Stage) -> None:
    for caller in CALLERS:
        before = await stage.rows()
        answered = await stage.call(root, caller)
        code = expected(ROOT_FIELDS[root], stage.callers[caller])
        if code is None:
            assert not codes(answered) & {*REFUSED, "INTERNAL"}, (caller, answered.errors)
        else:
            assert codes(answered) == {code}, (caller, answered)
            assert answered.data is None or set(answered.data.values()) == {None}
        if code is not None or root.startswith("Query."):
            assert await stage.rows() == before, f"{caller} wrote by {root}"


@pytest.mark.parametrize("root", sorted(r for r in root_fields() if r.startswith("Subscription.")))
async def test_a_subscription_begins_for_whom_its_rule_names_and_for_nobody_else(root: str, stage: Stage) -> None:
    for caller in CALLERS:
        before = await stage.rows()
        first = await _first(stage, root, caller)
        code = expected(ROOT_FIELDS[root], stage.callers[caller])
        if caller == "staff of another merchant" and f"{root}(merchantId)" in ID_ARGUMENTS:
            code = "FORBIDDEN"
        if root == "Subscription.stockChanged" and stage.hidden_from(caller, NodeType.CouponTemplate):
            code = "BAD_USER_INPUT"  # the stage's template is a draft
        assert (codes(first) if first else set()) == ({code} if code else set()), (caller, first)
        assert await stage.rows() == before


async def _first(stage: Stage, root: str, caller: str, **overridden: object) -> Answered | None:
    document, variables = stage.operation(root, overridden)
    context = stage.world.context(stage.callers[caller])
    begun = await EXECUTOR.subscribe(EXECUTOR.prepare(document), variables, context)
    if isinstance(begun, Result):
        return Answered.of(begun)
    async with asyncio.timeout(5):
        first = await anext(begun, None)
    return None if first is None else Answered.of(first)


# ── what a till, a manager and an owner may ──────────────────────────────────────────────────────────────────────────

ALL_STAFF, PLANNERS, OWNERS = set(MerchantRole), {MerchantRole.OWNER, MerchantRole.MANAGER}, {MerchantRole.OWNER}
# docs/security.md: a till redeems, a manager also plans, an owner does everything of its merchants.
STAFF_MUTATIONS = {
    "createStore": OWNERS,
    "createCampaign": PLANNERS,
    "changeCampaignState": PLANNERS,
    "createCouponTemplate": PLANNERS,
    "publishCouponTemplate": PLANNERS,
    "issueCoupons": PLANNERS,
    "createCouponCodes": PLANNERS,
    "redeemCoupons": ALL_STAFF,
    "recordOrder": ALL_STAFF,
    "refundOrder": ALL_STAFF,
    "syncOfflineRedemptions": ALL_STAFF,
}


def test_a_till_redeems_a_manager_also_plans_and_an_owner_does_everything() -> None:
    by_rule = {
        root.removeprefix("Mutation."): set(rule.merchant_roles)
        for root, rule in ROOT_FIELDS.items()
        if root.startswith("Mutation.") and rule.roles is not None and Role.MERCHANT in rule.roles
    }
    assert by_rule == STAFF_MUTATIONS


def test_staff_whose_merchant_role_is_unknown_may_nothing_that_only_staff_may() -> None:
    unknown = Principal(subject="s", issuer="i", roles=frozenset({Role.MERCHANT}))
    with pytest.raises(Forbidden):
        ROOT_FIELDS["Mutation.createCampaign"].check(unknown)


def test_an_operator_who_also_tends_a_till_is_an_operator() -> None:
    both = Principal(
        subject="s", issuer="i", roles=frozenset({Role.MERCHANT, Role.OPERATOR}), merchant_role=MerchantRole.TILL
    )
    ROOT_FIELDS["Mutation.createStore"].check(both)


# ── nodes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("node_type", NODES, ids=lambda node_type: node_type.name)
async def test_a_node_is_there_for_whose_it_is_and_looks_like_none_to_others(node_type: NodeType, stage: Stage) -> None:
    for example in stage.examples[node_type]:
        for caller, principal in stage.callers.items():
            answered = await stage.world.answer(NODE, principal, id=example.id)
            assert answered.errors is None, (caller, answered.errors)
            missing = await stage.world.answer(NODE, principal, id=example.missing)
            if stage.sees(caller, example) and _let_in(NODES[node_type], principal):
                assert answered.data == {"node": {"__typename": node_type.name, "id": example.id}}, caller
                assert missing.data == {"node": None} or node_type is NodeType.PointsAccount
            else:
                assert as_bytes(answered) == as_bytes(missing) == b'{"data": {"node": null}, "errors": []}', caller


def _let_in(rule: Rule, caller: Principal | None) -> bool:
    try:
        rule.check(caller)
    except CallerError:
        return False
    return True


@pytest.mark.parametrize("caller", CALLERS)
async def test_several_nodes_are_answered_one_by_one_as_each_alone(caller: str, stage: Stage) -> None:
    examples = [example for listed in stage.examples.values() for example in listed]
    alone = [(await stage.world.answer(NODE, stage.callers[caller], id=e.id)).data for e in examples]
    together = await stage.world.answer(NODES_ASKED, stage.callers[caller], ids=[e.id for e in examples])
    assert together.data == {"nodes": [found["node"] for found in alone if found is not None]}


# ── id arguments ─────────────────────────────────────────────────────────────────────────────────────────────────────


def roots_of(place: str) -> list[str]:
    """The root fields through whose arguments an id can be given, however deep."""
    if "(" in place:
        return [place.partition("(")[0]] if place.partition("(")[0] in ROOT_FIELDS else []
    return sorted(root for root in root_fields() if place.partition(".")[0] in _inputs_of(root))


def _inputs_of(root: str) -> set[str]:
    kind, _, name = root.partition(".")
    type_ = schema().type_map[kind]
    assert isinstance(type_, GraphQLObjectType)
    reached, queue = set[str](), [get_named_type(given.type) for given in type_.fields[name].args.values()]
    while queue:
        given = queue.pop()
        if isinstance(given, GraphQLInputObjectType) and given.name not in reached:
            reached.add(given.name)
            queue += [get_named_type(f.type) for f in given.fields.values()]
    return reached


ID_CASES = sorted((root, place) for place, named in ID_ARGUMENTS.items() if named for root in roots_of(place))


@pytest.mark.parametrize(("root", "place"), ID_CASES)
async def test_an_id_of_what_is_anothers_is_answered_as_one_that_does_not_exist(
    root: str, place: str, stage: Stage
) -> None:
    node_type = ID_ARGUMENTS[place]
    assert node_type is not None
    for caller in CALLERS:
        if expected(ROOT_FIELDS[root], stage.callers[caller]) is not None:
            continue
        for example in stage.hidden_from(caller, node_type):
            before = await stage.rows()
            ask = partial(_first, stage) if root.startswith("Subscription.") else stage.call
            there = await ask(root, caller, **{place: _as_given(place, example.id)})
            after = await stage.rows()
            missing = await ask(root, caller, **{place: _as_given(place, example.missing)})
            assert there is not None, caller
            assert missing is not None, caller
            assert as_bytes(there) == as_bytes(missing), caller
            assert "INTERNAL" not in codes(there), (caller, there.errors)
            assert after == before, f"{caller} wrote by {root}"


def _as_given(place: str, id_: str) -> object:
    return [id_] if place.endswith(("Ids", "(ids)")) else id_


# Public things that a caller may name and not write to: whose merchant it is decides.
OTHER_MERCHANTS = [
    "CreateStoreInput.merchantId",
    "CreateCampaignInput.merchantId",
    "CreateCouponTemplateInput.merchantId",
]


@pytest.mark.parametrize("place", OTHER_MERCHANTS)
async def test_staff_write_to_another_merchant_as_little_as_to_one_that_does_not_exist(
    place: str, stage: Stage
) -> None:
    root = roots_of(place)[0]
    (tea,) = stage.examples[NodeType.Merchant]
    before = await stage.rows()
    there = await stage.call(root, "staff of another merchant", **{place: tea.id})
    missing = await stage.call(root, "staff of another merchant", **{place: tea.missing})
    assert as_bytes(there) == as_bytes(missing)
    assert b"NOT_FOUND" in as_bytes(there)
    assert await stage.rows() == before
