"""Functions are short, explained, and either compiled or able to fail, never both."""

import ast

import pytest
from sources import PACKAGES, ROOT, all_modules, functions_of, is_compiled, modules_of, parsed

LINES_MAX = 70
PARAMETERS_MAX = 10
NOT_IN_COMPILED = (
    ast.Try,
    ast.Raise,
    ast.With,
    ast.JoinedStr,
    ast.ListComp,
    ast.DictComp,
    ast.SetComp,
    ast.GeneratorExp,
    ast.Lambda,
    ast.Global,
    ast.Nonlocal,
    ast.Yield,
    ast.Await,
)
NOT_CALLED_IN_COMPILED = {"print", "open", "str", "repr", "list", "dict", "set", "sorted"}
ARRAY_LIBRARY = {"np", "numpy"}


def place(path, node):
    return f"{path.relative_to(ROOT)}:{node.lineno}: {getattr(node, 'name', type(node).__name__)}"


def compiled_functions():
    for path in all_modules():
        for function in functions_of(path):
            if is_compiled(function):
                yield path, function


def parameters_of(function):
    arguments = function.args
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def test_no_function_is_longer_than_a_page():
    wrong = [
        place(path, function)
        for path in all_modules()
        for function in functions_of(path)
        if function.end_lineno - function.lineno + 1 > LINES_MAX
    ]
    assert not wrong


def test_compiled_functions_take_few_typed_parameters():
    wrong = [
        place(path, function)
        for path, function in compiled_functions()
        if len(parameters_of(function)) > PARAMETERS_MAX
        or function.args.vararg
        or function.args.kwarg
        or function.returns is None
        or any(parameter.annotation is None for parameter in parameters_of(function))
    ]
    assert not wrong


def is_hot(node):
    """Return whether compiled code may hold ``node``."""
    if isinstance(node, NOT_IN_COMPILED):
        return False
    if not isinstance(node, ast.Call):
        return True
    if isinstance(node.func, ast.Name):
        return node.func.id not in NOT_CALLED_IN_COMPILED
    # np.int64(x) is a conversion; np.zeros(n) and its like make an array.
    return not (
        isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ARRAY_LIBRARY
        and node.func.attr not in ("int64", "int32", "float64", "uint64", "uint32", "uint8")
    )


def test_compiled_functions_neither_raise_nor_log_nor_build_objects():
    wrong = [
        f"{place(path, function)}: line {node.lineno}"
        for path, function in compiled_functions()
        for node in ast.walk(function)
        if not is_hot(node)
    ]
    assert not wrong, "return a code; let the cold side speak"


def test_compiled_functions_carry_nothing_but_compiled():
    wrong = [
        place(path, function)
        for path, function in compiled_functions()
        if len(function.decorator_list) != 1
    ]
    assert not wrong


def test_numba_is_named_in_one_place():
    wrong = []
    for path in all_modules():
        if path.relative_to(ROOT).as_posix() == "ipc/compiled.py":
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Attribute | ast.Name):
                name = node.attr if isinstance(node, ast.Attribute) else node.id
                if name in ("njit", "jit", "jitclass", "vectorize", "guvectorize", "cfunc"):
                    wrong.append(place(path, node))
    assert not wrong, "compile with ipc.compiled.compiled"


@pytest.mark.parametrize("floor", PACKAGES)
def test_every_public_function_class_and_file_is_explained(floor):
    wrong = []
    for path in modules_of(floor):
        tree = parsed(path)
        if not ast.get_docstring(tree):
            wrong.append(str(path.relative_to(ROOT)))
        members = list(tree.body)
        members += [
            member for node in tree.body if isinstance(node, ast.ClassDef) for member in node.body
        ]
        for node in members:
            if (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                and not node.name.startswith("_")
                and not ast.get_docstring(node)
            ):
                wrong.append(place(path, node))
    assert not wrong


@pytest.mark.parametrize("floor", PACKAGES)
def test_no_type_is_ignored_without_its_code(floor):
    wrong = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in modules_of(floor)
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if "type: ignore" in line and "type: ignore[" not in line
    ]
    assert not wrong
