"""Functions that a loop calls by their address: the plugs of a venue or a strategy in a stage.

A stage keeps the address of such a function in its context.  So the loop's machine code is the same
for every plug, and another venue or strategy compiles only itself.  Every argument is one word: an
int64, or the address of a record if the function takes the record (numba passes a record as a
pointer).
"""

from collections.abc import Callable
from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numba.np.numpy_support import as_dtype

from ipc.compiled import PLAIN_PYTHON, cache_missed, compile_plug
from ipc.memory import record_at

#: As plain Python a function has no address: its index here replaces it.
_FUNCTIONS: dict[int, Callable[..., Any]] = {}


class Plug:
    """A compiled function for one signature; ``address`` is valid as long as the process lives."""

    def __init__(self, function: Any, signature: Any) -> None:
        """Compile ``function`` for ``signature`` now, or read it from the cache."""
        self.function = compile_plug(function, signature)
        if PLAIN_PYTHON:
            self.address = len(_FUNCTIONS) + 1
            _FUNCTIONS[self.address] = taking_words(function, signature)
        else:
            self.address = entry_address(function, signature)

    @property
    def missed_cache(self) -> bool:
        """Whether the function had to be compiled in this process."""
        return cache_missed(self.function)


def entry_address(function: Any, signature: Any) -> int:
    """Return where the machine code of a compiled function begins."""
    compiled = function.get_compile_result(signature)
    return int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))


def taking_words(function: Callable[..., Any], signature: Any) -> Callable[..., Any]:
    """Return ``function`` with an address in place of each record that it takes."""
    dtypes = [as_dtype(kind) if isinstance(kind, types.Record) else None for kind in signature.args]

    def call(*words: int) -> Any:
        arguments = [
            word if dtype is None else record_at(word, dtype)
            for word, dtype in zip(words, dtypes, strict=True)
        ]
        return function(*arguments)

    return call


def call_plug(function_address: int, words: tuple[int, ...]) -> int:
    """Call a plug that returns an int64; the caller knows how many words it takes."""
    return int(_FUNCTIONS[int(function_address)](*words))


def run_plug(function_address: int, words: tuple[int, ...]) -> None:
    """Call a plug that returns nothing."""
    _FUNCTIONS[int(function_address)](*words)


def _code_of_call(result_type: Any) -> Any:
    """Return what generates the call of a function with numba's calling convention."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        words_type = signature.args[1]
        words = [
            context.cast(builder, word, kind, types.int64)
            for word, kind in zip(cgutils.unpack_tuple(builder, args[1]), words_type, strict=True)
        ]
        word_types = [types.int64] * len(words)
        convention = context.call_conv
        kind = convention.get_function_type(result_type, word_types)
        callee = builder.inttoptr(args[0], kind.as_pointer())
        status, result = convention.call_function(builder, callee, result_type, word_types, words)
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return result

    return codegen


@intrinsic
def _call_plug(typing_context: Any, function_address: Any, words: Any) -> Any:
    return types.int64(types.int64, words), _code_of_call(types.int64)


@intrinsic
def _run_plug(typing_context: Any, function_address: Any, words: Any) -> Any:
    return types.none(types.int64, words), _code_of_call(types.none)


@overload(call_plug)
def _(function_address: Any, words: Any) -> Any:
    def machine(function_address: Any, words: Any) -> Any:
        return _call_plug(function_address, words)  # type: ignore[call-arg]

    return machine


@overload(run_plug)
def _(function_address: Any, words: Any) -> Any:
    def machine(function_address: Any, words: Any) -> Any:
        _run_plug(function_address, words)  # type: ignore[call-arg]

    return machine
