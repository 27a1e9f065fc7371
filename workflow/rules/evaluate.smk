# Measuring: one job for each trained model, which measures all that the model's folder lacks.
#
# in   the trained model, by its <results>/<model>/training.csv, and the data files
# out  the files of each section (src/iwae/study/measurements.py), which is entered in the model's manifest.json as soon as
#      it is finished: a job that is killed loses the section at work, and no other
#
# Snakemake removes what a rule names as its output before it runs, so each rule names what is lacking alone. Most studies
# have one such rule; where some models lack less than others, as after an interruption, there is one for each such set.
# On a cluster `measure_by: section` makes a job of each section.
import re

for name, part, sections, models in measuring_jobs():

    rule:
        name:
            name
        input:
            trained=f"<results>/{{model}}/{TRAINED}",
            data=measured_data,
            before=files_read(sections),
            outdated=outdated(sections),
        output:
            [f"<results>/{{model}}/{file}" for section in sections for file in FILES[section]],
        log:
            f"<logs>/measure/{{model}}{part}.log",
        wildcard_constraints:
            model="|".join(map(re.escape, models)),
        threads: study.threads
        resources:
            gpu=GPU,
        params:
            folder=subpath(input.trained, parent=True),
            data=study.data,
            sections=sections,
            settings=measurement_flags(sections),
            device=study.device,
        shell:
            r"""
            exec python -m iwae --log {log} --end-with-parent measure \
                --model {params.folder} \
                --data {params.data:q} \
                --sections {params.sections} \
                {params.settings} \
                --device {params.device} \
                --threads {threads}
            """


# The noise of gradients in a problem that needs no model, beside which the figure `gradients` shows that of the models.
# It is made again with theirs, and before them, as nothing else tells that it has other settings.
if "gradients" in study.sections and (
    outdated_marks("gradients", NAMES) or not Path(RESULTS, contents.SIGNAL_TO_NOISE).is_file()
):

    rule measure_signal_to_noise:
        input:
            outdated_marks("gradients", NAMES),
        output:
            f"<results>/{contents.SIGNAL_TO_NOISE}",
        log:
            "<logs>/measure/signal_to_noise.log",
        priority: 1
        threads: study.threads
        params:
            settings=study.measurements["gradients"],
        shell:
            r"""
            exec python -m iwae --log {log} --end-with-parent signal-to-noise \
                --output {output} \
                --replicates {params.settings.replicates} \
                --seed {params.settings.seed} \
                --threads {threads}
            """
