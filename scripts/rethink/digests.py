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
BOOKKEEPING = frozenset(
    {"rethink.errors", "rethink.provenance", "rethink.training.devices", "rethink.warm"}
)

DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


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
        digest.update(f"{path.relative_to(root)} {_contents(path, _stamp(path))[1]}\n".encode())
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
        for module in _contents(path, _stamp(path))[0]:
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
def _contents(path: Path, stamp: tuple[int, int]) -> tuple[frozenset[str], str]:
    """Return the modules that a file imports and the digest of its code; it is parsed once."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    modules: set[str] = set()
    parts: list[str] = []
    _describe(tree, parts, modules)
    digest = hashlib.sha256("".join(f"{part}\0" for part in parts).encode())
    return frozenset(modules), digest.hexdigest()


def _describe(node: object, parts: list[str], modules: set[str]) -> None:
    """Append the syntax tree, as text that does not depend on the version of Python, to `parts`.

    `ast.dump` would do but for the fields that newer versions add, empty, to old constructs.
    Imports, wherever they stand, are added to `modules`.
    """
    if isinstance(node, ast.AST):
        parts.append(type(node).__name__)
        for name in node._fields:
            value = getattr(node, name, None)
            if name == "body":
                value = _without_docstring(node)
            if value is None or value == [] or name in ("kind", "type_comment"):
                continue
            parts.append(name)
            _describe(value, parts, modules)
        parts.append(")")
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules.update(_imported(node))
    elif isinstance(node, list):
        for item in node:
            _describe(item, parts, modules)
        parts.append("]")
    else:
        parts.append(repr(node))


def _without_docstring(node: ast.AST) -> object:
    """Return the body of a node, which a lambda has too, less its docstring."""
    if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        return node.body[1:]
    return node.body


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Yield the modules that an import names.

    ``from a.b import c`` names both ``a.b`` and ``a.b.c``: `c` may be a module.
    """
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif node.module and not node.level:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
