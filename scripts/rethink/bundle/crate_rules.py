"""What a crate must keep to: the MUST rules of RO-Crate 1.1 and of the Run Crate profiles 0.5.

Covers the profiles Process, Workflow and Provenance Run Crate and Workflow RO-Crate 1.0 as far as
this workflow's crates use them. Needs no network: the vocabulary is told here.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from rethink.bundle.crate import CONTEXT, METADATA, PROFILES, SPECIFICATION
from rethink.files import sha256_file

ACTIONS = {"CreateAction", "ActivateAction", "UpdateAction"}
TOOLS = {"SoftwareApplication", "SoftwareSourceCode", "ComputationalWorkflow"}
DATA = {"File", "Dataset"}
EXAMPLES = DATA | {"Collection", "PropertyValue"}
MAIN_TYPES = {"File", "SoftwareSourceCode", "ComputationalWorkflow"}
TIME = re.compile(r"\d{4}-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?")

# For entities of a type: the properties that they must have, and the types of what these refer to.
MUST_REFER = {
    "CreateAction": {"instrument": TOOLS},
    "HowToStep": {"workExample": TOOLS},
    "ControlAction": {"instrument": {"HowToStep"}, "object": ACTIONS},
    "OrganizeAction": {"instrument": TOOLS, "object": {"ControlAction"}, "result": ACTIONS},
    "ComputationalWorkflow": {
        "hasPart": TOOLS,
        "programmingLanguage": {"ComputerLanguage"},
    },
}
# The same for properties that may be left out.
MAY_REFER = {
    "FormalParameter": {"workExample": EXAMPLES},
    "ComputationalWorkflow": {
        "input": {"FormalParameter"},
        "output": {"FormalParameter"},
        "step": {"HowToStep"},
    },
    "SoftwareApplication": {"input": {"FormalParameter"}, "output": {"FormalParameter"}},
    "CreateAction": {
        "object": EXAMPLES,
        "result": EXAMPLES,
        "agent": {"Person", "Organization"},
        "resourceUsage": {"PropertyValue"},
    },
}

Graph = Mapping[str, dict[str, Any]]


def problems(folder: Path) -> list[str]:
    """Return what is wrong with the crate in `folder`, nothing if it is valid.

    Each entry is the name of a file, a colon and a sentence.
    """
    path = folder / METADATA
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        entities = document["@graph"]
        graph = {entity["@id"]: entity for entity in entities}
    except FileNotFoundError:
        return [f"{METADATA}: it is not there"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"{METADATA}: it is not readable as JSON-LD with a @graph: {error!r}"]
    if not {METADATA, "./"} <= graph.keys():
        return [f"{METADATA}: the graph lacks the descriptor '{METADATA}' or the root './'"]
    found = [
        *_document(document, entities, graph),
        *_root(graph),
        *_references(graph),
        *_main_entity(graph),
        *_typed(graph, MUST_REFER, required=True),
        *_typed(graph, MAY_REFER, required=False),
        *_tools_are_used(graph),
        *_parameters_and_times(graph),
    ]
    return [*(f"{METADATA}: {text}" for text in found), *_files(graph, folder)]


def _document(document: Mapping[str, Any], entities: list[Any], graph: Graph) -> Iterator[str]:
    context = document.get("@context")
    context = context if isinstance(context, list) else [context]
    for iri in CONTEXT:
        if iri not in context:
            yield f"the @context lacks {iri}"
    ids = [entity["@id"] for entity in entities]
    for iri in sorted({iri for iri in ids if ids.count(iri) > 1}):
        yield f"two entities are called '{iri}'"
    for iri, entity in graph.items():
        if not _types(entity):
            yield f"'{iri}' has no @type"
    descriptor = graph[METADATA]
    if _ids(descriptor, "about") != ["./"]:
        yield "the descriptor is not about './'"
    if SPECIFICATION not in _ids(descriptor, "conformsTo"):
        yield f"the descriptor does not conform to {SPECIFICATION}"


def _root(graph: Graph) -> Iterator[str]:
    root = graph["./"]
    if "Dataset" not in _types(root):
        yield "the root './' is no Dataset"
    for key in ("name", "description", "datePublished", "license"):
        if not root.get(key):
            yield f"the root './' has no {key}"
    if not TIME.fullmatch(str(root.get("datePublished", ""))):
        yield "datePublished of the root './' is no ISO 8601 date"
    for profile in PROFILES:
        if profile not in _ids(root, "conformsTo"):
            yield f"the root './' does not conform to {profile}"
        elif "CreativeWork" not in _types(graph.get(profile, {})):
            yield f"the profile {profile} is no CreativeWork of the crate"
    parts = set(_ids(root, "hasPart"))
    for iri, entity in graph.items():
        if "File" in _types(entity) and iri not in parts:
            yield f"the file '{iri}' is no part of the root './'"


def _references(graph: Graph) -> Iterator[str]:
    """Yield references inside the crate that lead nowhere."""
    for iri, entity in graph.items():
        for key in entity:
            for target in _ids(entity, key):
                inside = "://" not in target
                if inside and target not in graph:
                    yield f"'{iri}': its {key} '{target}' is not in the crate"


def _main_entity(graph: Graph) -> Iterator[str]:
    main = _ids(graph["./"], "mainEntity")
    if len(main) != 1 or main[0] not in graph:
        yield "the root './' has no mainEntity"
        return
    workflow = graph[main[0]]
    if not set(_types(workflow)) >= MAIN_TYPES:
        yield f"the mainEntity '{main[0]}' is not of the types {', '.join(sorted(MAIN_TYPES))}"
    if _ids(workflow, "step") and "HowTo" not in _types(workflow):
        yield f"the mainEntity '{main[0]}' has steps but is no HowTo"
    runs = _of_types(graph, ACTIONS)
    if not any(main[0] in _ids(run, "instrument") for run in runs.values()):
        yield f"no action has the mainEntity '{main[0]}' as its instrument"
    for iri in runs:
        if iri not in _ids(graph["./"], "mentions"):
            yield f"the root './' does not mention the action '{iri}'"


def _typed(
    graph: Graph, rules: Mapping[str, Mapping[str, set[str]]], required: bool
) -> Iterator[str]:
    for kind, properties in rules.items():
        for iri, entity in _of_types(graph, {kind}).items():
            for key, allowed in properties.items():
                targets = _ids(entity, key)
                if required and not targets:
                    yield f"the {kind} '{iri}' has no {key}"
                for target in targets:
                    # A license, a host of the web: entities that the crate need not describe.
                    if target in graph and not allowed & set(_types(graph[target])):
                        none = f"is none of {_list(allowed)}"
                        yield f"the {kind} '{iri}': its {key} '{target}' {none}"


def _tools_are_used(graph: Graph) -> Iterator[str]:
    used = {i for run in _of_types(graph, ACTIONS).values() for i in _ids(run, "instrument")}
    steps = {
        step
        for w in _of_types(graph, {"ComputationalWorkflow"}).values()
        for step in _ids(w, "step")
    }
    for workflow in _of_types(graph, {"ComputationalWorkflow"}).values():
        for tool in _ids(workflow, "hasPart"):
            if tool not in used:
                yield f"the tool '{tool}' is the instrument of no action"
    for step in _of_types(graph, {"HowToStep"}):
        if step not in steps:
            yield f"the HowToStep '{step}' is no step of the workflow"


def _parameters_and_times(graph: Graph) -> Iterator[str]:
    for iri, entity in _of_types(graph, {"FormalParameter"}).items():
        if not entity.get("additionalType"):
            yield f"the FormalParameter '{iri}' has no additionalType"
    for iri, entity in _of_types(graph, {"HowToStep"}).items():
        if not str(entity.get("position", "0")).isdecimal():
            yield f"the HowToStep '{iri}': its position is no whole number"
    for iri, entity in _of_types(graph, ACTIONS).items():
        start, end = str(entity.get("startTime", "")), str(entity.get("endTime", ""))
        if not TIME.fullmatch(start) or not TIME.fullmatch(end):
            yield f"the action '{iri}' lacks startTime or endTime in ISO 8601"
        elif start > end:
            yield f"the action '{iri}' ends before it starts"
        for target in _ids(entity, "resourceUsage"):
            if not graph.get(target, {}).get("propertyID"):
                yield f"the resource usage '{target}' has no propertyID"


def _files(graph: Graph, folder: Path) -> Iterator[str]:
    """Yield the files that are not what the crate says, each by its name."""
    for iri, entity in _of_types(graph, {"File"}).items():
        if "://" in iri:
            continue
        path = folder / unquote(iri)
        if not path.is_file():
            yield f"{iri}: {METADATA} names it, but it is not there"
            continue
        size, digest = entity.get("contentSize"), entity.get("sha256")
        if size is not None and str(size) != str(path.stat().st_size):
            yield f"{iri}: it has {path.stat().st_size} bytes, {METADATA} says {size}"
        elif digest is not None and digest != sha256_file(path):
            yield f"{iri}: its sha256 is not the one in {METADATA}"


def _types(entity: Mapping[str, Any]) -> list[str]:
    kind = entity.get("@type", [])
    return kind if isinstance(kind, list) else [kind]


def _ids(entity: Mapping[str, Any], key: str) -> list[str]:
    """Return the identifiers that a property refers to."""
    values = entity.get(key, [])
    values = values if isinstance(values, list) else [values]
    return [value["@id"] for value in values if isinstance(value, dict) and "@id" in value]


def _of_types(graph: Graph, kinds: Iterable[str]) -> dict[str, dict[str, Any]]:
    wanted = set(kinds)
    return {iri: entity for iri, entity in graph.items() if wanted & set(_types(entity))}


def _list(kinds: Iterable[str]) -> str:
    return ", ".join(sorted(kinds))
