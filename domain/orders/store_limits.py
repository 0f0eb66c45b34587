"""How many coupons of a template may be used in one store: what was used, less what came back, and what is held."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from domain.coupons.eligibility import Eligibility
from domain.coupons.wallet import HeldCoupon
from domain.orders.errors import NotEligible
from domain.orders.room import within_store_limit
from domain.shared.ids import StoreId, TemplateId


class StoreUses(Protocol):
    """Uses of coupons by store, of all members."""

    async def lock_and_count(self, template_id: TemplateId, *, store_id: StoreId) -> int:
        """Live redemptions and reservations of the template in the store; nobody else counts before this ends."""
        ...


class HasStoreUses(Protocol):
    """A transaction that can count uses by store."""

    @property
    def store_uses(self) -> StoreUses:
        """The uses."""
        ...


async def require_room_in_store(
    tx: HasStoreUses, coupons: Sequence[HeldCoupon], *, store_id: StoreId | None, currency: str
) -> None:
    """Refuse coupons of which the store has used as many as it may. What is bought in no store is not limited so.

    The lock is one of limits: after coupons, before budgets, by template.

    Refusals: NotEligible.
    """
    if store_id is None:
        return
    limits = {one.template.id: limit for one in coupons if (limit := one.template.limit_per_store) is not None}
    asked = Counter(one.template.id for one in coupons)
    for template_id in sorted(limits, key=str):
        limit = limits[template_id]
        uses = await tx.store_uses.lock_and_count(template_id, store_id=store_id)
        found = within_store_limit(uses + asked[template_id], limit=limit)
        if not found.passed:
            raise NotEligible(Eligibility(eligible=False, because=found), currency)
