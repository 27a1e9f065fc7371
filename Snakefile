# The replication at a glance: fetch the data, train the models, measure them, collect, draw tables and figures.
#
#   snakemake -n --logger iwae                             how much there is to run
#   snakemake --cores 8                                    all that is not finished (config.yaml: the paper study)
#   snakemake --cores 2 --configfile config/quick.yaml     the same workflow, small
#   snakemake figures --cores 8                            tables and figures of what is finished; never trains
#   snakemake audit --cores 2                              does each claim of the paper hold, is every file what it was
#   snakemake --report report.html                         all of it on one page
#
# What is finished is told by the manifests in the model folders, never by time stamps: no rule below makes a file that
# is finished, so nothing can make it again (src/iwae/study/status.py).
#
# `snakemake --lint` complains, and exits with 1, only because no rule names a conda environment or a container: neither
# would hold the library itself, which is installed. A test sees to it that it has no other complaint.
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")  # what it was tried with


configfile: Path(workflow.basedir) / "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/start.smk"
include: "workflow/rules/jobs.smk"


pathvars:
    results=RESULTS,
    figures=FIGURES,
    logs=LOGS,


report: "workflow/report/workflow.rst"


rule all:
    input:
        section_targets(*study.sections),
        REPORT_FILES,


# Of a study that is not finished, tables and figures are made of what is there, by one command that trains nothing.
if status.missing():

    rule figures:
        log:
            "<logs>/interim.log",
        localrule: True
        params:
            results=RESULTS,
            figures=FIGURES,
        shell:
            r"""
            exec python -m iwae --log {log} interim \
                --results {params.results} \
                --figures {params.figures}
            """

else:

    rule figures:
        input:
            REPORT_FILES,


# Nobody who wants a table shall wait for months of training: this refuses what is not finished.
rule tables:
    input:
        finished(RESULT_FILES + TABLE_FILES),


# Training alone, or training and measuring: what a GPU that is lent is for. Reports are made anywhere.
rule train:
    input:
        section_targets("training"),


rule evaluate:
    input:
        section_targets(*study.sections),


include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"


onstart:
    hold_study()
    mend_times()
    plan_for_other_machines()
    keep_configuration()


onsuccess:
    print(closing_words(Path(RESULTS), Path(FIGURES)))
