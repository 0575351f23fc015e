"""Figures and the report.

REQUIRED INPUTS: <results>/tables/, <results>/theory/, the manifests of the data, the paper's values in report/paper/.

OUTPUTS: <results>/figures/, <results>/report.html and <results>/report.pdf.
"""


rule figure:
    input:
        sources=lambda wildcards: sources_of(wildcards.study),
        paper=PAPER_VALUES,
    output:
        svg=report(
            "<results>/figures/{study}/{figure}.svg",
            caption="../../report/snakemake/figure.rst",
            category="Figures",
            subcategory="{study}",
            labels={"figure": "{figure}"},
        ),
        csv="<results>/figures/{study}/{figure}.csv",
        record="<results>/figures/{study}/{figure}.svg.run.json",
    log:
        "<logs>/figures/{study}/{figure}.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        spec=lambda wildcards: canonical_json(GRID.studies[wildcards.study].summary()),
        code=lambda wildcards: figure_code(wildcards.figure),
    message:
        "Draw {wildcards.study}/{wildcards.figure}"
    shell:
        "python scripts/figure.py --code {params.code:q} --figure {wildcards.figure:q} --study {params.spec:q}"
        " --sources {input.sources:q} --paper report/paper --out {output.svg:q} > {log:q} 2>&1"


rule samples:
    input:
        manifests=lambda wildcards: [
            manifest_of(wildcards.dataset, name) for name in GRID.corruptions_of(wildcards.dataset)
        ],
    output:
        svg=report(
            "<results>/figures/samples/{dataset}.svg",
            caption="../../report/snakemake/samples.rst",
            category="Figures",
            subcategory="samples",
            labels={"figure": "{dataset}"},
        ),
        csv="<results>/figures/samples/{dataset}.csv",
        record="<results>/figures/samples/{dataset}.svg.run.json",
    log:
        "<logs>/figures/samples/{dataset}.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        code=script_code("samples"),
    message:
        "Draw samples of {wildcards.dataset}"
    shell:
        "python scripts/samples.py --code {params.code:q} --out {output.svg:q} {input.manifests:q} > {log:q} 2>&1"


rule html:
    input:
        tables=expand("<results>/tables/all/{table}.csv", table=TABLES),
        claims=rules.claims.output.claims,
        theory=results_of("all"),
        figures=figures_of_all_studies(),
        records=records_of_report(),
        data=expand("<results>/data/{dataset}/manifest.json", dataset=GRID.datasets),
        paper=PAPER_VALUES,
        template=TEMPLATES,
    output:
        html=report(
            "<results>/report.html",
            caption="../../report/snakemake/report.rst",
            category="Report",
            labels={"form": "HTML"},
        ),
        record="<results>/report.html.run.json",
    log:
        "<logs>/report/html.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        spec=GRID.report_spec(),
        code=script_code("report"),
    message:
        "Render {output.html}"
    shell:
        "python scripts/report.py --preset {params.spec:q} --code {params.code:q}"
        " --results $(dirname {output.html:q}) --template-dir report --paper report/paper --out {output.html:q} > {log:q} 2>&1"


rule pdf:
    input:
        html=rules.html.output.html,
        tables=[
            *expand("<results>/tables/all/{table}.csv", table=TABLES),
            rules.claims.output.claims,
        ],
    output:
        pdf=report(
            "<results>/report.pdf",
            caption="../../report/snakemake/report.rst",
            category="Report",
            labels={"form": "PDF"},
        ),
        record="<results>/report.pdf.run.json",
    log:
        "<logs>/report/pdf.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        code=script_code("pdf"),
    message:
        "Render {output.pdf}"
    shell:
        "python scripts/pdf.py --code {params.code:q} --html {input.html:q} --attach {input.tables:q} --out {output.pdf:q}"
        " > {log:q} 2>&1"
