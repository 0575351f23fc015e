"""Digests of code: blind to comments, docstrings and layout, and to nothing else."""

import pytest

from rethink.digests import SCRIPTS, closure, code_digest

MODULE = '''"""Doc."""
import os

def f(x, y=(1, 2)):
    """What f does."""
    # a comment
    return f"{x}" + "a" * len(y)
'''


@pytest.fixture
def root(tmp_path):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "used.py").write_text(MODULE)
    (tmp_path / "pkg" / "hidden.py").write_text("z = 1\n")
    (tmp_path / "pkg" / "unused.py").write_text("w = 1\n")
    (tmp_path / "main.py").write_text("from pkg import used\n")
    return tmp_path


def digest_after(root, file, text):
    (root / file).write_text(text)
    return code_digest("main.py", ["pkg.hidden"], root)


@pytest.mark.parametrize(
    "old, new, changes",
    [
        ("# a comment", "# another, longer comment", False),
        ("    # a comment\n", "", False),
        ('"""What f does."""', '"""Otherwise said."""', False),
        ('    """What f does."""\n', "", False),
        ('"""Doc."""\n', "", False),
        ("(1, 2)", "(\n        1,\n        2,\n    )", False),
        ('"a"', "'a'", False),
        ("import os\n", "import os\n\n\n\n", False),
        ("(1, 2)", "(1, 3)", True),
        ('"a"', '"b"', True),
        ("    return", "    x = 1\n    return", True),
        ("import os\n", "import sys\n", True),
        ("def f(x, y", "def f(y, x", True),
    ],
)
def test_what_changes_the_digest(root, old, new, changes):
    before = code_digest("main.py", ["pkg.hidden"], root)
    after = digest_after(root, "pkg/used.py", MODULE.replace(old, new, 1))
    assert (before != after) == changes


def test_modules_named_at_run_time_count_and_unreached_ones_do_not(root):
    before = code_digest("main.py", ["pkg.hidden"], root)
    assert digest_after(root, "pkg/unused.py", "w = 2\n") == before
    assert digest_after(root, "pkg/hidden.py", "z = 2\n") != before


def test_indentation_that_changes_the_meaning_counts(root):
    first = digest_after(root, "pkg/used.py", "if a:\n    b()\n    c()\n")
    assert digest_after(root, "pkg/used.py", "if a:\n    b()\nc()\n") != first


def test_a_missing_module_is_an_error(root):
    with pytest.raises(FileNotFoundError, match="pkg.nowhere"):
        code_digest("main.py", ["pkg.nowhere"], root)


def test_training_reaches_its_own_model_only_and_no_catalogue():
    reached = closure("train.py", ("rethink.models.mlp",))
    names = {str(path.relative_to(SCRIPTS)) for path in reached}
    assert "rethink/models/mlp.py" in names
    assert not any(
        name.startswith(("rethink/analysis", "rethink/figures", "rethink/publish"))
        or name in ("rethink/models/inception.py", "rethink/models/alexnet.py")
        or name.endswith("catalog.py")
        or name in ("rethink/config.py", "rethink/grid.py")
        for name in names
    ), names
