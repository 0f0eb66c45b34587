"""What is pushed: each event after the commit that caused it, in order, numbered without a gap per stream."""

from datetime import datetime

import strawberry

from domain.coupons.model import WalletChange
from domain.shared.events import MissedEvents, StoredEvent
from schema.coupon_templates import CouponTemplate
from schema.coupons import Coupon
from schema.orders import Redemption
from schema.points import PointsTransaction
from schema.scalars import SafeInt


@strawberry.interface(description="Something that is pushed. A client drops a sequence that it has seen.")
class PushEvent:
    sequence: SafeInt = strawberry.field(description="Its number in its stream, without a gap.")
    occurred_at: datetime = strawberry.field(description="When it was committed.")
    snapshot_required: bool = strawberry.field(
        description="True: events were missed that cannot be replayed; read the whole again."
    )


@strawberry.type(description="A change of the viewer's wallet.")
class WalletEvent(PushEvent):
    change: WalletChange | None = strawberry.field(description="What happened; null with snapshotRequired.")
    coupon: Coupon | None = strawberry.field(description="The coupon as it stands now.")

    @staticmethod
    def of(event: StoredEvent, *, coupon: Coupon | None) -> "WalletEvent":
        """An event of the stream."""
        return WalletEvent(
            sequence=SafeInt(event.sequence),
            occurred_at=event.occurred_at,
            snapshot_required=False,
            change=WalletChange(event.kind),
            coupon=coupon,
        )

    @staticmethod
    def missed(missed: MissedEvents) -> "WalletEvent":
        """Events that are not replayed."""
        return WalletEvent(
            sequence=SafeInt(missed.sequence),
            occurred_at=missed.occurred_at,
            snapshot_required=True,
            change=None,
            coupon=None,
        )


@strawberry.type(description="A movement of the viewer's points.")
class PointsEvent(PushEvent):
    transaction: PointsTransaction | None = strawberry.field(description="The movement; null with snapshotRequired.")
    available: SafeInt = strawberry.field(description="What may be spent after it.")

    @staticmethod
    def of(event: StoredEvent, *, transaction: PointsTransaction | None, available: int) -> "PointsEvent":
        """An event of the stream."""
        return PointsEvent(
            sequence=SafeInt(event.sequence),
            occurred_at=event.occurred_at,
            snapshot_required=False,
            transaction=transaction,
            available=SafeInt(available),
        )

    @staticmethod
    def missed(missed: MissedEvents, *, available: int) -> "PointsEvent":
        """Movements that are not replayed, and what may be spent now."""
        return PointsEvent(
            sequence=SafeInt(missed.sequence),
            occurred_at=missed.occurred_at,
            snapshot_required=True,
            transaction=None,
            available=SafeInt(available),
        )


@strawberry.type(description="What is left of a template's stock; of changes in a row the newest alone is told.")
class StockEvent:
    coupon_template: CouponTemplate = strawberry.field(description="Whose stock.")
    remaining: SafeInt = strawberry.field(description="How many are left.")
    occurred_at: datetime = strawberry.field(description="When it was so, by the database's clock.")


@strawberry.type(description="A redemption of a merchant: made, refunded in part, or reversed.")
class RedemptionEvent(PushEvent):
    redemption: Redemption | None = strawberry.field(description="As it stands now; null with snapshotRequired.")

    @staticmethod
    def of(event: StoredEvent, *, redemption: Redemption | None) -> "RedemptionEvent":
        """An event of the stream."""
        return RedemptionEvent(
            sequence=SafeInt(event.sequence),
            occurred_at=event.occurred_at,
            snapshot_required=False,
            redemption=redemption,
        )

    @staticmethod
    def missed(missed: MissedEvents) -> "RedemptionEvent":
        """Redemptions that are not replayed."""
        return RedemptionEvent(
            sequence=SafeInt(missed.sequence), occurred_at=missed.occurred_at, snapshot_required=True, redemption=None
        )
