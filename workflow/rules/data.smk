"""Clean data.

REQUIRED INPUTS: nothing; the sources are embedded, downloaded or named in the preset.

OUTPUTS: <results>/data/{dataset}/ with uint8 images, labels and a manifest of their sha256.
"""


rule fetch:
    output:
        manifest="<results>/data/{dataset}/manifest.json",
        arrays=expand("<results>/data/{{dataset}}/{name}.npy", name=DATA_ARRAYS),
    log:
        "<logs>/data/{dataset}.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    resources:
        **stated(needs_of_dataset),
    params:
        spec=lambda wildcards: GRID.datasets[wildcards.dataset],
        code=lambda wildcards: fetch_code(GRID, wildcards.dataset),
        # A function of `resources` is no rerun trigger: where the bytes come from changes nothing.
        places=lambda wildcards, resources: places_of(wildcards.dataset),
    message:
        "Fetch {wildcards.dataset}"
    shell:
        "python scripts/fetch.py --spec {params.spec:q} --code {params.code:q}"
        " --places {params.places:q} --out $(dirname {output.manifest:q}) > {log:q} 2>&1"
