"""numba's dispatcher; LLVM optimises once, at the entry points.

numba optimises and translates every function by itself, and then again inside each of its callers,
level by level; and it wraps each for Python and for C.  Here a function that compiled code calls is
only typed and lowered, and its code is kept as LLVM's bitcode.  An entry point (a call from Python,
a loop or a plug) links, optimises and translates the function once, with all that it calls.

Names contain the fingerprint of the function's file, and of the fields of its records, instead of
numbers counted in each process, so that bitcode of two processes can be linked.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from llvmlite import binding
from numba.core import compiler, errors, sigutils, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.dispatcher import _FunctionCompiler
from numba.core.environment import lookup_environment
from numba.core.registry import CPUDispatcher
from numba.core.runtime import rtsys
from numba.core.serialize import dumps
from numba.core.target_extension import dispatcher_registry, target_registry
from numba.core.typing import make_concrete_template
from numba.core.untyped_passes import FixupArgs

from ipc import code_cache, fingerprints

PYTHON_PREFIX = "_ZN"
ENVIRONMENT_PREFIX = "_ZN08NumbaEnv"
RUNTIME_PREFIX = "NRT_"
CPU = target_registry["cpu"]


def name_of_record(record: types.Record) -> tuple[str, tuple[str]]:
    """Return how a record is written in the name of a function that takes it."""
    digest = hashlib.blake2b(record.name.encode(), digest_size=8).hexdigest()
    return "Record", (digest,)


setattr(types.Record, "mangling_args", property(name_of_record))  # noqa: B010 -- typed as a method


class NotLinked(Exception):
    """A function that compiled code calls is not there; the message names it."""


class InnerLibrary(JITCodeLibrary):
    """The code of one function for its callers to link: never optimised or run by itself."""

    def __init__(self, codegen: Any, name: str) -> None:
        super().__init__(codegen, name)
        self.callees: dict[InnerLibrary, None] = {}
        #: Where it is kept, and the file of the function; None for code that is not kept.
        self.path: Path | None = None
        self.source_path: Path | None = None
        self.is_kept = False
        self._whole_module: Any = None
        self._bitcode = b""

    def add_linking_library(self, library: Any) -> None:
        """Remember a callee; what has no file of its own is linked in."""
        if isinstance(library, InnerLibrary) and library.path is not None:
            self.callees[library] = None
        elif library is not rtsys.library:
            super().add_linking_library(library)
            if isinstance(library, InnerLibrary):
                self.callees.update(library.callees)

    def finalize(self) -> None:
        """Make the module ready to be linked."""
        self._raise_if_finalized()
        own_names = {each.name for each in self._final_module.functions if not each.is_declaration}
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            is_inner = isinstance(library, InnerLibrary)
            module = library.module_alone() if is_inner else library._get_module_for_linking()
            self._final_module.link_in(module, preserve=True)
        for each in self._final_module.functions:
            if not each.is_declaration and each.name not in own_names:
                each.linkage = "internal"  # two processes count their names alike
        self._finalize_dynamic_globals()
        self._finalized = True

    def module_alone(self) -> Any:
        """Return the module of this function, without those it calls."""
        if self._bitcode:
            self._final_module = binding.parse_bitcode(self._bitcode)
            self._bitcode = b""
        return self._final_module

    def with_callees(self) -> list["InnerLibrary"]:
        """Return this library and all that it needs."""
        found: dict[InnerLibrary, None] = {}
        waiting = [self]
        while waiting:
            library = waiting.pop()
            if library not in found:
                found[library] = None
                waiting += library.callees
        return list(found)

    def _get_module_for_linking(self) -> Any:
        """Return the module for a caller that is compiled by numba itself."""
        if self._whole_module is None:
            whole = binding.parse_assembly(str(self._codegen._create_empty_module(self.name)))
            link(whole, self)
            self._whole_module = whole
        return self._whole_module


def link(module: Any, library: InnerLibrary, *entry_names: str) -> None:
    """Link a library and all that it needs; what nobody calls goes, but for ``entry_names``."""
    own_names = {each.name for each in module.functions if not each.is_declaration}
    for each in library.with_callees():
        module.link_in(each.module_alone(), preserve=True)
    for function in module.functions:
        if (
            not function.is_declaration
            and function.linkage == binding.Linkage.external
            and function.name not in own_names
            and function.name not in entry_names
        ):
            function.linkage = "linkonce_odr"
    missing = [each.name for each in module.functions if is_missing(each)]
    if missing:
        raise NotLinked(f"{library.name}: nothing defines {', '.join(missing)}")


def is_missing(function: Any) -> bool:
    """Return whether a function of Python's is called and not there; C's are found later."""
    return bool(function.is_declaration and function.name.startswith(PYTHON_PREFIX))


@register_pass(mutates_CFG=False, analysis_only=False)
class NameByFile(FunctionPass):
    """Name a function after the fingerprint of its file: alike in all processes."""

    _name = "name_by_file"

    def __init__(self) -> None:
        FunctionPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        """Replace the number that this process counted."""
        path = state.library.path
        if path is not None:
            digest = hashlib.blake2b(f"{path.parent.name}/{path.name}".encode(), digest_size=7)
            state.func_id.unique_id = int.from_bytes(digest.digest())
            state.func_id.unique_name = f"{state.func_id.func_qualname}${state.func_id.unique_id}"
        return False


class InnerPasses(compiler.CompilerBase):
    """numba's own passes, with our names."""

    def define_pipelines(self) -> list[Any]:
        """Return the one pipeline."""
        passes = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(NameByFile, FixupArgs)
        passes.finalize()
        return [passes]


class InnerCompiler(_FunctionCompiler):
    """Types and lowers a function, and no more."""

    library: Any = None

    def _customize_flags(self, flags: Any) -> Any:
        flags.no_compile = True
        flags.no_cpython_wrapper = True
        flags.no_cfunc_wrapper = True
        return flags

    def _compile_core(self, args: Any, return_type: Any) -> Any:
        flags = compiler.Flags()
        self.targetdescr.options.parse_as_flags(flags, self.targetoptions)
        return compiler.compile_extra(
            self.targetdescr.typing_context, self.targetdescr.target_context, self.py_func,
            args=args, return_type=return_type, flags=self._customize_flags(flags),
            locals=self.locals, library=self.library, pipeline_class=InnerPasses,
        )  # fmt: skip


@contextmanager
def overloads_alike() -> Iterator[None]:
    """Compile what numba brings along for a call, within, in the same way."""
    before = dispatcher_registry[CPU]
    dict.__setitem__(dispatcher_registry, CPU, CodeDispatcher)
    try:
        yield
    finally:
        dict.__setitem__(dispatcher_registry, CPU, before)


def environments(library: Any) -> list[Any]:
    """Return what a library refers to of Python's objects."""
    names = [each.name for each in library._final_module.global_variables]
    found = [lookup_environment(each) for each in names if each.startswith(ENVIRONMENT_PREFIX)]
    return [each for each in found if each is not None]


def defined_names(module: Any) -> list[str]:
    """Return the names of all that a module defines."""
    groups = (module.functions, module.global_variables)
    return [each.name for group in groups for each in group if not each.is_declaration]


class CodeDispatcher(CPUDispatcher):
    """A compiled function: its inner code for callers, its machine code for entry points."""

    #: The folder of the machine code; None when it is not kept.
    folder: Path | None = None
    source_path: Path | None = None

    def __init__(self, py_func: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(py_func, *arguments, **options)
        self.inner: dict[Any, Any] = {}
        self._inner_compiler = InnerCompiler(
            py_func, self.targetdescr, self.targetoptions, self.locals, compiler.Compiler
        )

    def keep_in(self, folder: Path | None, source_path: Path | None) -> None:
        """Keep the machine code in a folder; ``source_path`` is the file of the project, if any."""
        self.folder = folder
        self.source_path = source_path

    def path_of(self, kind: str, args: Any, return_type: Any) -> Path | None:
        """Return the file of one signature."""
        key = f"{args} {return_type}"
        if self.folder is None or " at 0x" in key:
            return None
        function = self.py_func
        cells = tuple(cell.cell_contents for cell in function.__closure__ or ())
        digest = hashlib.blake2b(key.encode(), digest_size=8)
        digest.update(repr(self.targetctx.codegen().magic_tuple()).encode())
        digest.update(function.__code__.co_code)
        digest.update(dumps(cells) if cells else b"")
        module = function.__module__.rpartition(".")[2]
        name = f"{module}.{function.__qualname__}".replace("<", "").replace(">", "")
        line = function.__code__.co_firstlineno
        return self.folder / f"{name}-{line}.{digest.hexdigest()}.{kind}.nbc"

    # For compiled callers.

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """Return the type of a call from compiled code."""
        pysig, args = self._compiler.fold_argument_types(args, kws)
        if self._can_compile:
            self.compile_inner(tuple(args), None)
        signatures = [each.signature for each in self.inner.values()]
        name = self.py_func.__name__
        template = make_concrete_template(f"CallTemplate({name})", key=name, signatures=signatures)
        return template, pysig, args, {}

    def get_overload(self, sig: Any) -> Any:
        """Return the function's handle for compiled callers."""
        args, return_type = sigutils.normalize_signature(sig)
        return self.compile_inner(tuple(args), return_type).entry_point

    def compile_inner(self, args: Any, return_type: Any) -> Any:
        """Return the inner code of one signature, compiled or read."""
        with global_compiler_lock, self._compiling_counter:
            found = self.inner.get(args)
            if found is None:
                path = self.path_of("inner", args, return_type)
                found = None if path is None else self._read_inner(path)
                if found is None:
                    found = self._make_inner(path, args, return_type)
                key, libraries = found.entry_point, [found.library]
                self.targetctx.insert_user_function(key, found.fndesc, libraries)
                self.inner[args] = found
            return found

    def _make_inner(self, path: Path | None, args: Any, return_type: Any) -> Any:
        library = InnerLibrary(self.targetctx.codegen(), self.py_func.__qualname__)
        library.path, library.source_path = path, self.source_path
        self._inner_compiler.library = library
        try:
            with overloads_alike():
                found = self._inner_compiler.compile(args, return_type)
        except errors.ForceLiteralArg as error:
            fold = self._compiler.fold_argument_types
            raise error.bind_fold_arguments(lambda args, kws: fold(args, kws)[1]) from None
        library._ensure_finalized()
        found = found._replace(entry_point=library, referenced_envs=environments(library))
        found.fndesc.typemap = found.fndesc.calltypes = None
        if path is not None:
            _libraries[path] = library
            is_whole = all(each.is_kept for each in library.callees)
            if is_whole and not library.has_dynamic_globals and self._is_as_read():
                code = library._final_module.as_bitcode()
                kept = Kept.of(found, code, library.callees)
                library.is_kept = code_cache.write(path, kept)
        return found

    def _is_as_read(self) -> bool:
        return self.source_path is None or fingerprints.is_as_read(self.source_path)

    def _read_inner(self, path: Path) -> Any:
        library = library_at(path, self.source_path)
        kept = None if library is None else code_cache.read(path)
        return None if kept is None else self._result(kept, library, library)

    # For Python, entries and plugs.

    def compile(self, sig: Any) -> Any:
        """Return the function for Python of one signature, compiled or read."""
        with global_compiler_lock, self._compiling_counter:
            args, return_type = sigutils.normalize_signature(sig)
            found = self.overloads.get(tuple(args))
            if found is None:
                path = self.path_of("code", args, return_type)
                found = None if path is None else self._read_code(path)
                if found is not None:
                    self._cache_hits[sig] += 1
                else:
                    self._cache_misses[sig] += 1
                    found = self._make_code(path, self.compile_inner(tuple(args), return_type))
                self.add_overload(found)
            return found.entry_point

    def _make_code(self, path: Path | None, inner: Any) -> Any:
        context = self.targetctx
        context.refresh()
        library = context.codegen().create_library(inner.library.name)
        library.enable_object_caching()
        fndesc, environment = inner.fndesc, inner.environment
        with context.push_code_library(library):
            context.create_cpython_wrapper(library, fndesc, environment, None, release_gil=True)
            if not any(isinstance(each, types.Omitted) for each in inner.signature.args):
                context.create_cfunc_wrapper(library, fndesc, environment, None)
        link(library._final_module, inner.library, fndesc.llvm_func_name)
        if any(each.name.startswith(RUNTIME_PREFIX) for each in library._final_module.functions):
            library.add_linking_library(rtsys.library)
        library.finalize()
        made = inner._replace(library=library, referenced_envs=environments(library))
        parts = inner.library.with_callees()
        kept = Kept.of(made, library._get_compiled_object(), parts)
        if path is not None and all(each.is_kept for each in parts):
            code_cache.write(path, kept)
        return self._result(kept, library, self._executable(kept, library))

    def _read_code(self, path: Path) -> Any:
        kept = code_cache.read(path)
        if kept is None or not all(is_current(*each) for each in kept.callees):
            return None
        code_cache.mark_used(path.parent)
        self.targetctx.refresh()  # registers what the code calls of numba's own
        codegen = self.targetctx.codegen()
        library = codegen.create_library(kept.name)
        library.enable_object_caching()
        library._set_compiled_object(kept.code)
        for begin in kept.reload_init:
            begin()
        library._finalize_final_module()
        codegen._engine._defined_symbols.update(kept.names)
        return self._result(kept, library, self._executable(kept, library))

    def _executable(self, kept: "Kept", library: Any) -> Any:
        function = self.targetctx.get_executable(library, kept.fndesc, kept.environment)
        for each in kept.referenced:
            library.codegen.set_env(each.env_name, each)
        return function

    def _result(self, kept: "Kept", library: Any, entry_point: Any) -> Any:
        return compiler.compile_result(
            typing_context=self.typingctx, target_context=self.targetctx, entry_point=entry_point,
            environment=kept.environment, library=library, signature=kept.signature,
            objectmode=False, lifted=(), fndesc=kept.fndesc, reload_init=kept.reload_init,
            referenced_envs=kept.referenced,
        )  # fmt: skip


class Kept(NamedTuple):
    """The content of a file of the cache: inner code as bitcode, or machine code."""

    name: str
    code: bytes
    #: What the code defines.
    names: list[str]
    #: Its ingredients: files of the cache and of the sources.
    callees: list[tuple[Path, Path | None]]
    fndesc: Any
    environment: Any
    signature: Any
    reload_init: Any
    referenced: Any

    @classmethod
    def of(cls, made: Any, code: bytes, callees: Iterable[InnerLibrary]) -> "Kept":
        """Return what is kept of what was compiled."""
        return cls(
            made.library.name, code, defined_names(made.library._final_module),
            [(each.path, each.source_path) for each in callees if each.path is not None],
            made.fndesc, made.environment, made.signature, made.reload_init, made.referenced_envs,
        )  # fmt: skip


#: The libraries that this process read, by their files.
_libraries: dict[Path, InnerLibrary] = {}


def is_current(path: Path, source_path: Path | None) -> bool:
    """Return whether code was made of the current source."""
    return source_path is None or path.parent.name == fingerprints.of_file(source_path)


def library_at(path: Path, source_path: Path | None) -> InnerLibrary | None:
    """Return the library of a file, with all that it needs; None when one is gone or old."""
    known = _libraries.get(path)
    if known is not None:
        return known
    kept = code_cache.read(path) if is_current(path, source_path) else None
    if kept is None:
        return None
    codegen = CodeDispatcher.targetdescr.target_context.codegen()
    library = InnerLibrary(codegen, kept.name)
    for callee_path, callee_source_path in kept.callees:
        callee = library_at(callee_path, callee_source_path)
        if callee is None:
            return None
        library.callees[callee] = None
    library.path, library.source_path, library.is_kept = path, source_path, True
    library._bitcode = kept.code
    library._finalized = True
    code_cache.mark_used(path.parent)
    _libraries[path] = library
    return library
