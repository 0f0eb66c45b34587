import hashlib
from itertools import product
from typing import Any

import pytest
import strawberry

from execution import Executor
from execution.kept import KeptPlans
from execution.plan import Plan


@strawberry.type
class Query:
    name: str = "one"


SCHEMA = strawberry.Schema(Query)


def plan_of(source: str, operation_name: str | None = None) -> Plan:
    return Plan(source, operation_name, None, None)


def a_copy(text: str) -> str:
    """The same text in another object, as each request brings its own."""
    return text.encode().decode()


def test_a_plan_is_kept_by_the_digest_of_its_document_and_the_name_of_its_operation() -> None:
    executor = Executor(SCHEMA)
    document = "query One { name } query Two { name }"
    one, two = executor.prepare(document, "One"), executor.prepare(document, "Two")
    digest = hashlib.sha256(document.encode()).digest()
    assert list(executor._kept._plans.items()) == [((digest, "One"), one), ((digest, "Two"), two)]
    assert executor.prepare(a_copy(document), "One") is one
    assert executor.prepare(a_copy(document), "Two") is two


def test_the_text_of_a_document_is_held_once() -> None:
    document = a_copy("{ name }")
    plan = Executor(SCHEMA).prepare(document)
    assert plan.document is not None
    assert plan.document.loc is not None
    assert plan.source is document
    assert plan.document.loc.source.body is document


def test_documents_with_the_same_hash_of_python_each_find_their_own_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.kept.hash", lambda _: 1, raising=False)
    kept = KeptPlans(most=3, most_text=1000)
    plans = [plan_of("{ a }"), plan_of("{ b }"), plan_of("{ a }", "A")]
    for plan in plans:
        kept.keep(plan)
    for plan in plans:
        assert kept.find(a_copy(plan.source), plan.operation_name) is plan
    assert kept.find("{ c }", None) is None
    assert kept.keep(plan_of("{ d }")) == 1
    assert kept.find("{ a }", None) is None
    assert kept.find("{ b }", None) is plans[1]


def test_plans_go_when_their_documents_have_more_text_than_may_be_kept_the_least_recently_used_first() -> None:
    kept = KeptPlans(most=10, most_text=100)
    first, second = plan_of("a" * 50), plan_of("b" * 50)
    assert kept.keep(first) == kept.keep(second) == 0
    assert kept.find("a" * 50, None) is first
    assert kept.keep(plan_of("c" * 30)) == 1
    assert kept.find("b" * 50, None) is None
    assert kept.keep(plan_of("d" * 90)) == 2
    assert [key[1] for key in kept._plans] == [None]
    assert len(kept._near) == 1


def test_a_document_that_is_longer_than_all_that_may_be_kept_puts_nobody_out() -> None:
    executor = Executor(SCHEMA, cache_text=200)
    short = executor.prepare("{ name }")
    long = executor.prepare("{ name }" + " " * 200)
    assert long.errors == ()
    assert executor.prepare("{ name }" + " " * 200) is not long
    assert executor.prepare("{ name }") is short
    assert executor.counters.evictions == 0


def test_what_is_forgotten_leaves_nothing_behind() -> None:
    kept = KeptPlans(most=2, most_text=1000)
    for number in range(50):
        kept.keep(plan_of(f"{{ a{number} }}"))
    held: tuple[Any, ...] = (kept._plans, kept._near, kept._texts)
    assert [len(each) for each in held] == [2, 2, 2]
    assert kept._text == sum(len(plan.source) for plan in kept._plans.values())


@strawberry.type
class Many:
    @strawberry.field
    def again(self) -> "Many":
        return Many()

    name: str = "one"


MANY = strawberry.Schema(Many)


def short_document_of_much_code(number: int) -> str:
    asked = " ".join(f"a{place}: again {{ ...F }}" for place in range(20))
    return f"query Q{number} {{ {asked} }} fragment F on Many {{ {' '.join(f'n{n}: name' for n in range(20))} }}"


def test_generated_code_counts_too_for_a_short_document_may_need_much_of_it() -> None:
    text = 20_000
    executor = Executor(MANY, cache_text=text)
    documents = [short_document_of_much_code(number) for number in range(20)]
    assert sum(map(len, documents)) < text
    plans = [executor.prepare(document) for document in documents]
    kept = [plan for plan in plans if executor.kept(plan.source, None) is plan]
    generated = sum(plan.compiled.generated for plan in kept if plan.compiled is not None)
    assert executor.counters.evictions == 20 - len(kept) > 0
    assert 0 < generated <= text * 20


CONDITIONAL = "query Q($a: Boolean!, $b: Boolean!) { name @skip(if: $a) n: name @skip(if: $b) "
CONDITIONAL += short_document_of_much_code(0).removeprefix("query Q0 {")


async def run_with_all_conditions(executor: Executor) -> int:
    """How much code was generated for it."""
    plan = executor.prepare(CONDITIONAL)
    for a, b in product((True, False), repeat=2):
        assert not (await executor.execute(plan, {"a": a, "b": b}, root=Many())).errors
    assert plan.compiled is not None
    return plan.compiled.generated


async def test_code_for_conditions_counts_when_they_are_first_met() -> None:
    generated = await run_with_all_conditions(Executor(MANY))
    executor = Executor(MANY, cache_text=len(CONDITIONAL) + generated // 20 + 1_000)
    other = executor.prepare("{ name }" + " " * 2_000)
    plan = executor.prepare(CONDITIONAL)
    assert executor.counters.evictions == 0
    await run_with_all_conditions(executor)
    assert executor.counters.evictions == 1
    assert executor.kept(other.source, None) is None
    assert executor.kept(CONDITIONAL, None) is plan


async def test_a_plan_that_outgrows_all_that_may_be_kept_goes_itself() -> None:
    generated = await run_with_all_conditions(Executor(MANY))
    executor = Executor(MANY, cache_text=len(CONDITIONAL) + generated // 20 - 1)
    other = executor.prepare("{ name }")
    await run_with_all_conditions(executor)
    assert executor.counters.evictions == 1
    assert executor.kept(other.source, None) is other
    assert executor.kept(CONDITIONAL, None) is None
