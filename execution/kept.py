"""Plans that are kept, by the digest of their document: so many, and of so much text."""

import hashlib
from collections import OrderedDict
from typing import Final, TypeAlias

from execution.plan import Plan

MOST_PLANS: Final = 1000
# A plan takes up to some 150 times its text, nearly all of it the parsed document: this bounds all of that.
MOST_TEXT: Final = 2 * 1024 * 1024

Key: TypeAlias = tuple[bytes, str | None]


class KeptPlans:
    """The plans that were used last. A document that is longer than all that may be kept is not kept.

    The key is the SHA-256 of the document, with the name of the operation; of the text itself there is the one copy
    that its plan has anyway, for the places of errors. Digesting 500 bytes takes longer than to look a text up, so a
    text that is the same as a plan's is recognised by Python's hash of it first, and compared.
    """

    def __init__(self, *, most: int, most_text: int) -> None:
        self._most = most
        self._most_text = most_text
        self._text = 0
        self._plans: OrderedDict[Key, Plan] = OrderedDict()
        self._near: dict[int, tuple[Key, Plan]] = {}

    def find(self, document: str, operation_name: str | None) -> Plan | None:
        """The plan of this operation, which is from now on the last one used."""
        near = self._near.get(hash((document, operation_name)))
        if near is not None:
            key, plan = near
            if plan.source == document and plan.operation_name == operation_name:
                self._plans.move_to_end(key)
                return plan
        key = _key(document, operation_name)
        found = self._plans.get(key)
        if found is not None:
            self._plans.move_to_end(key)
        return found

    def keep(self, plan: Plan) -> int:
        """Keeps a plan that was not found; how many others had to go for it."""
        if len(plan.source) > self._most_text:
            return 0
        key = _key(plan.source, plan.operation_name)
        self._plans[key] = plan
        self._near[hash((plan.source, plan.operation_name))] = (key, plan)
        self._text += len(plan.source)
        gone = 0
        while len(self._plans) > self._most or self._text > self._most_text:
            self._forget_the_oldest()
            gone += 1
        return gone

    def _forget_the_oldest(self) -> None:
        _, plan = self._plans.popitem(last=False)
        self._text -= len(plan.source)
        near = hash((plan.source, plan.operation_name))
        if self._near.get(near, (None, None))[1] is plan:  # two texts may have the same hash
            del self._near[near]


def _key(document: str, operation_name: str | None) -> Key:
    return hashlib.sha256(document.encode("utf-8", "surrogatepass")).digest(), operation_name
