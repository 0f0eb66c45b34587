"""A write that must happen once, however often it is sent: the same caller, mutation, key and input, the first answer.

The receipt commits in the transaction of its effect. It is looked for first, inserted last under its unique key, and
looked for again when a decision was refused: the first sender may have committed while this one waited for its locks.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from domain.shared.errors import BadUserInput, IdempotencyKeyReused, OperationInProgress, Refusal
from domain.shared.events import JSON
from domain.shared.references import is_reference

MAX_KEY_LENGTH = 64
# So long a write waits for another one under the same key; PostgreSQL would let it wait for longer.
PATIENCE_SECONDS: Final = 3.0
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str).encode


@dataclass(frozen=True, slots=True)
class Once:
    """Names one write: who asked, for which mutation, under which key, with which input (its SHA-256).

    `former_hash` makes the hash under which earlier versions kept the same input; asked for where the first is another.
    `repeats` knows the writes that are under way in this process; without it each is decided by itself.
    """

    caller_id: UUID
    mutation: str
    key: str
    input_hash: bytes
    former_hash: Callable[[], bytes] | None = field(default=None, compare=False, repr=False)
    repeats: "Repeats | None" = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuses a key that is empty, too long or not printable."""
        if not is_reference(self.key, most=MAX_KEY_LENGTH):
            raise BadUserInput(
                f"idempotencyKey must have 1 to {MAX_KEY_LENGTH} printable characters", path=["input", "idempotencyKey"]
            )

    @property
    def place(self) -> tuple[UUID, str, str]:
        """Under what the receipt is kept: caller, mutation, key."""
        return self.caller_id, self.mutation, self.key

    def has_input(self, kept: bytes) -> bool:
        """Whether a write that was kept with this hash had the same input."""
        return kept == self.input_hash or (self.former_hash is not None and kept == self.former_hash())

    def require_input(self, kept: bytes) -> None:
        """Refuse a write that was kept under the key with another input.

        Refusals: IdempotencyKeyReused.
        """
        if not self.has_input(kept):
            raise IdempotencyKeyReused(self.key)


class Repeats(Protocol):
    """The writes that are under way in this process."""

    async def answer(self, once: Once, decide: "Callable[[], Awaitable[Done[Result]]]") -> "Done[Result]":
        """What `decide` answers, or has answered to another of the same key."""
        ...


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is kept of a committed write: enough to give the first answer again."""

    mutation: str
    key: str
    input_hash: bytes
    result: Mapping[str, JSON]
    committed_at: datetime


class ReceiptExists(Exception):
    """Another transaction recorded the same key while this one was under way."""


class ReceiptUnderWay(Exception):
    """Another transaction has recorded a key of a set, and did not end while this one waited for it."""


class _AnsweredMeanwhile(Exception):
    """The first sender has committed while this one waited for its locks: what this one wrote must go."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__(receipt.key)
        self.receipt = receipt


class Receipts(Protocol):
    """Where receipts are kept."""

    async def take(self, once: Once) -> Receipt | None:
        """The receipt; or None, and until this transaction ends no other one takes the key.

        Waits for another that has it, `PATIENCE_SECONDS` at most: then raises `OperationInProgress`.
        """
        ...

    async def find(self, once: Once) -> Receipt | None:
        """The receipt under this caller, mutation and key, whatever its input."""
        ...

    async def find_all(self, onces: Sequence[Once]) -> Mapping[tuple[UUID, str, str], Receipt]:
        """The receipts of a set of writes of one mutation, by `Once.place`."""
        ...

    async def record(self, once: Once, *, result: Mapping[str, JSON]) -> None:
        """Stores the receipt; raises `ReceiptExists` when the key is taken.

        Raises `OperationInProgress` when another transaction has stored it, and does not end.
        """
        ...

    async def record_all(self, results: Sequence[tuple[Once, Mapping[str, JSON]]]) -> None:
        """Stores the receipts of a set of writes of one mutation; raises `ReceiptExists` when a key is taken.

        Raises `ReceiptUnderWay` when another transaction has stored one of them, and does not end.
        """
        ...


class ReceiptReads(Protocol):
    """Receipts, read by their own caller."""

    async def latest_of_key(self, *, caller_id: UUID, key: str) -> Receipt | None:
        """The newest receipt under this caller's key, whatever its mutation."""
        ...


class HasReceipts(Protocol):
    """A transaction that can record what was done in it."""

    @property
    def receipts(self) -> Receipts:
        """The receipts of this transaction."""
        ...


Result = TypeVar("Result")
Tx = TypeVar("Tx", bound=HasReceipts)


@dataclass(frozen=True, slots=True)
class Done(Generic[Result]):
    """The result of a write, and whether it is the first answer given again."""

    result: Result
    replayed: bool


async def do_once(
    once: Once,
    *,
    begin: Callable[[], AbstractAsyncContextManager[Tx]],
    decide: Callable[[Tx], Awaitable[Result]],
    result_type: type[Result],
) -> Done[Result]:
    """Runs `decide` in one transaction and records its result, or gives the first result again.

    Refusals: IdempotencyKeyReused, OperationInProgress, and whatever `decide` refuses.
    """

    async def attempt(alone: Once) -> Done[Result]:
        return await _do_once(alone, begin=begin, decide=decide, result_type=result_type)

    return await answer_together(once, attempt)


async def answer_together(once: Once, use_case: Callable[[Once], Awaitable[Done[Result]]]) -> Done[Result]:
    """What a use-case answers to all who send this write while it is under way in this process.

    It goes around whatever is tried again, cleared away or said in other words before a write is answered: whoever
    follows is given the outcome, and does nothing of that. `use_case` is given the write as one that nobody follows.

    Refusals: IdempotencyKeyReused, OperationInProgress, and whatever `use_case` refuses.
    """
    if once.repeats is None:
        return await use_case(once)
    alone = replace(once, repeats=None)
    return await once.repeats.answer(once, lambda: use_case(alone))


async def _do_once(
    once: Once,
    *,
    begin: Callable[[], AbstractAsyncContextManager[Tx]],
    decide: Callable[[Tx], Awaitable[Result]],
    result_type: type[Result],
) -> Done[Result]:
    try:
        async with begin() as tx:
            earlier = await tx.receipts.take(once)
            if earlier is not None:
                return replay(earlier, once=once, result_type=result_type)
            try:
                result = await decide(tx)
            # What one may not name twice, such as a reference of one's own, is refused as input.
            except (Refusal, BadUserInput) as refused:
                earlier = await tx.receipts.find(once)
                if earlier is None:
                    raise
                # Never by returning from here: a decision may refuse after it has written, and that would be committed.
                raise _AnsweredMeanwhile(earlier) from refused
            await tx.receipts.record(once, result=encode(result))
            return Done(result, replayed=False)
    except _AnsweredMeanwhile as answered:
        return replay(answered.receipt, once=once, result_type=result_type)
    except ReceiptExists:
        async with begin() as tx:
            earlier = await tx.receipts.find(once)
            assert earlier is not None, "a receipt that stopped us is there to be read"
            return replay(earlier, once=once, result_type=result_type)


def replay(receipt: Receipt, *, once: Once, result_type: type[Result]) -> Done[Result]:
    """The first answer again.

    Refusals: IdempotencyKeyReused.
    """
    once.require_input(receipt.input_hash)
    return Done(decode(result_type, receipt.result), replayed=True)


class HasOnce(Protocol):
    """A command that happens once."""

    @property
    def once(self) -> Once:
        """Its key and input."""
        ...


Command = TypeVar("Command", bound=HasOnce)
Outcome: TypeAlias = Done[Result] | Refusal


async def decide_in_set(
    asked: Sequence[Command], decide: Callable[[Sequence[Command]], Awaitable[Sequence[Outcome[Result]]]]
) -> Sequence[Outcome[Result]]:
    """The outcomes of commands that `decide` decides, and records, in one transaction.

    Where a key of the set was recorded elsewhere at the same moment nothing of the set is: its receipt is there to be
    read now. Whoever goes on meeting such keys has its commands decided one by one, and so has whoever meets one that
    is under way elsewhere for too long: that one is refused as OperationInProgress, and the others are decided.
    """
    for _ in range(2):
        try:
            return await decide(asked)
        except ReceiptExists:
            continue
        except ReceiptUnderWay:
            if len(asked) == 1:
                return [OperationInProgress(asked[0].once.key)]
            break
    return [await _decide_alone(command, decide) for command in asked]


async def _decide_alone(
    command: Command, decide: Callable[[Sequence[Command]], Awaitable[Sequence[Outcome[Result]]]]
) -> Outcome[Result]:
    try:
        try:
            return (await decide([command]))[0]
        except ReceiptExists:
            return (await decide([command]))[0]
    except ReceiptUnderWay:
        return OperationInProgress(command.once.key)


def replay_in_set(receipt: Receipt, *, once: Once, result_type: type[Result]) -> Outcome[Result]:
    """The first answer again, or that the key was used with another input: the outcome of one among others."""
    try:
        return replay(receipt, once=once, result_type=result_type)
    except Refusal as reused:
        return reused


def raise_refusal(outcome: Outcome[Result]) -> Done[Result]:
    """What was done; a refusal is raised."""
    if isinstance(outcome, Refusal):
        try:
            raise outcome
        finally:
            # Its traceback holds this frame, which would hold it until a collector comes by.
            del outcome
    return outcome


def input_hash(normalised: Mapping[str, JSON]) -> bytes:
    """SHA-256 of an input in canonical form: keys sorted, no spaces, the key itself left out by the caller."""
    return hashlib.sha256(_canonical(normalised).encode()).digest()


def encode(value: object) -> dict[str, JSON]:
    """A result dataclass as JSON facts."""
    return {name: _plain(getattr(value, name)) for name in _names(type(value))}  # type: ignore[arg-type]


def decode(kind: type[Result], facts: Mapping[str, JSON]) -> Result:
    """A result dataclass from its JSON facts."""
    hints = _hints(kind)  # type: ignore[arg-type]
    return kind(**{name: _typed(hints[name], value) for name, value in facts.items() if name in hints})


# Read once of each class: a set of claims encodes a thousand results.
@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind))


@cache
def _hints(kind: type[Any]) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _plain(value: object) -> JSON:
    match value:
        case UUID():
            return str(value)
        case datetime() | date():
            return value.isoformat()
        case Enum():
            return _plain(value.value)
        case tuple() | list() | frozenset():
            return [_plain(v) for v in value]
        case Mapping():
            return {str(k): _plain(v) for k, v in value.items()}
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise TypeError(f"a result may not hold a {type(value).__name__}")


def _typed(hint: Any, value: JSON) -> Any:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        inner = [a for a in get_args(hint) if a is not type(None)]
        return None if value is None else _typed(inner[0], value)
    if origin is tuple:
        assert isinstance(value, list)
        return tuple(_typed(get_args(hint)[0], v) for v in value)
    base = getattr(hint, "__supertype__", hint)
    if base is UUID:
        return UUID(str(value))
    if base in (datetime, date):
        return base.fromisoformat(str(value))
    if isinstance(base, type) and issubclass(base, Enum):
        return base(value)
    return value
