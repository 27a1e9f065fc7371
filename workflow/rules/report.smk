# From measured models to results.csv, tables, figures, the study's README and its audit.
#
# in   all files of all model folders
# out  <results>/{results.csv,configuration.json,<table>.*,README.md,SHA256SUMS}, <figures>/<name>.{pdf,png,csv} (of
#      images no csv); the audit, which is made anew whenever it is asked for, writes <results>/audit.{json,md,html}


ruleorder: collect_results > mark_outdated


rule collect_results:
    input:
        section_files(*study.sections),
    output:
        "<results>/results.csv",
        "<results>/configuration.json",
        # As an input, which the next run lacks, it would be the reason to do all this once more.
        touch(outdated_marks("results", [""])),
    log:
        "<logs>/collect.log",
    localrule: True
    params:
        results=subpath(output[0], parent=True),
        models=NAMES,
        asked=study.digest,
        # Much of it changes no result: as a function of the output it is no reason to do all this again.
        configuration=lambda wildcards, output: json.dumps(config, sort_keys=True),
    shell:
        r"""
        exec python -m iwae --log {log} collect \
            --results {params.results} \
            --models {params.models} \
            --configuration {params.configuration:q}
        """


# All in one process, which starts once: a table is made in a moment.
rule tabulate:
    input:
        "<results>/results.csv",
    output:
        expand("<results>/{table}.{kind}", table=TABLES, kind=["csv", "md", "tex"]),
        [
            reported(f"<results>/{name}.html", category="Tables", labels={"table": item.title})
            for name, item in TABLES.items()
        ],
    log:
        "<logs>/tables.log",
    localrule: True
    params:
        tables=list(TABLES),
        caption="What its columns hold is said below the table.",
        results=subpath(input[0], parent=True),
    shell:
        r"""
        exec python -m iwae --log {log} table {params.tables} \
            --results {params.results}
        """


# A rule for each figure that the study has, from the library's declaration of them (iwae.reporting.contents): written out
# these rules would differ in their names alone.
for name, item in FIGURES_OF_STUDY.items():

    rule:
        name:
            f"plot_{name}"
        input:
            "<results>/results.csv",
            model_files(item.section, item.files),
            [f"<results>/{file}" for file in item.beside],
        output:
            [f"<figures>/{name}.{kind}" for kind in item.kinds if kind != "png"],
            reported(f"<figures>/{name}.png", category="Figures", labels={"figure": item.title}),
        log:
            f"<logs>/figure/{name}.log",
        localrule: True
        params:
            figure=name,
            caption=f"{item.title}. {item.caption}".strip(),
            results=subpath(input[0], parent=True),
            figures=subpath(output[0], parent=True),
        shell:
            r"""
            exec python -m iwae --log {log} figure {params.figure} \
                --results {params.results} \
                --figures {params.figures}
            """


rule summarize_study:
    input:
        FIGURE_FILES,
        TABLE_FILES,
        "<results>/results.csv",
    output:
        "<results>/README.md",
        "<results>/SHA256SUMS",
    log:
        "<logs>/summary.log",
    localrule: True
    params:
        results=subpath(output[0], parent=True),
        figures=subpath(input[0], parent=True),
    shell:
        r"""
        exec python -m iwae --log {log} summary \
            --results {params.results} \
            --figures {params.figures}
        """


# Without output, so that it always runs and what it found is kept when it fails. Without input, so that nothing which it
# is to examine is made again before: on a fresh clone all times are arbitrary.
rule audit:
    log:
        "<logs>/audit.log",
    localrule: True
    params:
        results=RESULTS,
        figures=FIGURES,
    shell:
        r"""
        exec python -m iwae --log {log} audit {params.results} \
            --figures {params.figures}
        """
