"""The bundle: a finished run with all that a reviewer needs to check it. A target of its own.

REQUIRED INPUTS: the report with everything that it is made from.

OUTPUTS: <results>/bundle.zip.
"""

from rethink.bundle.contents import preset_values


rule bundle:
    input:
        rules.html.output,
        rules.pdf.output if PDF_POSSIBLE else [],
        expand(rules.tabulate.output.cells, study=GRID.tabulated()),
        rules.claims.output.claims,
        lambda wildcards: results_of("all"),
    output:
        bundle="<results>/bundle.zip",
    log:
        "<logs>/bundle.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        # The order of the studies is the report's: no sorted keys.
        preset=lambda wildcards: json.dumps(preset_values(PRESET)),
        code=lambda wildcards: script_code("bundle"),
    message:
        "Pack {output.bundle}"
    shell:
        "python scripts/bundle.py --preset {params.preset:q} --code {params.code:q}"
        " --results $(dirname {output.bundle:q}) --out {output.bundle:q} > {log:q} 2>&1"
