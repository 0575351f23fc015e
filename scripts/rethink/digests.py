"""Digests of the code that computes a result, blind to comments, docstrings and layout.

Snakemake does not see the modules that a command line imports. Each rule therefore carries a
digest over its import closure inside ``scripts/``: the script, the modules it imports (also inside
functions) and those it loads by name, which the caller lists.
"""

import ast
import functools
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]

# Modules that watch or report the work but do not take part in it: editing them changes no result.
BOOKKEEPING = frozenset({"rethink.errors", "rethink.provenance", "rethink.training.devices"})


def code_digest(script: str, modules: Iterable[str] = (), root: Path = SCRIPTS) -> str:
    """Return the digest of a script's code and of every module below `root` that it reaches.

    Parameters
    ----------
    script : file name of the command line in `root`, e.g. ``train.py``.
    modules : modules it loads by name at run time, e.g. ``rethink.models.inception``.

    Returns the first 16 hexadecimal digits of a sha256. Raises FileNotFoundError for a script or
    a module that is not there.
    """
    digest = hashlib.sha256()
    for path in sorted(closure(script, tuple(modules), root)):
        digest.update(f"{path.relative_to(root)} {_file_digest(path, _stamp(path))}\n".encode())
    return digest.hexdigest()[:16]


def closure(script: str, modules: tuple[str, ...] = (), root: Path = SCRIPTS) -> set[Path]:
    """Return the files that `script` and `modules` reach by imports, bookkeeping left out."""
    todo = [root / script, *(_required(module, root) for module in modules)]
    reached: set[Path] = set()
    while todo:
        path = todo.pop()
        if path in reached:
            continue
        reached.add(path)
        for module in _imports(path, _stamp(path)):
            found = _module_file(module, root)
            if found is not None and module not in BOOKKEEPING:
                todo.append(found)
    return reached


def _stamp(path: Path) -> tuple[int, int]:
    """Identify a state of a file, so that one process reads each state once."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _module_file(module: str, root: Path) -> Path | None:
    base = root.joinpath(*module.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _required(module: str, root: Path) -> Path:
    found = _module_file(module, root)
    if found is None:
        raise FileNotFoundError(f"no module {module} in {root}")
    return found


@functools.cache
def _imports(path: Path, stamp: tuple[int, int]) -> frozenset[str]:
    """Return the modules that a file names in its imports, wherever they stand.

    ``from a.b import c`` names both ``a.b`` and ``a.b.c``: `c` may be a module.
    """
    names: set[str] = set()
    for node in ast.walk(_parse(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(names)


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@functools.cache
def _file_digest(path: Path, stamp: tuple[int, int]) -> str:
    if path.suffix != ".py":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for part in _structure(_without_docstrings(_parse(path))):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()


def _without_docstrings(tree: ast.Module) -> ast.Module:
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return tree


def _structure(node: object) -> Iterator[str]:
    """Yield the syntax tree as text that does not depend on the version of Python.

    `ast.dump` would do but for the fields that newer versions add, empty, to old constructs.
    """
    if isinstance(node, ast.AST):
        yield type(node).__name__
        for name, value in ast.iter_fields(node):
            if value not in (None, []) and name not in ("kind", "type_comment"):
                yield name
                yield from _structure(value)
        yield ")"
    elif isinstance(node, list):
        for item in node:
            yield from _structure(item)
        yield "]"
    else:
        yield repr(node)
