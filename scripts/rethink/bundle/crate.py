"""A run as a Workflow Run RO-Crate: every job an action, with what it read, made, cost and used.

Written to RO-Crate 1.1, on which the profiles Process, Workflow and Provenance Run Crate 0.5 rest.
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from rethink.bundle.contents import PDF, PRESET, REPORT
from rethink.bundle.facts import Facts
from rethink.bundle.jobs import Job
from rethink.files import sha256_file, sha256_text

METADATA, README, CHECKSUMS = "ro-crate-metadata.json", "README.md", "SHA256SUMS"
SPECIFICATION = "https://w3id.org/ro/crate/1.1"
CONTEXT = [f"{SPECIFICATION}/context", "https://w3id.org/ro/terms/workflow-run/context"]
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
}
BIOSCHEMAS = "https://bioschemas.org/profiles"
WORKFLOW_PROFILE = f"{BIOSCHEMAS}/ComputationalWorkflow/1.0-RELEASE"
PARAMETER_PROFILE = f"{BIOSCHEMAS}/FormalParameter/1.0-RELEASE"
LANGUAGE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
LICENSE = "https://spdx.org/licenses/MIT"
PAPER = "https://arxiv.org/abs/1611.03530"
COMPLETED = "http://schema.org/CompletedActionStatus"
UNITS = "http://qudt.org/vocab/unit"
WORKFLOW, RUN, ENGINE = "Snakefile", "#run", "#snakemake"
TYPES = {
    ".csv": "text/csv",
    ".css": "text/css",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".pdf": "application/pdf",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
# What goes into the workflow and what comes out of it, as far as it is a single file.
INPUTS = {PRESET: "preset", "report/claims.csv": "claims", "report/deviations.csv": "deviations"}
OUTPUTS = {REPORT: "report", PDF: "printed report", "tables/claims.csv": "verdicts"}
STEPS = {
    "fetch": "Fetch clean data",
    "corrupt": "Corrupt data",
    "train": "Train a cell",
    "aggregate": "Tabulate cells",
    "claims": "Decide the paper's claims",
    "figure": "Draw a figure",
    "samples": "Draw sample images",
    "report": "Render the report",
    "pdf": "Print the report",
}

Entity = dict[str, Any]


def crate(facts: Facts, texts: Mapping[str, bytes]) -> Entity:
    """Return the content of ``ro-crate-metadata.json``.

    `texts` are the files that were written for the bundle itself; `facts.files` are the others.
    """
    names = sorted({*facts.files, *texts, CHECKSUMS} - {METADATA})
    jobs = facts.jobs
    entities = [
        _descriptor(),
        _root(facts, names),
        *(_file(name, facts.files, texts) for name in names if name != WORKFLOW),
        _workflow(facts),
        *_parameters(names),
        *(
            {"@id": iri, "@type": "CreativeWork", "name": name, "version": version}
            for iri, (name, version) in PROFILES.items()
        ),
        *_context(facts),
        *_tools(facts),
        _run(facts, names),
        _organize(facts),
        *(entity for job in jobs for entity in _action(job)),
    ]
    return {"@context": CONTEXT, "@graph": entities}


def _refs(ids: Any) -> Any:
    """Return references to entities; a single one stands by itself."""
    found = [{"@id": iri} for iri in ids]
    return found[0] if len(found) == 1 else found


def _descriptor() -> Entity:
    return {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": _refs([SPECIFICATION, WORKFLOW_CRATE]),
    }


def _root(facts: Facts, names: list[str]) -> Entity:
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": facts.title,
        "description": (
            "A run of the Snakemake workflow that reproduces 'Understanding deep learning requires "
            f"rethinking generalization' (ICLR 2017), preset {facts.preset}: its report with "
            "everything that the report was computed from."
            + (f" Reduced: {facts.reduced}" if facts.reduced else "")
        ),
        "datePublished": facts.finished,
        "license": {"@id": LICENSE},
        "author": {"@id": "#authors"},
        "publisher": {"@id": "#authors"},
        "conformsTo": _refs(PROFILES),
        "citation": {"@id": PAPER},
        "hasPart": _refs(names),
        "mainEntity": {"@id": WORKFLOW},
        "mentions": _refs([RUN, "#organize", *(action_id(job) for job in facts.jobs)]),
    }


def _file(name: str, files: Mapping[str, Path], texts: Mapping[str, bytes]) -> Entity:
    """Return a file; the checksums are written last and have none themselves."""
    entity: Entity = {"@id": name, "@type": "File", "name": name}
    suffix = PurePosixPath(name).suffix
    entity["encodingFormat"] = TYPES.get(
        suffix, "application/octet-stream" if suffix else "text/plain"
    )
    if name in files:
        entity["contentSize"] = str(files[name].stat().st_size)
        entity["sha256"] = sha256_file(files[name])
    elif name in texts:
        entity["contentSize"] = str(len(texts[name]))
        entity["sha256"] = sha256_text(texts[name].decode())
    if name == README:
        entity["about"] = {"@id": "./"}
    for parameters, kind in ((INPUTS, "in"), (OUTPUTS, "out")):
        if name in parameters:
            entity["exampleOfWork"] = {"@id": f"#{kind}-{_slug(parameters[name])}"}
    return entity


def _slug(text: str) -> str:
    return text.replace(" ", "-")


def _workflow(facts: Facts) -> Entity:
    path = facts.files[WORKFLOW]
    tools = list(dict.fromkeys(job.tool for job in facts.jobs))
    return {
        "@id": WORKFLOW,
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        "name": "Rethinking generalization, re-run",
        "description": "From download to report: data, corruptions, training, tables, figures.",
        "conformsTo": {"@id": WORKFLOW_PROFILE},
        "programmingLanguage": {"@id": LANGUAGE},
        "encodingFormat": "text/plain",
        "contentSize": str(path.stat().st_size),
        "sha256": sha256_file(path),
        "version": facts.commit or "not recorded",
        "license": {"@id": LICENSE},
        "creator": {"@id": "#authors"},
        "dateCreated": facts.started,
        "input": _refs(
            f"#in-{_slug(INPUTS[n])}" for n in INPUTS if n in facts.files or n == PRESET
        ),
        "output": _refs(f"#out-{_slug(OUTPUTS[n])}" for n in OUTPUTS if n in facts.files),
        "step": _refs(f"#step-{tool}" for tool in tools),
        "hasPart": _refs(f"#tool-{tool}" for tool in tools),
    }


def _parameters(names: list[str]) -> list[Entity]:
    return [
        {
            "@id": f"#{kind}-{_slug(title)}",
            "@type": "FormalParameter",
            "name": title,
            "additionalType": "File",
            "conformsTo": {"@id": PARAMETER_PROFILE},
            "workExample": {"@id": name},
        }
        for kind, parameters in (("in", INPUTS), ("out", OUTPUTS))
        for name, title in parameters.items()
        if name in names
    ]


def _context(facts: Facts) -> list[Entity]:
    """Return who and what the other entities refer to."""
    hosts = sorted({_host(job) for job in facts.jobs})
    return [
        {
            "@id": LICENSE,
            "@type": "CreativeWork",
            "name": "MIT License",
            "description": "Of the workflow and of this bundle; the datasets have their own.",
        },
        {
            "@id": PAPER,
            "@type": "ScholarlyArticle",
            "name": "Understanding deep learning requires rethinking generalization",
            "author": "Zhang, Bengio, Hardt, Recht, Vinyals",
        },
        {"@id": "#authors", "@type": "Organization", "name": "The authors of this workflow"},
        *(
            {"@id": f"#operator-{host}", "@type": "Person", "name": f"Whoever ran it on {host}"}
            for host in hosts
        ),
        {
            "@id": LANGUAGE,
            "@type": "ComputerLanguage",
            "name": "Snakemake",
            "alternateName": "Snakemake",
            "identifier": {"@id": "https://doi.org/10.1093/bioinformatics/bts480"},
            "url": {"@id": "https://snakemake.readthedocs.io"},
        },
        {
            "@id": ENGINE,
            "@type": "SoftwareApplication",
            "name": "Snakemake",
            "url": {"@id": "https://snakemake.readthedocs.io"},
            "softwareVersion": facts.software.get("snakemake", "not recorded"),
        },
    ]


def _host(job: Job) -> str:
    return job.facts["machine"].get("host") or "unknown"


def _tools(facts: Facts) -> list[Entity]:
    """Return each command line with its parameters, its step, and the control of its runs."""
    by_tool: dict[str, list[Job]] = {}
    for job in facts.jobs:
        by_tool.setdefault(job.tool, []).append(job)
    entities: list[Entity] = []
    for position, (tool, mine) in enumerate(by_tool.items(), 1):
        title = STEPS.get(tool, f"Do an experiment: {tool.replace('_', ' ')}")
        entities += [
            {
                "@id": f"#tool-{tool}",
                "@type": "SoftwareApplication",
                "name": f"scripts/{tool}.py",
                "description": title,
                "softwareVersion": facts.commit or "not recorded",
                "input": _refs([f"#{tool}-specification", f"#{tool}-code"]),
            },
            *(
                {
                    "@id": f"#{tool}-{parameter}",
                    "@type": "FormalParameter",
                    "name": parameter,
                    "additionalType": "Text",
                    "conformsTo": {"@id": PARAMETER_PROFILE},
                    "workExample": _refs(f"{action_id(job)}-{parameter}" for job in mine),
                }
                for parameter in ("specification", "code")
            ),
            {
                "@id": f"#step-{tool}",
                "@type": "HowToStep",
                "name": title,
                "position": str(position),
                "workExample": {"@id": f"#tool-{tool}"},
            },
            {
                "@id": f"#control-{tool}",
                "@type": "ControlAction",
                "name": f"{title}: {len(mine)} times",
                "instrument": {"@id": f"#step-{tool}"},
                "object": _refs(action_id(job) for job in mine),
            },
        ]
    return entities


def _run(facts: Facts, names: list[str]) -> Entity:
    """Return the run of the workflow as a whole."""
    return {
        "@id": RUN,
        "@type": "CreateAction",
        "name": f"Run of preset {facts.preset}",
        "description": f"snakemake --configfile {PRESET}",
        "instrument": {"@id": WORKFLOW},
        "object": _refs(name for name in INPUTS if name in names),
        "result": _refs(name for name in OUTPUTS if name in names),
        "agent": _refs(sorted({f"#operator-{_host(job)}" for job in facts.jobs})),
        "startTime": facts.started,
        "endTime": facts.finished,
        "actionStatus": COMPLETED,
    }


def _organize(facts: Facts) -> Entity:
    tools = dict.fromkeys(job.tool for job in facts.jobs)
    return {
        "@id": "#organize",
        "@type": "OrganizeAction",
        "name": f"Run of Snakemake {facts.software.get('snakemake', '')}".rstrip(),
        "instrument": {"@id": ENGINE},
        "object": _refs(f"#control-{tool}" for tool in tools),
        "result": {"@id": RUN},
        "startTime": facts.started,
        "endTime": facts.finished,
    }


def action_id(job: Job) -> str:
    """Return the identifier of a job's action."""
    return f"#{job.record}"


def _action(job: Job) -> list[Entity]:
    """Return a job's action, with its parameters and what it used."""
    iri, facts = action_id(job), job.facts
    usage = {
        "seconds": ("wall-clock time", "SEC"),
        "cpu_seconds": ("CPU time", "SEC"),
        "peak_memory_mb": ("peak resident memory", "MebiBYTE"),
    }
    used = {key: value for key, value in usage.items() if facts.get(key) is not None}
    parameters = {"specification": facts.get("spec", ""), "code": facts["digests"]["code"]}
    return [
        {
            "@id": iri,
            "@type": "CreateAction",
            "name": f"{STEPS.get(job.tool, job.tool)}: {job.name}",
            "description": facts["command"],
            "instrument": {"@id": f"#tool-{job.tool}"},
            "object": _refs([*job.inputs, *(f"{iri}-{parameter}" for parameter in parameters)]),
            "result": _refs(job.outputs),
            "agent": {"@id": f"#operator-{_host(job)}"},
            "startTime": facts["started"],
            "endTime": facts["finished"],
            "actionStatus": COMPLETED,
            "resourceUsage": _refs(f"{iri}-{key}" for key in used),
        },
        *(
            {
                "@id": f"{iri}-{parameter}",
                "@type": "PropertyValue",
                "name": parameter,
                "value": value,
                "exampleOfWork": {"@id": f"#{job.tool}-{parameter}"},
            }
            for parameter, value in parameters.items()
        ),
        *(
            {
                "@id": f"{iri}-{key}",
                "@type": "PropertyValue",
                "name": title,
                "propertyID": key,
                "value": str(facts[key]),
                "unitCode": f"{UNITS}/{unit}",
            }
            for key, (title, unit) in used.items()
        ),
    ]
