"""Plans that are kept, by the digest of their document: so many, and of so much text, written by clients and here."""

import hashlib
from collections import OrderedDict
from typing import Final, TypeAlias

from execution.plan import Plan

MOST_PLANS: Final = 1000
# A plan takes up to some 150 bytes for each character of its document, parsed, and 7 for each of its generated code,
# of which a short document may need a thousand times its own length: this bounds all of that.
MOST_TEXT: Final = 2 * 1024 * 1024
_GENERATED_AS_ONE: Final = 20  # characters of generated code count as one of a document

Key: TypeAlias = tuple[bytes, str | None]


class KeptPlans:
    """The plans that were used last. One that is longer than all that may be kept is not kept.

    The key is the SHA-256 of the document, with the name of the operation; of the text itself there is the one copy
    that its plan has anyway, for the places of errors. Digesting 500 bytes takes longer than to look a text up, so a
    text that is the same as a plan's is recognised by Python's hash of it first, and compared.
    """

    def __init__(self, *, most: int, most_text: int) -> None:
        self._most = most
        self._most_text = most_text
        self._text = 0
        self._plans: OrderedDict[Key, Plan] = OrderedDict()
        self._texts: dict[Key, int] = {}
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
        text = _text_of(plan)
        if text > self._most_text:
            return 0
        key = _key(plan.source, plan.operation_name)
        self._plans[key] = plan
        self._near[hash((plan.source, plan.operation_name))] = (key, plan)
        self._texts[key] = text
        self._text += text
        return self._make_room()

    def weigh_again(self, plan: Plan) -> int:
        """Takes note of a plan that has grown since it was kept; how many plans had to go for it."""
        key = _key(plan.source, plan.operation_name)
        if self._plans.get(key) is not plan:
            return 0
        text = _text_of(plan)
        if text > self._most_text:
            self._forget(key, self._plans.pop(key))
            return 1
        self._text += text - self._texts[key]
        self._texts[key] = text
        return self._make_room()

    def _make_room(self) -> int:
        gone = 0
        while len(self._plans) > self._most or self._text > self._most_text:
            self._forget(*self._plans.popitem(last=False))
            gone += 1
        return gone

    def _forget(self, key: Key, plan: Plan) -> None:
        self._text -= self._texts.pop(key)
        near = hash((plan.source, plan.operation_name))
        if self._near.get(near, (None, None))[1] is plan:  # two texts may have the same hash
            del self._near[near]


def _text_of(plan: Plan) -> int:
    generated = 0 if plan.compiled is None else plan.compiled.generated
    return len(plan.source) + generated // _GENERATED_AS_ONE


def _key(document: str, operation_name: str | None) -> Key:
    return hashlib.sha256(document.encode("utf-8", "surrogatepass")).digest(), operation_name
