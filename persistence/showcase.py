"""Things of the programme to begin with: what GraphiQL's tabs and the first lines after a start show."""

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from domain.shared.principal import Scope
from persistence.base import Statement, scope_params, within_scope
from persistence.coupons.tables import coupons, template_stock, templates
from persistence.members.tables import members
from persistence.merchants.tables import stores
from persistence.unit_of_work import Database

_claimable = (
    sa.select(templates.c.id.label("template_id"), templates.c.merchant_id, stores.c.id.label("store_id"))
    .join_from(templates, template_stock, templates.c.id == template_stock.c.template_id)
    .join(stores, stores.c.merchant_id == templates.c.merchant_id)
    .where(
        templates.c.state == "PUBLISHED",
        templates.c.claim_opens_at <= sa.func.now(),
        templates.c.claim_closes_at > sa.func.now(),
        template_stock.c.remaining > 0,
        within_scope(merchant=templates.c.merchant_id),
    )
)
_held = sa.exists().where(
    coupons.c.template_id == templates.c.id,
    coupons.c.member_id == sa.bindparam("member_id", type_=sa.Uuid),
    within_scope(member=coupons.c.member_id),
)
# The merchant of the most generous template, always the same, so that the till of one page load serves the coupon of
# another; of its templates one that the member does not have yet.
_of_merchant = sa.func.max(template_stock.c.total).over(partition_by=templates.c.merchant_id)
EXAMPLE_TEMPLATE = Statement(
    "example_template",
    _claimable.order_by(
        _of_merchant.desc(),
        templates.c.merchant_id,
        _held,
        template_stock.c.total.desc(),
        templates.c.id,
        stores.c.id,
    ).limit(1),
)
EXAMPLE_MEMBER = Statement(
    "example_member",
    sa.select(members.c.member_id, members.c.external_ref)
    .where(within_scope(member=members.c.member_id))
    .order_by(members.c.joined_at, members.c.member_id)
    .limit(1),
)


@dataclass(frozen=True, slots=True)
class Showcase:
    """A member, and what it may claim where; None for each that the programme does not have."""

    member_ref: str | None
    member_id: UUID | None
    template_id: UUID | None
    merchant_id: UUID | None
    store_id: UUID | None


async def find_showcase(database: Database) -> Showcase:
    """Something of each kind, as it stands now."""
    scope = scope_params(Scope.system())
    async with database.read() as connection:
        member = await EXAMPLE_MEMBER.row(connection, scope)
        template = await EXAMPLE_TEMPLATE.row(
            connection, {"member_id": None if member is None else member["member_id"], **scope}
        )
    return Showcase(
        member_ref=None if member is None else member["external_ref"],
        member_id=None if member is None else member["member_id"],
        template_id=None if template is None else template["template_id"],
        merchant_id=None if template is None else template["merchant_id"],
        store_id=None if template is None else template["store_id"],
    )
