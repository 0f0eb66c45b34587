"""Every refusal has one problem, one text per language, and stands in the documentation of who raises it."""

import ast
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from string import Formatter
from typing import Any, get_args, get_type_hints
from uuid import UUID

import pytest
from graphql import GraphQLUnionType

import domain
from domain.coupons.eligibility import Eligibility, Predicate
from domain.coupons.model import CouponKey
from domain.coupons.offer import CouponState, Funder
from domain.orders.model import Quote
from domain.shared.errors import Refusal
from domain.shared.ids import CampaignId, CouponId, MemberId
from resolvers.messages import LOCALES, message_of, texts
from resolvers.problems import PROBLEMS, problem_of
from schema.problems import Problem
from tests.architecture.test_schema import code_of, mutations, schema

REPOSITORY = Path(__file__).parents[2]
NOW = datetime(2026, 6, 1, 4, tzinfo=UTC)

# Not the decision of any one use-case: it stands in every union without standing in the documentation.
ANYWHERE = "OperationInProgress"


@cache
def domain_modules() -> tuple[str, ...]:
    found = pkgutil.walk_packages(domain.__path__, prefix="domain.")
    return tuple(module.name for module in found if not module.name.rpartition(".")[2].startswith("_"))


@cache
def refusals() -> tuple[type[Refusal], ...]:
    """Every refusal of the domain, wherever it is written."""
    for module in domain_modules():
        import_module(module)
    return tuple(sorted(set(_subclasses(Refusal)), key=lambda refusal: refusal.__name__))


def _subclasses(of: type[Refusal]) -> Iterator[type[Refusal]]:
    for subclass in of.__subclasses__():
        if subclass.__module__.startswith("domain."):
            yield subclass
        yield from _subclasses(subclass)


@dataclass(frozen=True, slots=True)
class UseCase:
    """A function of a slice's use_cases.py; one that takes a command, or a set of them, is a mutation's."""

    name: str
    documentation: str
    takes: str

    @property
    def refuses(self) -> frozenset[str] | None:
        """The refusals that its documentation names; None when it does not speak of them."""
        match = re.search(r"^Refusals: ([^.]+)\.", self.documentation, flags=re.MULTILINE)
        if match is None:
            return None
        names = frozenset(re.split(r",\s+", match[1]))
        return frozenset() if names == {"none"} else names

    @property
    def mutation(self) -> str | None:
        """claim_coupons(commands) is claimCoupon, create_store(command) is createStore; what takes neither has none.

        exchange_points(commands) is exchangePoints, which has the plural of itself.
        """
        if self.takes not in {"command", "commands"}:
            return None
        head, *tail = self.name.split("_")
        name = head + "".join(map(str.capitalize, tail))
        return name.removesuffix("s") if self.takes == "commands" and name not in mutations() else name


@cache
def use_cases() -> tuple[UseCase, ...]:
    """Every use-case of every slice."""
    found = (
        (path, UseCase(node.name, ast.get_docstring(node) or "", node.args.args[0].arg if node.args.args else ""))
        for path in sorted((REPOSITORY / "domain").glob("*/*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) and not node.name.startswith("_")
    )
    # A use-case that grew too long for its slice's use_cases.py is known by the command that it takes.
    return tuple(one for path, one in found if path.stem.startswith("use_cases") or one.mutation is not None)


EACH_REFUSAL = pytest.mark.parametrize("refusal", refusals(), ids=lambda refusal: refusal.__name__)


def test_every_refusal_has_exactly_one_problem() -> None:
    assert set(PROBLEMS) == set(refusals())


def test_every_problem_of_the_schema_is_a_refusals() -> None:
    problem = schema().type_map["Problem"]
    named = {type_.name for type_ in schema().get_implementations(problem).objects}  # type: ignore[arg-type]
    assert named <= {shown.__name__ for shown, _ in PROBLEMS.values()}


@EACH_REFUSAL
def test_a_refusal_becomes_its_problem_with_its_code_and_all_its_facts(refusal: type[Refusal]) -> None:
    problem_type, _ = PROBLEMS[refusal]
    problem = problem_of(example(refusal), locale="en")
    assert type(problem) is problem_type
    assert problem.code.value == code_of(problem_type.__name__)
    for locale in LOCALES:
        said = problem_of(example(refusal), locale=locale).message
        assert said == message_of(example(refusal), locale=locale)
    own = {name for name in problem_type.__annotations__ if name not in Problem.__annotations__}
    assert own <= {f.name for f in fields(refusal)} | set(vars(problem)), "a fact that nobody fills in"  # type: ignore[arg-type]


@EACH_REFUSAL
def test_a_refusal_speaks_every_language_of_its_own_facts(refusal: type[Refusal]) -> None:
    said = texts()[refusal.__name__]
    assert len(said) == len(LOCALES)
    assert len(set(said)) == len(LOCALES), "the same words in two languages"
    facts = {f.name for f in fields(refusal)}  # type: ignore[arg-type]
    for text in said:
        assert text.strip()
        assert {name for _, name, _, _ in Formatter().parse(text) if name is not None} <= facts
    chinese, english = said
    assert re.search(r"[\u4e00-\u9fff]", chinese)
    assert not re.search(r"[\u4e00-\u9fff]", english)


def test_no_text_outlives_its_refusal() -> None:
    assert set(texts()) == {refusal.__name__ for refusal in refusals()}


def test_every_use_case_says_what_it_refuses() -> None:
    silent = [use_case.name for use_case in use_cases() if use_case.refuses is None]
    assert silent == [], "write `Refusals: A, B.` or `Refusals: none.` in its documentation"


@pytest.mark.parametrize("use_case", [u for u in use_cases() if u.mutation], ids=lambda use_case: use_case.name)
def test_the_documented_refusals_are_the_members_of_the_mutations_union(use_case: UseCase) -> None:
    assert use_case.mutation is not None
    union = schema().type_map[f"{use_case.mutation[0].upper()}{use_case.mutation[1:]}Result"]
    assert isinstance(union, GraphQLUnionType)
    told = {refusal.__name__: problem.__name__ for refusal, (problem, _) in PROBLEMS.items()}
    shown = {member.name for member in union.types if not member.name.endswith("Success")}
    assert {told[name] for name in use_case.refuses or ()} == shown - {told[ANYWHERE]}
    assert told[ANYWHERE] in shown, "every write happens once, and may be under way"


def test_every_mutation_has_its_use_case() -> None:
    assert {use_case.mutation for use_case in use_cases()} - {None} == set(mutations())


_EXAMPLES: dict[Any, object] = {
    int: 3,
    str: "word",
    datetime: NOW,
    UUID: UUID(int=1),
    bool: True,
    CouponState: CouponState.REDEEMED,
    CampaignId: CampaignId(UUID(int=2)),
    CouponKey: CouponKey(MemberId(UUID(int=3)), CouponId(UUID(int=4))),
    Funder: Funder.PLATFORM,
    Quote: Quote(MemberId(UUID(int=3)), "CNY", (), 0, (), (), (), 0, NOW, "hash"),
    Eligibility: Eligibility(eligible=False, because=Predicate("threshold", False, "≥ ¥100", "¥80")),  # noqa: FBT003
}


def example(refusal: type[Refusal]) -> Refusal:
    """A refusal with a fact of the right kind in every place."""
    hints = get_type_hints(refusal)
    return refusal(**{f.name: "CNY" if f.name == "currency" else _example_of(hints[f.name]) for f in fields(refusal)})  # type: ignore[arg-type]


def _example_of(kind: Any) -> object:
    if kind in _EXAMPLES:
        return _EXAMPLES[kind]
    text = str(kind)
    if text.startswith("tuple["):
        return ("path", "to")
    if "datetime" in text:
        return NOW
    if type(None) in get_args(kind):
        return _example_of(next(part for part in get_args(kind) if part is not type(None)))
    raise AssertionError(f"show an example of {text} here")
