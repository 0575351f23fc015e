"""One experiment on memorization: the measures that it asks for, one after the other."""

import time
from typing import Any

from rethink.corruption_names import parse
from rethink.datasets.store import open_dataset
from rethink.errors import RethinkError, suggest
from rethink.memorization import capacity, critical_samples, easy_hard, loss_sensitivity
from rethink.theory.place import Place

MEASURES = {
    "easy_hard": easy_hard,
    "loss_sensitivity": loss_sensitivity,
    "critical_samples": critical_samples,
    "capacity": capacity,
}
OWN_TOY = ("loss_sensitivity",)  # measured on a network of its own, not on the models
DEFAULTS: dict[str, Any] = {"seed": 0, "numerics": "fp32", "models": {}, "input": None}
REQUIRED = ("name", "dataset")


def run(values: dict[str, Any], place: Place) -> None:
    """Do every measure that is asked for: result.json and, last, run.json.

    Parameters
    ----------
    values : name, dataset; ``models``, by name the ``module`` and ``arguments`` of a cell's model
        and its ``train`` settings; ``input`` as in a cell; seed; numerics; and by the name of a
        measure what is asked of it, see `MEASURES` and their modules.
    place : its data are clean; corruptions are drawn from the seed, as the cells' are.

    Raises RethinkError for anything else.
    """
    spec = checked(values)
    started = time.perf_counter()
    data = open_dataset(place.manifest, verify=True)
    if data.corruption != "none":
        raise RethinkError(f"{spec['name']}: {place.manifest} is a corruption; give the clean data")
    seconds = {"prepare": time.perf_counter() - started}
    result: dict[str, Any] = {
        "schema": 1,
        "kind": "memorization",
        "name": spec["name"],
        "dataset": data.name,
        "classes": data.classes,
        "train_available": len(data.train_labels),
        "test_examples": len(data.test_labels),
    }
    for name, module in MEASURES.items():
        if spec[name] is not None:
            begun = time.perf_counter()
            found = module.measure(data, spec, spec[name], place)
            result[name] = {"asked": spec[name], "found": found}
            seconds[name] = time.perf_counter() - begun
    place.finish(result, spec["numerics"], seconds)


def checked(values: dict[str, Any]) -> dict[str, Any]:
    """Return the specification with its defaults; raises RethinkError for one that is none.

    A measure that is not asked for is None.
    """
    known = [*REQUIRED, *DEFAULTS, *MEASURES]
    for key in values:
        if key not in known:
            raise RethinkError(f"memorization: unknown key '{key}'{suggest(key, known)}")
    for key in REQUIRED:
        if key not in values:
            raise RethinkError(f"memorization: '{key}' is missing")
    spec = {**DEFAULTS, **values}
    for name in MEASURES:
        asked = spec.get(name)
        spec[name] = None if asked is None else _asked(name, asked)
    wanted = [name for name in MEASURES if spec[name] is not None]
    if not wanted:
        raise RethinkError(f"memorization: ask for at least one of {', '.join(MEASURES)}")
    if not spec["models"] and set(wanted) - set(OWN_TOY):
        raise RethinkError("memorization: 'models' is missing")
    for name, model in spec["models"].items():
        for key in ("module", "arguments", "train"):
            if key not in model:
                raise RethinkError(f"memorization: models.{name}.{key} is missing")
        if model["train"].get("early_stopping"):
            raise RethinkError(
                f"memorization: models.{name}.train.early_stopping should be null: memorization is "
                "followed to the end of training"
            )
    return spec


def _asked(measure: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return what is asked of a measure, with its defaults."""
    defaults = MEASURES[measure].DEFAULTS
    for key in given:
        if key not in defaults:
            raise RethinkError(
                f"memorization: unknown key '{measure}.{key}'{suggest(key, defaults)}"
            )
    asked = {**defaults, **given}
    for name in asked["corruptions"]:
        try:
            corruption = parse(name)
        except ValueError as error:
            raise RethinkError(f"memorization: {measure}.corruptions: {error}") from None
        if corruption.kind == "signs":
            raise RethinkError(
                f"memorization: {measure}.corruptions: '{name}' is a task of its own; give 'none' "
                "or a noise such as 'labels-1' or 'gaussian'"
            )
    return asked
