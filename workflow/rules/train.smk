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
        **stated(needs_of_cell, ["mem_mb", "runtime"]),
        gpu=of_cells(attrgetter("gpus")),
        disk_mb=needs.CELL_DISK_MB,
    params:
        spec=spec_of_cell,
        code=code_of_cell,
        settings=settings_of_cells,
        work=f"{RESULTS}/work/{{cell}}",
    message:
        "Train {wildcards.cell}"
    shell:
        "python scripts/train.py --spec {params.spec:q} --code {params.code:q}"
        " --data {input.manifest:q} --out $(dirname {output.summary:q}) --work {params.work:q}"
        " {params.settings} > {log:q} 2>&1"
