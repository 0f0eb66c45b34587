"""What GraphiQL's tabs begin with: things of the programme, and development tokens made at every load of the page."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from app.auth import IssuingRefused, TokenClaims, TokenIssuer
from app.graphiql.page import Tab
from app.graphiql.tabs import Examples, Tokens, prepared_tabs
from app.keys import token_issuer
from app.settings import Settings
from app.wiring import Core
from domain.shared.ids import MerchantId, StoreId
from domain.shared.principal import MerchantRole
from persistence.identity import TimeOrderedIds
from persistence.showcase import Showcase, find_showcase
from persistence.unit_of_work import Database
from schema.node_ids import NodeType, node_id

UNKNOWN_MEMBER_REF = "demo-member"
NOBODY = UUID(int=0)
TO_BE_MADE = "make one first: see the Operator tab"


@dataclass(frozen=True, slots=True)
class Starter:
    """What a newcomer begins with."""

    tokens: Tokens
    examples: Examples


async def find_starter(database: Database, *, settings: Settings) -> Starter:
    """Tokens and examples as they stand now; raises IssuingRefused where no development tokens are made."""
    issuer = token_issuer(settings)
    found = await find_showcase(database)
    return Starter(
        tokens=_tokens(issuer, found),
        examples=Examples(
            member_id=_public(NodeType.Member, found.member_id),
            merchant_id=_public(NodeType.Merchant, found.merchant_id),
            store_id=_public(NodeType.Store, found.store_id),
            coupon_template_id=_public(NodeType.CouponTemplate, found.template_id),
            currency_code=settings.programme_currency,
        ),
    )


def development_tabs(core: Core) -> Callable[[], Awaitable[Sequence[Tab]]]:
    """The tabs of this programme, asked for at every load of the page; none where tokens come from elsewhere."""

    async def tabs() -> Sequence[Tab]:
        try:
            starter = await find_starter(core.database, settings=core.settings)
        except IssuingRefused:
            return ()
        return prepared_tabs(
            tokens=starter.tokens,
            examples=starter.examples,
            new_key=lambda: TimeOrderedIds().new().hex,
            now=datetime.fromtimestamp(time.time(), UTC),
        )

    return tabs


def _tokens(issuer: TokenIssuer, found: Showcase) -> Tokens:
    merchant = MerchantId(found.merchant_id or NOBODY)
    stores = [] if found.store_id is None else [StoreId(found.store_id)]
    return Tokens(
        member=issuer.issue(TokenClaims.of_member(found.member_ref or UNKNOWN_MEMBER_REF)),
        till=issuer.issue(TokenClaims.of_merchant(merchant, store_ids=stores, role=MerchantRole.TILL)),
        merchant=issuer.issue(TokenClaims.of_merchant(merchant, role=MerchantRole.OWNER)),
        operator=issuer.issue(TokenClaims.of_operator()),
        service=issuer.issue(TokenClaims.of_service()),
    )


def _public(node_type: NodeType, key: UUID | None) -> str:
    return TO_BE_MADE if key is None else node_id(node_type, key)
