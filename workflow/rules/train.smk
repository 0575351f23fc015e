"""Cells: every model x corruption x regularizer, all replicates of it.

REQUIRED INPUTS: the clean data and the corruption that the cell is trained on.

OUTPUTS: <results>/cells/{dataset}/{model}/{corruption}/{regularizer}/ with curves.csv,
summary.json and run.json; to Snakemake that is one wildcard, {cell}, which is quicker than four.
Checkpoints live in <results>/work/, undeclared: Snakemake deletes declared outputs before a retry.
"""


rule train:
    input:
        manifest=data_of_cell,
    output:
        curves="<results>/cells/{cell}/curves.csv",
        summary="<results>/cells/{cell}/summary.json",
        record="<results>/cells/{cell}/run.json",
    log:
        "<logs>/cells/{cell}.log",
    conda:
        "../../envs/environment.yaml"
    threads: of_cells(threads_of)
    resources:
        gpu=of_cells(attrgetter("gpus")),
    params:
        spec=lambda wildcards: cell_of(wildcards).spec,
        code=lambda wildcards: train_code(cell_of(wildcards).model),
        # A function of `output` is no rerun trigger: where cells and images are changes no result.
        where=lambda wildcards, output: WHERE_TO_TRAIN,
        work=f"{RESULTS}/work/{{cell}}",
    message:
        "Train {wildcards.cell}"
    shell:
        "python scripts/train.py --spec {params.spec:q} --code {params.code:q}"
        " --data {input.manifest:q} --out $(dirname {output.summary:q}) --work {params.work:q}"
        " {params.where} > {log:q} 2>&1"
