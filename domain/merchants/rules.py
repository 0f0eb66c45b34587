"""Who manages what is a merchant's."""

from domain.shared.ids import MerchantId
from domain.shared.principal import Scope


def manages(scope: Scope, merchant_id: MerchantId | None) -> bool:
    """Whether a caller of this scope manages what belongs to the merchant; None is the platform's own."""
    return scope.everything or (merchant_id is not None and merchant_id in scope.merchant_ids)
