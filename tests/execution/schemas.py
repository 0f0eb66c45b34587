"""The schemas that both ways of execution are compared on, each with what a request to it needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace

import strawberry

from domain.shared.principal import Role
from tests.app import small, sockets
from tests.execution import (
    test_batches,
    test_composed,
    test_exception_handlers,
    test_executor,
    test_shared_objects,
    test_specification,
)
from tests.execution.corner_schema import Declined, Refusal, corner_schema


@dataclass(frozen=True, slots=True)
class Subject:
    """A schema, a context that its rules accept, and what its resolvers may raise besides faults."""

    schema: strawberry.Schema
    context: Callable[[], object] = lambda: None
    refusals: tuple[Callable[[], Exception], ...] = ()


def visitor() -> object:
    """Somebody who may do everything: here it is execution that is looked at."""
    return SimpleNamespace(principal=SimpleNamespace(roles=frozenset(Role)), forget=lambda: None, locale="en")


def corners() -> Subject:
    """Every corner of the type system."""
    return Subject(corner_schema(), refusals=(lambda: Refusal("refused"), lambda: Declined("declined")))


def service() -> Subject:
    """The schema that this repository serves."""
    from resolvers.root import build_schema

    return Subject(build_schema(), context=visitor)


def specification() -> Subject:
    """The schema of the specification's tests."""
    return Subject(test_specification.SCHEMA)


def batches() -> Subject:
    """The schema of the tests of batched loading."""
    return Subject(test_batches.SCHEMA)


def subject_of(module: ModuleType) -> Callable[[], Subject]:
    """The schema that a test of some part has to itself."""
    return lambda: Subject(module.SCHEMA, context=visitor)


SUBJECTS: Mapping[str, Callable[[], Subject]] = {
    "service": service,
    "corners": corners,
    "specification": specification,
    "batches": batches,
    "http": subject_of(small),
    "sockets": subject_of(sockets),
    "composed": subject_of(test_composed),
    "handlers": subject_of(test_exception_handlers),
    "executor": subject_of(test_executor),
    "shared": subject_of(test_shared_objects),
}
"""Every schema that a document of the repository may be for."""
