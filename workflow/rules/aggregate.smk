"""Tables: the cells of a study, and of all studies together, as tidy CSV; the verdicts on claims.

REQUIRED INPUTS: the cells of the study; for the verdicts the tables of all cells and all results of
theory.

OUTPUTS: <results>/tables/{study}/ with curves.csv, summary.csv, cells.csv and runs.csv, and
<results>/tables/claims.csv.
"""


rule tabulate:
    input:
        cells=lambda wildcards: sources_of_tables(wildcards.study),
        data=lambda wildcards: clean_manifests_of(wildcards.study),
    output:
        curves="<results>/tables/{study}/curves.csv",
        summary="<results>/tables/{study}/summary.csv",
        cells=report(
            "<results>/tables/{study}/cells.csv",
            caption="../../report/snakemake/cells.rst",
            category="Tables",
            labels={"study": "{study}"},
        ),
        runs="<results>/tables/{study}/runs.csv",
        record="<results>/tables/{study}/run.json",
    log:
        "<logs>/tables/{study}.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        summaries=lambda wildcards: [
            f"{RESULTS}/cells/{name}/summary.json" for name in sorted(cells_of(wildcards.study))
        ],
        code=script_code("aggregate"),
    message:
        "Tabulate study {wildcards.study}"
    shell:
        # Thousands of paths: a builtin of the shell takes them, no command line is long enough.
        "printf '%s\\n' {params.summaries:q} | python scripts/aggregate.py --code {params.code:q}"
        " --out $(dirname {output.cells:q}) --data {input.data:q} -- - > {log:q} 2>&1"


rule claims:
    input:
        tables=expand("<results>/tables/all/{table}.csv", table=TABLES),
        theory=results_of("all"),
        claims=[f"report/{name}" for name in CLAIM_FILES],
    output:
        claims=report(
            "<results>/tables/claims.csv",
            caption="../../report/snakemake/claims.rst",
            category="Verdicts",
            labels={"table": "claims"},
        ),
        record="<results>/tables/claims.csv.run.json",
    log:
        "<logs>/tables/claims.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        spec=GRID.claims_spec(),
        code=script_code("claims"),
    message:
        "Decide the paper's claims"
    shell:
        "python scripts/claims.py --preset {params.spec:q} --code {params.code:q} --claims {input.claims:q}"
        " --tables $(dirname {input.tables[0]:q}) --theory {input.theory:q} --out {output.claims:q}"
        " > {log:q} 2>&1"
