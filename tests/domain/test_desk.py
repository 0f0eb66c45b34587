"""A write that is sent again while it is under way: decided once, and answered as often as it was sent."""

import asyncio
import gc
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from domain.shared.batching import SetFailed
from domain.shared.desk import Desk
from domain.shared.errors import IdempotencyKeyReused, NotFound, OperationInProgress, Refusal, Unavailable
from domain.shared.idempotency import Done, Once, Outcome

pytestmark = pytest.mark.timeout(20)

SOMEBODY = UUID(int=1)


@dataclass(frozen=True, slots=True)
class Command:
    once: Once


def asked(key: str = "mine", *, content: bytes = b"1", caller: UUID = SOMEBODY) -> Command:
    return Command(Once(caller_id=caller, mutation="doIt", key=key, input_hash=content.ljust(32)))


@dataclass(slots=True)
class Counter:
    """Decides with the number of the decision, each when the gate opens; or as it is told to."""

    outcomes: list[Refusal | Exception] = field(default_factory=list)
    decided: list[Command] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def decide(self, lane: str, commands: Sequence[Command]) -> Sequence[Outcome[int]]:
        del lane
        self.decided += commands
        number = len(self.decided)
        outcome = self.outcomes.pop(0) if self.outcomes else None
        await self.gate.wait()
        if isinstance(outcome, Refusal):
            return [outcome for _ in commands]
        if outcome is not None:
            raise outcome
        return [Done(number, replayed=False) for _ in commands]

    def desk(self, *, max_waiting: int = 1000) -> Desk[str, Command, int]:
        """A desk where one of a caller's is decided at a time, as it is for members' points."""
        return Desk(self.decide, max_waiting=max_waiting, apart=lambda command: command.once.caller_id)


async def sent(desk: Desk[str, Command, int], command: Command, *, times: int = 1) -> list[asyncio.Task[Done[int]]]:
    """So often, and each of them has begun to wait."""
    tasks = [asyncio.create_task(desk.answer(command, lane="a")) for _ in range(times)]
    await asyncio.sleep(0.01)
    return tasks


async def test_what_is_sent_a_hundred_times_is_decided_once_and_answered_to_all() -> None:
    counter = Counter()
    tasks = await sent(counter.desk(), asked(), times=100)
    counter.gate.set()
    answers = await asyncio.gather(*tasks)
    assert answers == [Done(1, replayed=False)] + [Done(1, replayed=True)] * 99
    assert len(counter.decided) == 1


async def test_another_key_or_caller_is_another_write() -> None:
    counter = Counter()
    desk = counter.desk()
    tasks = [
        *await sent(desk, asked()),
        *await sent(desk, asked("another")),
        *await sent(desk, asked(caller=UUID(int=2))),
    ]
    counter.gate.set()
    assert [answer.replayed for answer in await asyncio.gather(*tasks)] == [False] * 3
    assert len(counter.decided) == 3


async def test_who_comes_after_the_answer_asks_the_receipts() -> None:
    counter = Counter()
    desk = counter.desk()
    counter.gate.set()
    await desk.answer(asked(), lane="a")
    await desk.answer(asked(), lane="a")
    assert len(counter.decided) == 2


async def test_the_same_key_with_another_input_is_refused() -> None:
    counter = Counter()
    desk = counter.desk()
    (first,) = await sent(desk, asked())
    (other,) = await sent(desk, asked(content=b"2"))
    counter.gate.set()
    assert (await first).result == 1
    with pytest.raises(IdempotencyKeyReused):
        await other


async def test_a_refusal_may_be_older_than_who_sends_it_again_and_is_decided_once_more_for_all() -> None:
    counter = Counter(outcomes=[NotFound(noun="Thing"), NotFound(noun="Thing")])
    first, *others = await sent(counter.desk(), asked(), times=100)
    counter.gate.set()
    outcomes = await asyncio.gather(first, *others, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [NotFound] * 100
    assert len({id(outcome) for outcome in outcomes}) == 100
    assert len(counter.decided) == 2


async def test_what_was_refused_and_can_be_done_now_is_done_for_who_sent_it_again() -> None:
    counter = Counter(outcomes=[NotFound("Thing")])
    first, *others = await sent(counter.desk(), asked(), times=3)
    counter.gate.set()
    with pytest.raises(NotFound):
        await first
    assert list(await asyncio.gather(*others)) == [Done(2, replayed=False), Done(2, replayed=True)]


async def test_the_refusal_of_another_input_is_not_ones_own() -> None:
    counter = Counter(outcomes=[NotFound(noun="Thing"), NotFound(noun="Thing")])
    desk = counter.desk()
    (first,) = await sent(desk, asked())
    (again,) = await sent(desk, asked())
    (other,) = await sent(desk, asked(content=b"2"))
    counter.gate.set()
    outcomes = await asyncio.gather(first, again, other, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [NotFound, NotFound, Done]
    assert [command.once.input_hash[:1] for command in counter.decided] == [b"1", b"1", b"2"]


async def test_when_the_first_leaves_another_takes_its_place() -> None:
    counter = Counter()
    desk = counter.desk()
    (busy,) = await sent(desk, asked("busy"))  # its set is being decided: the others wait
    first, second, third = await sent(desk, asked(), times=3)
    first.cancel()
    await asyncio.wait([first])
    counter.gate.set()
    assert (await busy).result == 1
    assert list(await asyncio.gather(second, third)) == [Done(2, replayed=False), Done(2, replayed=True)]


async def test_who_leaves_takes_nothing_of_the_others_along() -> None:
    counter = Counter()
    first, second, third = await sent(counter.desk(), asked(), times=3)
    second.cancel()
    await asyncio.wait([second])
    counter.gate.set()
    assert list(await asyncio.gather(first, third)) == [Done(1, replayed=False), Done(1, replayed=True)]


async def test_a_lost_database_is_told_to_all_after_two_attempts() -> None:
    counter = Counter(outcomes=[ConnectionResetError(), ConnectionResetError()])
    tasks = await sent(counter.desk(), asked(), times=50)
    counter.gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [SetFailed] * 50
    assert {type(one.__cause__) for one in outcomes if isinstance(one, SetFailed)} == {ConnectionResetError}
    assert len(counter.decided) == 2


async def test_of_what_failed_nothing_is_kept_once_all_were_told() -> None:
    counter = Counter(outcomes=[NotFound(noun="Thing"), NotFound(noun="Thing")])
    counter.gate.set()
    gc.disable()
    try:
        outcomes = await asyncio.gather(*await sent(counter.desk(), asked(), times=3), return_exceptions=True)
        failures = [weakref.ref(outcome) for outcome in outcomes]
        del outcomes
        await asyncio.sleep(0)
        assert [failure() for failure in failures] == [None] * 3
    finally:
        gc.enable()


async def test_no_more_wait_for_one_than_may_and_who_has_left_does_not_count() -> None:
    counter = Counter()
    desk = counter.desk(max_waiting=3)
    first, *others = await sent(desk, asked(), times=4)
    with pytest.raises(Unavailable):
        await desk.answer(asked(), lane="a")
    others[0].cancel()
    await asyncio.wait(others[:1])
    (another,) = await sent(desk, asked())
    counter.gate.set()
    answers = await asyncio.gather(first, *others[1:], another)
    assert [answer.replayed for answer in answers] == [False, True, True, True]


async def test_who_waits_too_long_is_told_that_it_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.shared.repeats.PATIENCE_SECONDS", 0.05)
    counter = Counter()
    desk = counter.desk()
    first, second = await sent(desk, asked(), times=2)
    with pytest.raises(OperationInProgress):
        await second
    counter.gate.set()
    assert (await first).result == 1
    assert (await desk.answer(asked(), lane="a")).replayed is False, "nothing is left of those who have gone"
