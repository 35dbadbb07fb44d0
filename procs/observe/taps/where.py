"""``--where``: selects records by a comparison of their fields.

A small part of Python's expressions: fields by name, numbers, text, ``+ - * // %``, comparisons,
``and or not in``, ``field[0]`` for a field of several values.  A field that holds a code is
compared with the code's name: ``kind == TRADE and qty_lots > 100``, or ``kind == "trade"``.  An
expression cannot call anything or reach anything else.
"""

import ast
import itertools
import operator
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

from procs.observe.taps.decode import CODES

Test = Callable[[Mapping[str, Any]], Any]

OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda value, several: value in several,
    ast.NotIn: lambda value, several: value not in several,
}
SIGNS: dict[type, Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
Codes = type[IntEnum] | None
LENGTH_MAX = 1_000


class BadExpression(ValueError):
    """The expression cannot be used; the message says why."""


def compile_where(expression: str, field_names: set[str]) -> Test:
    """Return the test of a record's fields for ``expression``.

    A record that lacks one of the fields does not pass.

    Raises
    ------
    BadExpression
        When it is not such an expression, or names an unknown field.
    """
    if len(expression) > LENGTH_MAX:
        raise BadExpression(f"longer than {LENGTH_MAX} characters")
    try:
        tree = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BadExpression(f"{expression!r} is not an expression") from error
    test = _build(tree, field_names)

    def passes(fields: Mapping[str, Any]) -> bool:
        try:
            return bool(test(fields))
        except (KeyError, TypeError, IndexError, ValueError, ArithmeticError):
            return False  # a record of another kind: it has no such field, or one of another shape

    return passes


def _build(node: ast.expr, field_names: set[str], codes: Codes = None) -> Test:
    """Return the function of one node; ``codes`` are those of the field it is compared with."""
    match node:
        case ast.Constant(value=str() as word) if codes and word.upper() in codes.__members__:
            return _always(int(codes[word.upper()]))
        case ast.Constant(value=int() | float() | str() as constant):
            return _always(constant)
        case ast.Name(id=name) if codes and name in codes.__members__:
            return _always(int(codes[name]))
        case ast.Name(id=name):
            return _field(name, field_names)
        case ast.BoolOp(op=op, values=values):
            parts = [_build(value, field_names) for value in values]
            several = all if isinstance(op, ast.And) else any
            return lambda fields: several(part(fields) for part in parts)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in SIGNS:
            sign, of = SIGNS[type(op)], _build(operand, field_names)
            return lambda fields: sign(of(fields))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            meaning = OPERATORS[type(op)]
            first, second = _build(left, field_names), _build(right, field_names)
            return lambda fields: meaning(first(fields), second(fields))
        case ast.Compare(left=left, ops=ops, comparators=rest):
            return _chain([left, *rest], ops, field_names)
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            members = [_build(element, field_names, codes) for element in elements]
            return lambda fields: [member(fields) for member in members]
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=int() as index)):
            whole = _field(name, field_names)
            return lambda fields: whole(fields)[index]
    raise BadExpression(f"{ast.unparse(node)!r} cannot be used here")


def _always(constant: Any) -> Test:
    return lambda fields: constant


def _field(name: str, field_names: set[str]) -> Test:
    if name not in field_names:
        raise BadExpression(f"no field {name!r}; there are {', '.join(sorted(field_names))}")
    return lambda fields: fields[name]


def _chain(nodes: list[ast.expr], ops: list[ast.cmpop], field_names: set[str]) -> Test:
    """Return the function of ``a < b < c``; a field of codes lends their names to the others."""
    held = (CODES.get(node.id) for node in nodes if isinstance(node, ast.Name))
    codes = next((each for each in held if each is not None), None)
    parts = [_build(node, field_names, codes) for node in nodes]
    if any(type(op) not in OPERATORS for op in ops):
        raise BadExpression("compare with == != < <= > >= in, not in")
    meanings = [OPERATORS[type(op)] for op in ops]

    def passes(fields: Mapping[str, Any]) -> bool:
        values = [part(fields) for part in parts]
        pairs = zip(meanings, itertools.pairwise(values), strict=True)
        return all(meaning(*pair) for meaning, pair in pairs)

    return passes
