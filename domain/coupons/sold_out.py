"""Templates that this process has seen without stock: their claims are refused without waiting for a lock."""

import time
from collections.abc import Callable
from typing import Final

from domain.coupons.model import LockedTemplate
from domain.shared.ids import TemplateId

REMEMBERED_SECONDS: Final = 1.0
MOST_TEMPLATES: Final = 1000


class SoldOutTemplates:
    """What a set of claims need not lock again, since the one before found nothing left under the lock.

    A flash sale that is over is asked for thousands of times more, by all processes at once, each waiting for the same
    row. A template that is remembered is refused without that lock. Its stock is not believed: the statement that reads
    receipts and limits also tells what is left, so that whoever claims after stock was added is never refused from
    here. What is believed for `REMEMBERED_SECONDS` is the rest: the terms, which never change, and where the campaign
    stands.
    """

    def __init__(self, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._until: dict[TemplateId, tuple[float, LockedTemplate]] = {}

    def started(self) -> float:
        """When a set began: what it finds under its lock is no older than that, and is remembered from then."""
        return self._seconds()

    def remember(self, locked: LockedTemplate, *, since: float) -> None:
        """A template was found without stock under its lock, by a set that began then."""
        assert locked.stock.remaining <= 0, "what is left is never remembered"
        self._until.pop(locked.template.id, None)
        while len(self._until) >= MOST_TEMPLATES:
            self._until.pop(next(iter(self._until)))
        self._until[locked.template.id] = (since + REMEMBERED_SECONDS, locked)

    def find(self, template_id: TemplateId) -> LockedTemplate | None:
        """The template as it was when it was last found sold out, if that is not too long ago."""
        found = self._until.get(template_id)
        if found is None:
            return None
        until, locked = found
        if self._seconds() >= until:
            del self._until[template_id]
            return None
        return locked

    def forget(self, template_id: TemplateId) -> None:
        """There is stock again."""
        self._until.pop(template_id, None)
