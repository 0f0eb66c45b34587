import asyncio
import contextvars
from collections.abc import Sequence

import pytest

from domain.shared.batching import SetFailed, Sets
from domain.shared.errors import Unavailable

# A lost wake-up, or a lane that died, is a waiter that waits for ever.
pytestmark = pytest.mark.timeout(20)


class Desk:
    """Answers n with 10·n, remembers its sets, and fails or stops when told to."""

    def __init__(self) -> None:
        self.sets: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: BaseException | None = None

    async def decide(self, lane: str, commands: Sequence[int]) -> list[int]:
        self.sets.append(list(commands))
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return [10 * n for n in commands]


async def test_what_arrives_while_a_set_is_decided_is_the_next_set() -> None:
    desk = Desk()
    sets = Sets(desk.decide)
    desk.gate.clear()
    first = asyncio.create_task(sets.submit(1, lane="a"))
    await asyncio.sleep(0.01)
    rest = [asyncio.create_task(sets.submit(n, lane="a")) for n in range(2, 6)]
    await asyncio.sleep(0.01)
    desk.gate.set()
    assert await asyncio.gather(first, *rest) == [10, 20, 30, 40, 50]
    assert desk.sets == [[1], [2, 3, 4, 5]]


async def test_what_arrives_in_one_turn_of_the_loop_shares_a_set() -> None:
    desk = Desk()
    sets = Sets(desk.decide)
    assert await asyncio.gather(*(sets.submit(n, lane="a") for n in range(50))) == [10 * n for n in range(50)]
    assert len(desk.sets) == 1


async def test_a_set_holds_no_more_than_its_maximum() -> None:
    desk = Desk()
    sets = Sets(desk.decide, max_set=3)
    await asyncio.gather(*(sets.submit(n, lane="a") for n in range(7)))
    assert [len(s) for s in desk.sets] == [3, 3, 1]


@pytest.mark.parametrize("clients", [1, 2, 3, 16, 100])
async def test_no_wake_up_is_lost_however_many_clients_take_turns(clients: int) -> None:
    # The bug hung at 100 clients and not at 1,000: the queue ran empty between two sets.
    desk = Desk()

    async def decide(lane: str, commands: Sequence[int]) -> list[int]:
        await asyncio.sleep(0)
        return await desk.decide(lane, commands)

    sets = Sets(decide)

    async def client() -> None:
        for n in range(200):
            assert await sets.submit(n, lane="a") == 10 * n
            if n % 3 == 0:
                await asyncio.sleep(0)

    await asyncio.wait_for(asyncio.gather(*(client() for _ in range(clients))), 30)
    assert sets.waiting == 0


async def test_a_command_submitted_by_the_answer_of_the_last_one_is_not_lost() -> None:
    desk = Desk()
    sets = Sets(desk.decide)
    for _ in range(100):
        answered = await sets.submit(1, lane="a")
        # Whoever is answered may ask again before the lane's worker has run to its end.
        assert await asyncio.wait_for(sets.submit(answered, lane="a"), 5) == 100


async def test_every_waiter_of_repeated_commands_is_answered() -> None:
    desk = Desk()
    sets = Sets(desk.decide)
    assert await asyncio.gather(*(sets.submit(7, lane="a") for _ in range(100))) == [70] * 100


async def test_a_failed_set_fails_each_waiter_once_and_leaves_the_lane_alive() -> None:
    desk = Desk()
    sets = Sets(desk.decide)
    desk.error = ValueError("no database")
    failed = await asyncio.gather(*(sets.submit(n, lane="a") for n in range(5)), return_exceptions=True)
    assert all(isinstance(e, SetFailed) and e.__cause__ is desk.error for e in failed)
    assert len({id(e) for e in failed}) == 5
    desk.error = None
    assert await sets.submit(3, lane="a") == 30


async def test_an_error_for_the_caller_reaches_each_waiter_as_it_is() -> None:
    desk = Desk()
    sets = Sets(desk.decide)
    desk.error = Unavailable("later", retry_after_seconds=7)
    failed = await asyncio.gather(*[sets.submit(n, lane="a") for n in range(3)], return_exceptions=True)
    assert sorted(e.retry_after_seconds for e in failed if isinstance(e, Unavailable)) == [7, 7, 7]


async def test_a_set_with_too_few_outcomes_fails_every_waiter() -> None:
    async def decide(lane: str, commands: Sequence[int]) -> list[int]:
        return list(commands[1:])

    sets = Sets(decide)
    failed = await asyncio.gather(*(sets.submit(n, lane="a") for n in range(3)), return_exceptions=True)
    assert all(isinstance(e, SetFailed) for e in failed)


async def test_a_cancelled_waiter_leaves_the_others_answered() -> None:
    desk = Desk()
    sets = Sets(desk.decide)
    desk.gate.clear()
    tasks = [asyncio.create_task(sets.submit(n, lane="a")) for n in range(3)]
    await asyncio.sleep(0.01)
    tasks[1].cancel()
    late = asyncio.create_task(sets.submit(8, lane="a"))
    gone = asyncio.create_task(sets.submit(9, lane="a"))
    await asyncio.sleep(0.01)
    gone.cancel()
    await asyncio.sleep(0)
    desk.gate.set()
    assert await asyncio.gather(*[tasks[0], tasks[2], late]) == [0, 20, 80]
    assert desk.sets == [[0, 1, 2], [8]], "who left before its set began is not decided"


async def test_a_full_lane_turns_new_commands_away_and_other_lanes_go_on() -> None:
    desk = Desk()
    sets = Sets(desk.decide, max_waiting=2)
    desk.gate.clear()
    deciding = asyncio.create_task(sets.submit(1, lane="a"))
    await asyncio.sleep(0.01)
    waiting = [asyncio.create_task(sets.submit(n, lane="a")) for n in (2, 3)]
    await asyncio.sleep(0.01)
    with pytest.raises(Unavailable):
        await sets.submit(4, lane="a")
    other = asyncio.create_task(sets.submit(5, lane="b"))
    await asyncio.sleep(0.01)
    desk.gate.set()
    assert await asyncio.gather(deciding, *waiting, other) == [10, 20, 30, 50]


async def test_a_cancelled_worker_answers_everyone_who_waits() -> None:
    desk = Desk()
    sets = Sets(desk.decide)
    desk.gate.clear()
    tasks = [asyncio.create_task(sets.submit(n, lane="a")) for n in range(2)]
    await asyncio.sleep(0.01)
    tasks.append(asyncio.create_task(sets.submit(9, lane="a")))
    await asyncio.sleep(0.01)
    worker = sets._lanes["a"].worker
    assert worker is not None
    worker.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(a, Unavailable) for a in answers)
    desk.gate.set()
    assert await sets.submit(1, lane="a") == 10


async def test_a_worker_that_is_cancelled_before_its_first_turn_answers_everyone_and_leaves_the_lane_alive() -> None:
    sets = Sets(Desk().decide)
    waiting = [asyncio.create_task(sets.submit(1, lane="a"))]
    await asyncio.sleep(0)
    worker = sets._lanes["a"].worker
    assert worker is not None
    worker.cancel()
    waiting.append(asyncio.create_task(sets.submit(2, lane="a")))  # who comes while it ends, too
    answers = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert await asyncio.wait_for(sets.submit(3, lane="a"), 5) == 30
    await asyncio.wait_for(sets.drain(), 5)


async def test_who_has_left_does_not_fill_the_lane() -> None:
    desk = Desk()
    sets = Sets(desk.decide, max_waiting=3)
    desk.gate.clear()
    deciding = asyncio.create_task(sets.submit(0, lane="a"))
    await asyncio.sleep(0.01)
    for _ in range(5):
        leaving = [asyncio.create_task(sets.submit(n, lane="a")) for n in range(3)]
        await asyncio.sleep(0)
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
    assert sets.waiting == 0
    staying = [asyncio.create_task(sets.submit(n, lane="a")) for n in range(7, 10)]
    await asyncio.sleep(0.01)
    with pytest.raises(Unavailable):
        await sets.submit(10, lane="a")
    desk.gate.set()
    assert await asyncio.gather(deciding, *staying) == [0, 70, 80, 90]
    assert desk.sets == [[0], [7, 8, 9]]


async def test_there_is_a_bound_over_all_lanes_however_many_are_named() -> None:
    desk = Desk()
    sets = Sets(desk.decide, max_unanswered=20)
    for _ in range(3):  # what is answered, fails, or leaves makes room again
        desk.gate.clear()
        tasks = [asyncio.create_task(sets.submit(n, lane=f"{n}")) for n in range(500)]
        await asyncio.sleep(0.01)
        refused = [task for task in tasks if task.done()]
        assert len(refused) == 480
        assert all(isinstance(task.exception(), Unavailable) for task in refused)
        assert len(sets._lanes) == 20
        gone = next(task for task in tasks if not task.done())
        gone.cancel()
        desk.gate.set()
        answered = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(answer, int) for answer in answered) == 19
        desk.error = None if desk.error else ValueError("no database")
        await asyncio.gather(sets.submit(1, lane="a"), return_exceptions=True)
        desk.error = None
    assert await asyncio.gather(*(sets.submit(n, lane="a") for n in range(20))) == [10 * n for n in range(20)]


async def test_drain_returns_when_everything_is_answered() -> None:
    desk = Desk()
    sets = Sets(desk.decide)
    desk.gate.clear()
    task = asyncio.create_task(sets.submit(1, lane="a"))
    await asyncio.sleep(0.01)
    draining = asyncio.create_task(sets.drain())
    await asyncio.sleep(0.01)
    assert not draining.done()
    desk.gate.set()
    await draining
    assert await task == 10


async def test_a_set_runs_in_the_context_of_no_request() -> None:
    seen: list[str] = []
    request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="nobody's")

    async def decide(lane: str, commands: Sequence[int]) -> list[int]:
        seen.append(request.get())
        return list(commands)

    sets = Sets(decide)
    request.set("mine")
    await sets.submit(1, lane="a")
    assert seen == ["nobody's"]


async def test_the_size_of_each_set_is_told() -> None:
    sizes: list[int] = []
    sets = Sets(Desk().decide, observe=sizes.append)
    await asyncio.gather(*(sets.submit(n, lane="a") for n in range(4)))
    assert sizes == [4]


async def test_a_set_has_one_command_of_each_that_is_kept_apart_and_the_others_are_the_next_sets() -> None:
    desk = Desk()
    sets = Sets(desk.decide, apart=lambda n: n % 10)
    asked = [1, 2, 11, 21, 3, 12, 1]
    assert await asyncio.gather(*(sets.submit(n, lane="a") for n in asked)) == [10 * n for n in asked]
    assert desk.sets == [[1, 2, 3], [11, 12], [21], [1]]


async def test_whoever_asks_for_a_full_lane_of_its_own_is_answered_one_set_after_another() -> None:
    desk = Desk()
    sets = Sets(desk.decide, max_set=3, apart=lambda _: "all the same")
    assert await asyncio.gather(*(sets.submit(n, lane="a") for n in range(7))) == [10 * n for n in range(7)]
    assert desk.sets == [[n] for n in range(7)]


async def test_whoever_has_many_waiting_keeps_nobody_behind_them_out_of_the_set() -> None:
    desk = Desk()
    sets = Sets(desk.decide, max_set=3, apart=lambda n: n % 10)
    asked = [1, 11, 21, 31, 2, 3, 4]
    assert await asyncio.gather(*(sets.submit(n, lane="a") for n in asked)) == [10 * n for n in asked]
    assert desk.sets == [[1, 2, 3], [11, 4], [21], [31]]
