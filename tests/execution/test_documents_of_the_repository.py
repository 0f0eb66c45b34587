"""Every document that is written anywhere in the repository is answered alike by both ways of execution."""

import ast
import gc
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from graphql import GraphQLError, OperationDefinitionNode, parse, print_ast

from execution.compiled import COMPILER_FAILURE
from tests.execution.documents import VariableDrawer, Written
from tests.execution.mocks import mocked
from tests.execution.sameness import Pair, everything_settled
from tests.execution.schemas import Subject, batches, corners, service, specification

ROOT = Path(__file__).parents[2]
SOURCES = ("app", "benchmarks", "docs", "resolvers", "schema", "tests")
BEGINNING = re.compile(r"\s*(#.*\n\s*)*(query|mutation|subscription|fragment|\{)", re.ASCII)
FENCED = re.compile(r"```graphql\n(.*?)```", re.DOTALL)
RUNS = 3


def texts_of(file: Path) -> Iterator[str]:
    """What may be a document in this file."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".graphql":
        yield text
    elif file.suffix == ".md":
        yield from FENCED.findall(text)
    else:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def operations_in(text: str) -> list[tuple[str | None, Written]]:
    """The operations of a document with their variables; none where it is no document."""
    if not BEGINNING.match(text):
        return []
    try:
        document = parse(text)
    except GraphQLError:
        return []
    return [
        (
            node.name.value if node.name else None,
            Written(
                text,
                {one.variable.name.value: print_ast(one.type) for one in node.variable_definitions or ()},
                node.operation.value,
            ),
        )
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
    ]


def documents_of_the_repository() -> list[str]:
    """All of them, each once."""
    files = [
        file
        for source in SOURCES
        for file in sorted((ROOT / source).rglob("*"))
        if file.suffix in {".graphql", ".md", ".py"} and "node_modules" not in file.parts
    ]
    return list(dict.fromkeys(text for file in files for text in texts_of(file) if operations_in(text)))


DOCUMENTS = documents_of_the_repository()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("make", [service, corners, specification, batches])
async def test_every_document_of_the_repository_is_answered_alike(make: Callable[[], Subject]) -> None:
    subject = make()
    tried = 0
    with mocked(subject.schema) as mocks:
        pair = Pair.of(subject.schema)
        random = Random(1)
        drawer = VariableDrawer(random, subject.schema._schema, wrong=0.01)
        for text in DOCUMENTS:
            for name, written in operations_in(text):
                if pair.reference.prepare(text, name).errors:
                    continue
                for run in range(RUNS):
                    tried += 1
                    await pair.same(
                        text,
                        drawer.draw(written),
                        operation_name=name,
                        before=lambda run=run: mocks.start(run, fault_rate=run * 0.1, soon_rate=0),  # type: ignore[misc]
                        context=subject.context,
                    )
                    await everything_settled()
        assert COMPILER_FAILURE not in pair.compiled.counters.fallbacks
    gc.collect()
    assert tried > RUNS, "the repository has documents for every schema"
