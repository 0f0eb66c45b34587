"""The shop that is raced and crashed: what is made before, and what members, tills and operators ask for."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from app.auth import SignedRedemptionTokens, TokenClaims, TokenIssuer
from domain.shared.ids import CouponId, MerchantId, StoreId
from domain.shared.principal import MerchantRole
from schema.node_ids import NodeRef, NodeType, node_id, read_node_id
from tests.soak.client import Answer, Client, new_key

_PROBLEM: Final = "... on Problem { code }"


def mutation(name: str, wanted: str) -> str:
    """The document of a mutation with one input."""
    kind = name[0].upper() + name[1:]
    return (
        f"mutation ($input: {kind}Input!) {{ {name}(input: $input) {{"
        f" ... on {kind}Success {{ {wanted} }} {_PROBLEM} }} }}"
    )


CLAIM: Final = mutation("claimCoupon", "replayed coupon { id code state redemptionCode { token } }")
REDEEM: Final = mutation(
    "redeemCoupons", "replayed redemptions { id discount { amount } } quote { payable { amount } }"
)
RECORD: Final = mutation("recordOrder", "replayed orderRef state pointsPending")
ADJUST: Final = mutation("adjustPoints", "replayed transaction { id delta balanceAfter }")
EXCHANGE: Final = mutation("exchangePoints", "replayed transaction { id delta } coupons { id }")
RESERVE: Final = mutation("reserveCoupons", "replayed reservation { id } quote { payable { amount } }")
RELEASE: Final = mutation("releaseReservation", "replayed coupons { id state }")
REFUND: Final = mutation("refundOrder", "replayed refund { amount } restored { id state }")
CHECK_IN: Final = mutation("checkIn", "replayed pointsEarned")
REGISTER: Final = mutation("registerMember", "member { id }")
PUBLISH: Final = mutation("publishCouponTemplate", "replayed")
ISSUE: Final = mutation("issueCoupons", "replayed outcomes { memberId coupon { id state } problem { code } }")
CODES: Final = mutation("createCouponCodes", "replayed codes")
REDEEM_CODE: Final = mutation("redeemCode", "replayed coupon { id code state }")
VOID: Final = mutation("voidCoupon", "replayed coupon { id state }")
SYNC: Final = mutation(
    "syncOfflineRedemptions",
    "replayed outcomes { orderRef redemption { id coupon { id state } } problem { code } }",
)
LIMIT_OFFLINE: Final = mutation("setOfflineLimits", "replayed maxCount maxAmount { amount }")
TOKEN_SECONDS: Final = 600
OFFLINE_TOKEN_SECONDS: Final = 240
OPEN: Final = "2020-01-01T00:00:00Z"
CLOSE: Final = "2100-01-01T00:00:00Z"


def ref(node_id: str) -> NodeRef:
    """What a node id names."""
    found = read_node_id(node_id)
    assert found is not None, node_id
    return found


@dataclass(slots=True)
class Shop:
    """Where to ask, with which tokens, and what there is to be had."""

    port: int
    issuer: TokenIssuer
    redemption_tokens: SignedRedemptionTokens
    client: Client
    merchant: str = ""
    store: str = ""
    second_store: str = ""
    _tokens: dict[TokenClaims, str] = field(default_factory=dict)

    def token(self, claims: TokenClaims) -> str:
        """A token of these claims, made once."""
        found = self._tokens.get(claims)
        if found is None:
            found = self._tokens[claims] = self.issuer.issue(claims)
        return found

    def member(self, name: str) -> str:
        """The token of a member."""
        return self.token(TokenClaims.of_member(name))

    @property
    def service(self) -> str:
        """The token of the order system."""
        return self.token(TokenClaims.of_service())

    @property
    def operator(self) -> str:
        """The token of whoever runs the programme."""
        return self.token(TokenClaims.of_operator())

    @property
    def till(self) -> str:
        """The token of a till of the merchant, in any of its stores."""
        return self.token(TokenClaims.of_merchant(self._merchant_id, role=MerchantRole.TILL))

    def till_in(self, store: str) -> str:
        """The token of the till of one store, which is a caller of its own."""
        store_ids = [StoreId(ref(store).id)]
        return self.token(TokenClaims.of_merchant(self._merchant_id, store_ids=store_ids, role=MerchantRole.TILL))

    @property
    def _merchant_id(self) -> MerchantId:
        return MerchantId(ref(self.merchant).id)

    async def open(self) -> None:
        """The merchant and its two stores."""
        self.merchant = await self._made("merchant", name="Tea", externalRef=new_key("tea"))
        for name in ("store", "second_store"):
            made = await self._made("store", name=name, externalRef=new_key(name), merchantId=self.merchant)
            setattr(self, name, made)

    def asked_by(self, client: Client) -> "Shop":
        """The same shop, asked over another connection."""
        return replace(self, client=client)

    async def ask(self, document: str, given: Mapping[str, Any], *, token: str) -> Mapping[str, Any]:
        """What a write that must succeed was answered with."""
        answer = await self.client.ask(document, {**given, "idempotencyKey": new_key("shop")}, token=token)
        assert answer.done, (document, answer.data)
        return answer.data

    async def registered(self, name: str, *, client: Client | None = None) -> str:
        """The id of a member, registered now."""
        answer = await (client or self.client).ask(
            REGISTER, {"externalRef": name, "idempotencyKey": new_key("register")}, token=self.operator
        )
        return str(answer.data["member"]["id"])

    async def template(self, *, stock: int, **changed: Any) -> str:
        """A template, published: 20 off from 100."""
        made = await self.draft(stock=stock, **changed)
        await self.ask(PUBLISH, {"couponTemplateId": made}, token=self.operator)
        return made

    async def draft(self, *, stock: int, **changed: Any) -> str:
        """The same, not published yet."""
        given = {
            "name": "满100减20",
            "kind": "THRESHOLD_AMOUNT_OFF",
            "terms": {"thresholdMinor": 10000, "amountMinor": 2000},
            "currencyCode": "CNY",
            "stock": stock,
            "claimOpensAt": OPEN,
            "claimClosesAt": CLOSE,
            "validity": {"daysAfterClaim": 7},
            **changed,
        }
        return await self._made("couponTemplate", **given)

    async def campaign(self, *, budget: str) -> str:
        """A campaign that runs, with a budget in CNY."""
        made = await self._made(
            "campaign",
            name="Sale",
            goal="CONVERSION",
            startsAt=OPEN,
            endsAt=CLOSE,
            budget={"amount": budget, "currencyCode": "CNY"},
        )
        change = mutation("changeCampaignState", "replayed")
        given = {"campaignId": made, "state": "RUNNING", "idempotencyKey": new_key("state")}
        answer = await self.client.ask(change, given, token=self.operator)
        assert answer.done, answer.data
        return made

    async def reward(self, *, price: int, stock: int, template: str | None = None) -> str:
        """A reward of the points mall: goods, or a coupon of a template."""
        kind = "GOODS" if template is None else "COUPON"
        return await self._made(
            "reward", name="Mug", kind=kind, pointsPrice=price, stock=stock, couponTemplateId=template
        )

    def shown(self, coupon: str, *, seconds: float = TOKEN_SECONDS) -> str:
        """What the phone of a coupon's owner shows to a till: a token, good for ten minutes here."""
        named = ref(coupon)
        expires_at = datetime.fromtimestamp(time.time() + seconds, UTC)
        return self.redemption_tokens.sign(named.owner, CouponId(named.id), expires_at)

    def scanned(self, coupon: str, order: str, *, cart: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """What a till without a network keeps of a scan, for a cart of 120.00 unless told otherwise."""
        # No token lives longer than five minutes: one that does was not made yet when it was scanned.
        token = self.shown(coupon, seconds=OFFLINE_TOKEN_SECONDS)
        scanned_at = datetime.fromtimestamp(time.time(), UTC).isoformat()
        return {"token": token, "orderRef": order, "cart": cart or self.cart(), "scannedAt": scanned_at}

    async def trust_tills(self) -> None:
        """Lets the merchant's stores redeem as much as they like without a network."""
        amount = {"amount": "90000000.00", "currencyCode": "CNY"}
        given = {"merchantId": self.merchant, "maxCount": 1_000_000, "maxAmount": amount}
        await self.ask(LIMIT_OFFLINE, given, token=self.operator)

    async def code(self, template: str) -> str:
        """A code of a template, for one use."""
        code = new_key("CODE")
        await self.ask(CODES, {"couponTemplateId": template, "codes": [code]}, token=self.operator)
        return code

    def owner(self, coupon: str) -> str:
        """The id of the member whose coupon it is."""
        return node_id(NodeType.Member, ref(coupon).owner)

    def cart(self, amount: str = "120.00", *, quantity: int = 1) -> Mapping[str, Any]:
        """A cart of one line."""
        return {"currencyCode": "CNY", "lines": [self.line("1", amount, quantity=quantity)]}

    def line(self, number: str, amount: str, *, quantity: int = 1) -> Mapping[str, Any]:
        """A line of a cart."""
        return {
            "id": number,
            "productRef": f"product {number}",
            "merchantId": self.merchant,
            "quantity": quantity,
            "unitPrice": {"amount": amount, "currencyCode": "CNY"},
        }

    async def _made(self, what: str, **given: Any) -> str:
        kind = what[0].upper() + what[1:]
        document = mutation(f"create{kind}", f"{what} {{ id }}")
        answer: Answer = await self.client.ask(
            document, {**given, "idempotencyKey": new_key(what)}, token=self.operator
        )
        assert answer.done, answer.data
        return str(answer.data[what]["id"])
