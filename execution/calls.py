"""The source text of resolver calls."""

from collections.abc import Callable
from dataclasses import replace
from inspect import iscoroutinefunction
from keyword import iskeyword

from graphql import Undefined, default_field_resolver

from execution.access import Access, Argument, Way
from execution.composed import Composed
from execution.extensions import ExtensionChain
from execution.inputs import same
from execution.places import FieldPlace

Bind = Callable[[str, object], str]


def call_text(access: Access, *, place: FieldPlace, name: str, bind: Bind, o: str = "o", q: str = "q") -> str:
    """An expression of the field's resolved value on the object `o`, at the path `q`, in the state `X`.

    `name` is the field's place in the generated code. Where the arguments are not known beforehand, they are in `a`.
    """
    if access.way in {Way.EVENT, Way.ITSELF}:
        return o
    if access.way is Way.ATTRIBUTE:
        return attribute_text(access.attribute, o)
    if access.way is Way.CHAIN:
        function = bind("R", place.definition.resolve or default_field_resolver)
        return f"{function}({o}, X.raw_info({name}, {q}){', **a' if takes_arguments(place) else ''})"
    parts = [o, f"X.info({name}, {q})"] if access.chained else [o] if access.passes_self else []
    parts += [f"{parent}={o}" for parent in access.parent_names]
    if access.info_name:
        parts.append(f"{access.info_name}=X.info({name}, {q})")
    if access.arguments is None or any(argument.optional for argument in access.arguments):
        parts.append("**a")
    else:
        parts += [f"{argument.python_name}={argument_text(argument, bind)}" for argument in access.arguments]
    return f"{bind('R', access.function)}({', '.join(parts)})"


def always_awaitable(access: Access) -> bool:
    """Whether what the resolver returns may be awaited without a look at it."""
    if access.way is not Way.RESOLVER:
        return False
    function = access.function
    return function.is_coroutine if isinstance(function, ExtensionChain) else iscoroutinefunction(function)


def attribute_text(names: str, o: str = "o") -> str:
    """An attribute of `o`, or with dots one of an attribute's."""
    text = o
    for name in names.split("."):
        text = f"{text}.{name}" if name.isidentifier() and not iskeyword(name) else f"getattr({text}, {name!r})"
    return text


def takes_arguments(place: FieldPlace) -> bool:
    """Whether graphql-core would work out arguments at all."""
    return bool(place.definition.args or place.nodes[0].arguments)


def argument_text(argument: Argument, bind: Bind) -> str:
    """The value of an argument that is always there."""
    if argument.variable is not None:
        value = f"V[{argument.variable!r}]"
    elif isinstance(argument.fallback, Composed):
        value = argument.fallback.text(bind)
    elif isinstance(argument.fallback, (str, int, float, bool, type(None))) and argument.convert is same:
        return bind_constant(argument.fallback, bind)
    else:
        value = bind("K", argument.fallback)
        if isinstance(argument.fallback, (dict, list, tuple)):
            value = f"deepcopy({value})"
    return value if argument.convert is same else f"{bind('T', argument.convert)}({value})"


def bind_constant(value: object, bind: Bind) -> str:
    """A constant as Python writes it, where it writes it exactly."""
    return repr(value) if type(value) in {str, int, bool, type(None)} else bind("K", value)


def optional_arguments_text(access: Access, bind: Bind) -> list[str]:
    """Statements that collect in `a` the arguments of a call, some of which may be missing."""
    lines = ["a = {}"]
    for argument in access.arguments or ():
        key = f"a[{argument.python_name!r}]"
        if not argument.optional:
            lines.append(f"{key} = {argument_text(argument, bind)}")
            continue
        lines += [f"if {argument.variable!r} in V:", f"    {key} = {argument_text(argument, bind)}"]
        if argument.fallback is not Undefined:
            fallback = replace(argument, variable=None)
            lines += ["else:", f"    {key} = {argument_text(fallback, bind)}"]
    return lines
