"""The domain's enums as clients see them: the same words, each with its description."""

from enum import Enum

import strawberry


def publish_enum(enum: type[Enum], description: str, *, values: dict[str, str]) -> None:
    """Makes a domain enum part of the schema. Every value must be described, and nothing else."""
    assert set(values) == {member.name for member in enum}, f"{enum.__name__}: describe every value"
    strawberry.enum(enum, description=description)
    for value in enum.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = values[value.name]
