"""Corrupted data, drawn once from the preset's seed.

REQUIRED INPUTS: <results>/data/{dataset}/ (clean images and labels).

OUTPUTS: <results>/corrupted/{dataset}/{corruption}/ with what the corruption changes, a manifest
that refers to the clean data for the rest.
"""


rule corrupt_labels:
    input:
        manifest=rules.fetch.output.manifest,
        arrays=ancient(rules.fetch.output.arrays),
    output:
        manifest="<results>/corrupted/{dataset}/{corruption}/manifest.json",
        arrays=expand(
            "<results>/corrupted/{{dataset}}/{{corruption}}/{name}.npy", name=LABEL_ARRAYS
        ),
    log:
        "<logs>/corrupted/{dataset}/{corruption}.log",
    wildcard_constraints:
        corruption=corruptions_of(labels=True),
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **stated(needs_of_corruption),
    params:
        spec=lambda wildcards: GRID.corruptions[wildcards.dataset, wildcards.corruption],
        code=script_code("corrupt"),
    message:
        "Corrupt {wildcards.dataset}: {wildcards.corruption}"
    shell:
        "python scripts/corrupt.py --spec {params.spec:q} --code {params.code:q}"
        " --data {input.manifest:q} --out $(dirname {output.manifest:q}) > {log:q} 2>&1"


use rule corrupt_labels as corrupt_images with:
    output:
        manifest="<results>/corrupted/{dataset}/{corruption}/manifest.json",
        arrays=expand(
            "<results>/corrupted/{{dataset}}/{{corruption}}/{name}.npy", name=IMAGE_ARRAYS
        ),
    wildcard_constraints:
        corruption=corruptions_of(labels=False),


# A rule derived by `use rule` does not inherit that it is local.
localrules:
    corrupt_images,
