"""GraphiQL's tabs, one per audience: its document, its token, and the values to start from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.graphiql.documents import HOW_TO, MEMBER, MERCHANT, OPERATOR, SERVICE, TILL
from app.graphiql.page import Tab


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
    return {
        "couponTemplateId": examples.coupon_template_id,
        "cart": _cart(examples, channel="IN_STORE"),
        "idempotencyKey": new_key(),
    }


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
        "refundLines": [{"lineId": "1", "quantity": 1}],
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
