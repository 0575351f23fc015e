# Re-runs "Understanding deep learning requires rethinking generalization" (ICLR 2017), from
# download to report. `snakemake -n` lists what would run; README.md says the rest.
from snakemake.utils import min_version

min_version("9.27")


include: "workflow/rules/common.smk"


pathvars:
    results=RESULTS,
    logs=f"{RESULTS}/logs",


include: "workflow/rules/data.smk"
include: "workflow/rules/corrupt.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/theory.smk"
include: "workflow/rules/aggregate.smk"
include: "workflow/rules/report.smk"


# A rule derived by `use rule` does not inherit that it is local.
localrules:
    corrupt_images,
    report,
    data,
    corruptions,
    cells,
    theory,
    tables,
    figures,


rule report:
    default_target: True
    input:
        rules.html.output,
        rules.pdf.output if PDF_POSSIBLE else [],
        # Named again, so that a cell whose files were deleted is missed.
        summaries_of("all"),
        results_of("all"),


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


onstart:
    announce()
