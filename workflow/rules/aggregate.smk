"""Tables: the cells of a study, and of all studies together, as tidy CSV.

REQUIRED INPUTS: the cells of the study.

OUTPUTS: <results>/tables/{study}/ with curves.csv, summary.csv, cells.csv and runs.csv.
"""


rule tabulate:
    input:
        summaries=lambda wildcards: summaries_of(wildcards.study),
        curves=lambda wildcards: curves_of(wildcards.study),
        data=lambda wildcards: clean_manifests_of(wildcards.study),
    output:
        curves="<results>/tables/{study}/curves.csv",
        summary="<results>/tables/{study}/summary.csv",
        cells="<results>/tables/{study}/cells.csv",
        runs="<results>/tables/{study}/runs.csv",
        record="<results>/tables/{study}/run.json",
    log:
        "<logs>/tables/{study}.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        code=script_code("aggregate"),
    message:
        "Tabulate study {wildcards.study}"
    shell:
        "python scripts/aggregate.py --code {params.code:q} --out $(dirname {output.cells:q}) --data {input.data:q} --"
        " {input.summaries:q} > {log:q} 2>&1"
