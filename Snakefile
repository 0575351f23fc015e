# Re-runs "Understanding deep learning requires rethinking generalization" (ICLR 2017), from
# download to report. `snakemake -n` lists what would run; README.md says the rest.
from snakemake.utils import min_version

min_version("9.27")


report: "report/snakemake/workflow.rst"


include: "workflow/rules/common.smk"


for stage in ("data", "corrupt", "train", "theory", "aggregate", "report", "bundle"):

    include: f"workflow/rules/{stage}.smk"


rule report:
    default_target: True
    input:
        rules.html.output,
        rules.pdf.output if PDF_POSSIBLE else [],
        results_of("all"),
        lambda wildcards: lost_files(),


rule data:
    input:
        expand(rules.fetch.output.manifest, dataset=GRID.datasets),


rule corruptions:
    input:
        [manifest_of(*pair) for pair in GRID.corruptions],


rule cells:
    input:
        summaries_of("all"),


rule theory:
    input:
        results_of("all"),


rule tables:
    input:
        expand(rules.tabulate.output.cells, study=GRID.tabulated()),
        rules.claims.output.claims,


rule figures:
    input:
        figures_of_all_studies(),
