"""What GraphiQL's tabs ask at first: one tab per audience, one document each, and the values to start from.

The documents speak the public schema; a test validates them, and their variables, against the printed one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.graphiql.page import Tab

HOW_TO = """\
# Press ▶ and choose an operation, or put the cursor inside one and press Ctrl-Enter (⌘-Enter).
# Below: Variables holds the values, Headers the token. Reload the page when the token has expired: what you
# changed yourself stays, all else is made anew, with fresh idempotency keys.
"""

MEMBER = """\
# Welcome! In this tab you are a member of the demo programme.
#
#   WatchMyWallet stays open. Start it here, open this page in a second window, run ClaimCoupon there,
#   and see the coupon arrive here. The same idempotency key again: the same answer, replayed: true.
#
{how_to}
query MyWallet {
  me {
    displayName
    tier { tier { name } }
    points { available }
    wallet {
      coupons(first: 5) { nodes { headline state validUntil } }
    }
  }
}

query WhatMayIClaim {
  couponTemplates(first: 5, filter: { claimableNow: true }) {
    nodes { id headline rulesText stock { remaining } merchant { name } }
  }
}

mutation ClaimCoupon($couponTemplateId: ID!, $idempotencyKey: ID!) {
  claimCoupon(input: { couponTemplateId: $couponTemplateId, idempotencyKey: $idempotencyKey }) {
    ... on ClaimCouponSuccess { coupon { code headline state validUntil } replayed }
    ... on Problem { code message }
  }
}

subscription WatchMyWallet {
  walletChanged { sequence change coupon { headline state validUntil } }
}

query CodeForTheTill {
  me {
    wallet {
      coupons(first: 1, filter: { states: [CLAIMED] }) {
        nodes { headline redemptionCode { token expiresAt } }
      }
    }
  }
}

mutation CheckIn($idempotencyKey: ID!) {
  checkIn(input: { idempotencyKey: $idempotencyKey }) {
    ... on CheckInSuccess { pointsEarned status { streakDays nextReward } replayed }
    ... on Problem { code message }
  }
}

subscription WatchMyPoints {
  pointsChanged { sequence available transaction { kind delta reason } }
}
"""

TILL = """\
# In this tab you are a till in one store of a merchant.
#
#   Redeem takes the token that a member's phone shows: run CodeForTheTill in the Member tab, paste its
#   token into the variables as redemptionToken, and redeem within the minute.
#
{how_to}
query WhereAmI {
  viewer {
    roles
    merchants(first: 5) { nodes { id name stores(first: 5) { nodes { id name } } } }
  }
}

mutation Redeem(
  $orderRef: String!, $redemptionToken: String!, $cart: CartInput!, $storeId: ID!, $idempotencyKey: ID!
) {
  redeemCoupons(input: {
    orderRef: $orderRef, redemptionToken: $redemptionToken, cart: $cart, storeId: $storeId
    idempotencyKey: $idempotencyKey
  }) {
    ... on RedeemCouponsSuccess {
      redemptions { coupon { headline } discount { amount currencyCode } }
      quote { subtotal { amount } discount { amount } payable { amount currencyCode } }
      replayed
    }
    ... on Problem { code message }
  }
}
"""

MERCHANT = """\
# In this tab you are staff of a merchant.
#
#   WatchRedemptions stays open: redeem a coupon in the Till tab of a second window and see it arrive here.
#
{how_to}
query OurRedemptions($merchantId: ID!) {
  merchant(id: $merchantId) {
    name
    stores(first: 5) { nodes { id name } }
    redemptions(first: 5) {
      nodes { orderRef redeemedAt discount { amount currencyCode } coupon { headline } store { name } }
    }
  }
}

subscription WatchRedemptions($merchantId: ID!) {
  merchantRedemptions(merchantId: $merchantId) {
    sequence
    redemption { orderRef redeemedAt discount { amount currencyCode } coupon { headline } }
  }
}

query OurCampaigns($merchantId: ID!) {
  merchant(id: $merchantId) {
    campaigns(first: 5) { nodes { id name goal state startsAt endsAt } }
  }
}
"""

OPERATOR = """\
# In this tab you run the programme.
#
#   CreateCouponTemplate makes a draft, which nobody can claim. Copy the id of its answer into the variables
#   as couponTemplateId and run PublishCouponTemplate: from then on its terms are fixed and members may claim.
#
{how_to}
query Campaigns {
  campaigns(first: 5) {
    nodes { id name goal state startsAt endsAt merchant { name } }
  }
}

mutation CreateCampaign($campaign: CreateCampaignInput!) {
  createCampaign(input: $campaign) {
    ... on CreateCampaignSuccess { campaign { id name state } replayed }
    ... on Problem { code message }
  }
}

mutation CreateCouponTemplate($couponTemplate: CreateCouponTemplateInput!) {
  createCouponTemplate(input: $couponTemplate) {
    ... on CreateCouponTemplateSuccess { couponTemplate { id headline rulesText } replayed }
    ... on Problem { code message }
  }
}

mutation PublishCouponTemplate($couponTemplateId: ID!, $idempotencyKey: ID!) {
  publishCouponTemplate(input: { couponTemplateId: $couponTemplateId, idempotencyKey: $idempotencyKey }) {
    ... on PublishCouponTemplateSuccess { couponTemplate { id headline stock { remaining } } replayed }
    ... on Problem { code message }
  }
}

mutation AdjustPoints($memberId: ID!, $delta: SafeInt!, $reason: String!, $idempotencyKey: ID!) {
  adjustPoints(input: { memberId: $memberId, delta: $delta, reason: $reason, idempotencyKey: $idempotencyKey }) {
    ... on AdjustPointsSuccess { account { available } transaction { delta reason occurredAt } replayed }
    ... on Problem { code message }
  }
}
"""

SERVICE = """\
# In this tab you are the order system.
#
{how_to}
query WhoIs($memberId: ID!) {
  member(id: $memberId) { displayName phone joinedAt points { available pending } tier { tier { name } } }
}

mutation RegisterMember($externalRef: String!, $displayName: String, $idempotencyKey: ID!) {
  registerMember(input: { externalRef: $externalRef, displayName: $displayName, idempotencyKey: $idempotencyKey }) {
    ... on RegisterMemberSuccess { member { id displayName joinedAt } replayed }
    ... on Problem { code message }
  }
}

mutation RecordOrder($orderRef: String!, $memberId: ID!, $cart: CartInput!, $idempotencyKey: ID!) {
  recordOrder(input: {
    orderRef: $orderRef, memberId: $memberId, state: PAID, cart: $cart, idempotencyKey: $idempotencyKey
  }) {
    ... on RecordOrderSuccess { orderRef state pointsPending pointsEarned replayed }
    ... on Problem { code message }
  }
}
"""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A development token for each audience."""

    member: str
    till: str
    merchant: str
    operator: str
    service: str


@dataclass(frozen=True, slots=True)
class Examples:
    """Things of the demo programme that the tabs begin with, by their public (global) ids.

    The member is the one of the member's token, the store the till's own, the template one that this member may claim.
    """

    member_id: str
    merchant_id: str
    store_id: str
    coupon_template_id: str
    currency_code: str


def prepared_tabs(*, tokens: Tokens, examples: Examples, new_key: Callable[[], str], now: datetime) -> tuple[Tab, ...]:
    """The tabs, the member's first. `new_key` makes a new idempotency key; `now` is when an example campaign starts."""
    return (
        _tab("Member", MEMBER, token=tokens.member, variables=_of_member(examples, new_key=new_key)),
        _tab("Till", TILL, token=tokens.till, variables=_of_till(examples, new_key=new_key)),
        _tab("Merchant", MERCHANT, token=tokens.merchant, variables={"merchantId": examples.merchant_id}),
        _tab("Operator", OPERATOR, token=tokens.operator, variables=_of_operator(examples, new_key=new_key, now=now)),
        _tab("Order service", SERVICE, token=tokens.service, variables=_of_service(examples, new_key=new_key)),
    )


def _tab(title: str, document: str, *, token: str, variables: Mapping[str, object]) -> Tab:
    return Tab(
        title=title,
        query=document.replace("{how_to}\n", f"{HOW_TO}\n"),
        variables=variables,
        headers={"Authorization": f"Bearer {token}"},
    )


def _of_member(examples: Examples, *, new_key: Callable[[], str]) -> Mapping[str, object]:
    return {"couponTemplateId": examples.coupon_template_id, "idempotencyKey": new_key()}


def _of_till(examples: Examples, *, new_key: Callable[[], str]) -> Mapping[str, object]:
    key = new_key()
    return {
        "redemptionToken": "paste the member's token here",
        "orderRef": f"order-{key}",
        "storeId": examples.store_id,
        "cart": _cart(examples, channel="IN_STORE"),
        "idempotencyKey": key,
    }


def _of_operator(examples: Examples, *, new_key: Callable[[], str], now: datetime) -> Mapping[str, object]:
    starts_at = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    window = {"startsAt": starts_at.isoformat(), "endsAt": (starts_at + timedelta(days=30)).isoformat()}
    return {
        "campaign": {"name": "A month of thanks", "goal": "RETENTION", **window, "idempotencyKey": new_key()},
        "couponTemplate": {
            "name": "5 off",
            "kind": "AMOUNT_OFF",
            "terms": {"amountMinor": 500},
            "currencyCode": examples.currency_code,
            "stock": 100,
            "limitPerMember": 1,
            "claimOpensAt": window["startsAt"],
            "claimClosesAt": window["endsAt"],
            "validity": {"daysAfterClaim": 30},
            "idempotencyKey": new_key(),
        },
        "couponTemplateId": "paste the new template's id here",
        "memberId": examples.member_id,
        "delta": 100,
        "reason": "Goodwill",
        "idempotencyKey": new_key(),
    }


def _of_service(examples: Examples, *, new_key: Callable[[], str]) -> Mapping[str, object]:
    key = new_key()
    return {
        "memberId": examples.member_id,
        "externalRef": f"member-{key}",
        "displayName": "A new member",
        "orderRef": f"order-{key}",
        "cart": _cart(examples, channel="ONLINE"),
        "idempotencyKey": key,
    }


def _cart(examples: Examples, *, channel: str) -> Mapping[str, object]:
    return {
        "currencyCode": examples.currency_code,
        "channel": channel,
        "lines": [
            {
                "id": "1",
                "productRef": "example-product",
                "merchantId": examples.merchant_id,
                "quantity": 2,
                "unitPrice": {"amount": "30.00", "currencyCode": examples.currency_code},
            }
        ],
    }
