"""Cells: every model x corruption x regularizer, all replicates of it.

REQUIRED INPUTS: the clean data and the corruption that the cell is trained on.

OUTPUTS: <results>/cells/{dataset}/{model}/{corruption}/{regularizer}/ with curves.csv,
summary.json and run.json. Checkpoints live in <results>/work/, undeclared: Snakemake deletes
declared outputs before a retry.
"""


rule train:
    input:
        manifest=lambda wildcards: manifest_of(wildcards.dataset, wildcards.corruption),
        arrays=lambda wildcards: ancient(arrays_of(wildcards.dataset, wildcards.corruption)),
    output:
        curves="<results>/cells/{dataset}/{model}/{corruption}/{regularizer}/curves.csv",
        summary="<results>/cells/{dataset}/{model}/{corruption}/{regularizer}/summary.json",
        record="<results>/cells/{dataset}/{model}/{corruption}/{regularizer}/run.json",
    log:
        "<logs>/cells/{dataset}/{model}/{corruption}/{regularizer}.log",
    conda:
        "../../envs/environment.yaml"
    threads: lambda wildcards: threads_of(cell_of(wildcards))
    resources:
        gpu=lambda wildcards: cell_of(wildcards).gpus,
    params:
        spec=lambda wildcards: cell_of(wildcards).spec,
        code=lambda wildcards: train_code(wildcards.model),
        # A function of `resources` is no rerun trigger: where cells and images are changes no result.
        sharing=lambda wildcards, resources: PRESET.cells_per_gpu,
        placement=lambda wildcards, resources: PRESET.placement,
        work=f"{RESULTS}/work/{{dataset}}/{{model}}/{{corruption}}/{{regularizer}}",
    message:
        "Train {wildcards.dataset}/{wildcards.model}/{wildcards.corruption}/{wildcards.regularizer}"
    shell:
        "python scripts/train.py --spec {params.spec:q} --code {params.code:q}"
        " --data {input.manifest:q} --out $(dirname {output.summary:q}) --work {params.work:q}"
        " --cells-per-gpu {params.sharing} --placement {params.placement} > {log:q} 2>&1"
