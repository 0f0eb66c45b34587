from collections.abc import Callable
from dataclasses import dataclass

from graphql import GraphQLError

FormattedError = dict[str, object]
OnError = Callable[[GraphQLError], FormattedError]


def format_error(error: GraphQLError) -> FormattedError:
    """The error as the GraphQL specification writes it: the default of every `on_error`."""
    return dict(error.formatted)


@dataclass(slots=True)  # not frozen: that would cost each request three times as much
class Result:
    """The answer to one operation, ready to be serialised.

    `executed` is false for a request error (syntax, validation, variables): such an answer has no `data` at all, while
    an operation that ran and lost its root to a null answers with `data: null`.
    """

    data: dict[str, object] | None
    errors: list[FormattedError] | None = None
    executed: bool = True

    @property
    def response(self) -> dict[str, object]:
        """The response map of the specification: `data` when the operation ran, `errors` when there are any."""
        response: dict[str, object] = {"data": self.data} if self.executed else {}
        if self.errors:
            response["errors"] = self.errors
        return response
