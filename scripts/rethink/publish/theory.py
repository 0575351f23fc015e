"""What the report says of each kind of theory study: its tables, and facts for its captions."""

from collections.abc import Callable
from typing import Any

from rethink.publish.content import Table
from rethink.publish.theory_information import information_plane
from rethink.publish.theory_kernels import kernels
from rethink.publish.theory_linear import linear_models
from rethink.publish.theory_memorization import memorization
from rethink.publish.theory_stability import stability
from rethink.publish.theory_theorem1 import theorem1
from rethink.publish.theory_view import TheoryView

# The kind of a study -> its tables of values and the facts for its captions. Each table is named
# for the captions file that describes it, ``table_<name>.txt``.
KINDS: dict[str, Callable[[TheoryView], tuple[list[Table], dict[str, Any]]]] = {
    "kernels": kernels,
    "theorem1": theorem1,
    "linear_models": linear_models,
    "stability": stability,
    "information_plane": information_plane,
    "memorization": memorization,
}
