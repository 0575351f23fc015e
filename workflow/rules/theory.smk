"""Theory and its like: kernels, Theorem 1, linear models, stability, information, memorization.

REQUIRED INPUTS: the clean data of the experiment; none for the information plane, whose data are a
rule that it makes itself, or a file that the preset names.

OUTPUTS: <results>/theory/{experiment}/ with result.json and run.json. What kernels,
stability and memorization have finished is kept in <results>/work/theory/ until their end,
undeclared like the checkpoints of the cells.
"""


rule kernel:
    input:
        manifest=data_of_experiment,
        arrays=arrays_of_experiment,
    output:
        result="<results>/theory/{experiment}/result.json",
        predictions="<results>/theory/{experiment}/predictions.npy",
        record="<results>/theory/{experiment}/run.json",
    log:
        "<logs>/theory/{experiment}.log",
    wildcard_constraints:
        experiment=experiments_by("kernel"),
    conda:
        "../../envs/environment.yaml"
    threads: 8
    resources:
        **stated(needs_of_experiment),
        gpu=1,
    params:
        spec=lambda wildcards: GRID.experiments[wildcards.experiment].spec,
        code=script_code("kernel"),
        work=f"{RESULTS}/work/theory/{{experiment}}",
    message:
        "Interpolate by a kernel: {wildcards.experiment}"
    shell:
        "python scripts/kernel.py --spec {params.spec:q} --code {params.code:q}"
        " --data {input.manifest:q} --out $(dirname {output.result:q}) --work {params.work:q}"
        " --threads {threads} > {log:q} 2>&1"


rule expressivity:
    input:
        manifest=data_of_experiment,
        arrays=arrays_of_experiment,
    output:
        result="<results>/theory/{experiment}/result.json",
        residuals="<results>/theory/{experiment}/residuals.csv",
        record="<results>/theory/{experiment}/run.json",
    log:
        "<logs>/theory/{experiment}.log",
    wildcard_constraints:
        experiment=experiments_by("expressivity"),
    conda:
        "../../envs/environment.yaml"
    resources:
        **stated(needs_of_experiment),
    params:
        spec=lambda wildcards: GRID.experiments[wildcards.experiment].spec,
        code=script_code("expressivity"),
    message:
        "Build the networks of Theorem 1: {wildcards.experiment}"
    shell:
        "python scripts/expressivity.py --spec {params.spec:q} --code {params.code:q}"
        " --data {input.manifest:q} --out $(dirname {output.result:q}) > {log:q} 2>&1"


rule linear:
    input:
        manifest=data_of_experiment,
        arrays=arrays_of_experiment,
    output:
        result="<results>/theory/{experiment}/result.json",
        record="<results>/theory/{experiment}/run.json",
    log:
        "<logs>/theory/{experiment}.log",
    wildcard_constraints:
        experiment=experiments_by("linear"),
    conda:
        "../../envs/environment.yaml"
    resources:
        **stated(needs_of_experiment),
    params:
        spec=lambda wildcards: GRID.experiments[wildcards.experiment].spec,
        code=script_code("linear"),
    message:
        "Compare linear interpolants: {wildcards.experiment}"
    shell:
        "python scripts/linear.py --spec {params.spec:q} --code {params.code:q}"
        " --data {input.manifest:q} --out $(dirname {output.result:q}) > {log:q} 2>&1"


rule stability:
    input:
        manifest=data_of_experiment,
        arrays=arrays_of_experiment,
    output:
        result="<results>/theory/{experiment}/result.json",
        record="<results>/theory/{experiment}/run.json",
    log:
        "<logs>/theory/{experiment}.log",
    wildcard_constraints:
        experiment=experiments_by("stability"),
    conda:
        "../../envs/environment.yaml"
    resources:
        **stated(needs_of_experiment),
        gpu=1,
    params:
        spec=lambda wildcards: GRID.experiments[wildcards.experiment].spec,
        code=lambda wildcards: experiment_code(GRID.experiments[wildcards.experiment]),
        work=f"{RESULTS}/work/theory/{{experiment}}",
    message:
        "Replace single examples and train again: {wildcards.experiment}"
    shell:
        "python scripts/stability.py --spec {params.spec:q} --code {params.code:q}"
        " --data {input.manifest:q} --out $(dirname {output.result:q}) --work {params.work:q}"
        " > {log:q} 2>&1"


rule information_plane:
    input:
        file=file_of_experiment,
    output:
        result="<results>/theory/{experiment}/result.json",
        record="<results>/theory/{experiment}/run.json",
    log:
        "<logs>/theory/{experiment}.log",
    wildcard_constraints:
        experiment=experiments_by("information_plane"),
    conda:
        "../../envs/environment.yaml"
    resources:
        **stated(needs_of_experiment),
    params:
        spec=lambda wildcards: GRID.experiments[wildcards.experiment].spec,
        code=script_code("information_plane"),
    message:
        "Estimate the information in layers: {wildcards.experiment}"
    shell:
        "python scripts/information_plane.py --spec {params.spec:q} --code {params.code:q}"
        " --out $(dirname {output.result:q}) > {log:q} 2>&1"


rule memorization:
    input:
        manifest=data_of_experiment,
        arrays=arrays_of_experiment,
    output:
        result="<results>/theory/{experiment}/result.json",
        record="<results>/theory/{experiment}/run.json",
    log:
        "<logs>/theory/{experiment}.log",
    wildcard_constraints:
        experiment=experiments_by("memorization"),
    conda:
        "../../envs/environment.yaml"
    resources:
        **stated(needs_of_experiment),
        gpu=1,
    params:
        spec=lambda wildcards: GRID.experiments[wildcards.experiment].spec,
        code=lambda wildcards: experiment_code(GRID.experiments[wildcards.experiment]),
        work=f"{RESULTS}/work/theory/{{experiment}}",
    message:
        "Measure how networks memorize: {wildcards.experiment}"
    shell:
        "python scripts/memorization.py --spec {params.spec:q} --code {params.code:q}"
        " --data {input.manifest:q} --out $(dirname {output.result:q}) --work {params.work:q}"
        " > {log:q} 2>&1"
