"""The schema of coupons on a database of its own, for the tests of templates, claims and wallets."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
import strawberry

from app.auth.redemption import SignedRedemptionTokens
from domain.coupons.desk import ClaimDesk
from domain.coupons.giving import GivingDesk
from domain.rewards.desk import ExchangeDesk
from domain.shared.principal import MerchantRole, Principal, Role, Scope
from persistence.base import on_statement
from persistence.campaigns.reads import SqlCampaignReads
from persistence.coupons.distribution_reads import SqlDistributionReads
from persistence.coupons.reads import SqlCouponReads
from persistence.members.reads import SqlMemberReads
from persistence.merchants.reads import SqlMerchantReads
from persistence.receipts import SqlReceiptReads
from resolvers.context import RequestContext
from resolvers.root import build_schema
from schema.node_ids import NodeType, node_id
from tests.coupon_world import CLOSES_AT, OPENS_AT, PROGRAMME, World, keys, member, merchant, world
from tests.queries import names_into

SCHEMA = build_schema()
TOKENS = SignedRedemptionTokens([b"3" * 32])

CLAIM = """mutation($template: ID!, $key: ID!) {
  claimCoupon(input: {couponTemplateId: $template, idempotencyKey: $key}) {
    __typename
    ... on ClaimCouponSuccess { replayed coupon { id code state headline terms { name value unit } validUntil } }
    ... on Problem { code message }
    ... on NotStartedProblem { opensAt }
    ... on EndedProblem { closedAt }
    ... on ClaimLimitReachedProblem { limit resetsAt }
    ... on IdempotencyKeyReusedProblem { idempotencyKey }
  }
}"""
CREATE = """mutation($input: CreateCouponTemplateInput!) {
  createCouponTemplate(input: $input) {
    __typename
    ... on CreateCouponTemplateSuccess {
      replayed
      couponTemplate {
        id name kind published headline limitPerMember stock { total remaining } funders { funder basisPoints }
        merchant { name } terms { name value unit }
      }
    }
    ... on Problem { code message }
    ... on InvalidTermsProblem { path reason }
  }
}"""
PUBLISH = """mutation($template: ID!, $key: ID!) {
  publishCouponTemplate(input: {couponTemplateId: $template, idempotencyKey: $key}) {
    __typename
    ... on PublishCouponTemplateSuccess { replayed couponTemplate { published } }
    ... on Problem { code }
    ... on InvalidStateChangeProblem { current wanted }
  }
}"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a document was answered with, and what it asked of the database."""

    data: Any
    codes: list[Any]
    statements: list[str]


@dataclass(frozen=True, slots=True)
class Laurel:
    """The schema on a database, asked by whoever a test names."""

    world: World
    desk: ClaimDesk
    asked: list[str] = field(default_factory=list)

    async def ask(self, document: str, who: Principal | None = None, *, locale: str = "en", **variables: Any) -> Answer:
        database = self.world.database
        reads = SimpleNamespace(
            members=SqlMemberReads(database),
            merchants=SqlMerchantReads(database),
            campaigns=SqlCampaignReads(database),
            coupons=SqlCouponReads(database),
            distribution=SqlDistributionReads(database),
            receipts=SqlReceiptReads(database),
        )
        context = RequestContext(
            principal=who,
            locale=locale,
            reads=cast("Any", reads),
            begin_within=cast("Any", database.begin),
            live=cast("Any", None),
            stocks=cast("Any", None),
            claims=self.desk,
            giving=GivingDesk(begin=lambda: database.begin(Scope.system())),
            exchanges=ExchangeDesk(begin=lambda: database.begin(Scope.system())),
            redemption_tokens=TOKENS,
            programme=PROGRAMME,
        )
        statements: list[str] = []
        token = on_statement.set(names_into(statements))
        try:
            result = await SCHEMA.execute(document, variable_values=variables, context_value=context)
        finally:
            on_statement.reset(token)
        codes = [getattr(e.original_error, "code", e.message) for e in result.errors or ()]
        return Answer(result.data, codes, statements)

    async def claim(self, template: str, who: Principal, **variables: Any) -> dict[str, Any]:
        answer = await self.ask(CLAIM, who, **{"template": template, "key": f"k{next(keys)}", **variables})
        assert not answer.codes, answer.codes
        claimed: dict[str, Any] = answer.data["claimCoupon"]
        return claimed

    async def create(self, who: Principal, **changed: Any) -> dict[str, Any]:
        answer = await self.ask(CREATE, who, input=template_input(**changed))
        assert not answer.codes, answer.codes
        created: dict[str, Any] = answer.data["createCouponTemplate"]
        return created


def person(number: int) -> Principal:
    return Principal(f"m{number}", "i", frozenset({Role.MEMBER}), member_id=member(number))


def staff(number: int, role: MerchantRole = MerchantRole.MANAGER) -> Principal:
    return Principal("s", "i", frozenset({Role.MERCHANT}), frozenset({merchant(number)}), merchant_role=role)


OPERATOR = Principal("o", "i", frozenset({Role.OPERATOR}))


def template_input(**changed: Any) -> dict[str, Any]:
    plain = {
        "name": "满100减20",
        "kind": "THRESHOLD_AMOUNT_OFF",
        "terms": {"thresholdMinor": 10000, "amountMinor": 2000},
        "currencyCode": "CNY",
        "stock": 10,
        "limitPerMember": 1,
        "claimOpensAt": OPENS_AT.isoformat(),
        "claimClosesAt": CLOSES_AT.isoformat(),
        "validity": {"daysAfterClaim": 7},
        "idempotencyKey": f"k{next(keys)}",
    }
    return {name: value for name, value in {**plain, **changed}.items() if value is not ...}


def global_id(template_id: UUID) -> strawberry.ID:
    return node_id(NodeType.CouponTemplate, template_id)


def cart(amount: str, **changed: Any) -> dict[str, Any]:
    line = {
        "id": "1",
        "productRef": "p",
        "merchantId": node_id(NodeType.Merchant, merchant(1)),
        "quantity": 1,
        "unitPrice": {"amount": amount, "currencyCode": "CNY"},
    }
    return {"currencyCode": "CNY", "lines": [{**line, **changed}]}


@pytest.fixture
async def laurel(database_url: str) -> AsyncIterator[Laurel]:
    async with world(database_url) as made:
        yield Laurel(made, ClaimDesk(begin=lambda: made.database.begin_set(Scope.system())))


async def add_person(laurel: Laurel, number: int) -> None:
    await laurel.world.rows(
        "INSERT INTO members (member_id, external_ref, locale, joined_at) VALUES ($1, $2, 'en', now())",
        member(number),
        f"m{number}",
    )
