# Training: one job for each group of models, which trains those of them that are not finished.
#
# in   the data files
# out  <results>/<model>/{model.safetensors,training.csv,manifest.json}; the state of training, which outlives a killed
#      job, is under checkpoints/<study>/ and no file of the workflow


# A result that is there but not current is no reason for Snakemake to act; this mark, newer than it, is one.
rule mark_outdated:
    output:
        touch("<logs>/outdated/{hash}"),
    localrule: True


for job, members in training_jobs().items():

    rule:
        name:
            f"train_{job}"
        input:
            data=training_data(members[0].dataset),
            origins=origins(members),
            outdated=outdated_marks("training", [model.name for model in members]),
        output:
            training_outputs(members),
        log:
            f"<logs>/train/{job}.log",
        # The longest jobs first, so that no core waits for them at the end.
        priority: max(model.k * model.layers for model in members)
        threads: study.threads
        resources:
            gpu=GPU,
        params:
            models=[model.name for model in members],
            data=subpath(input[0], ancestor=2),
            results=subpath(output[0], ancestor=4),
            checkpoints=CHECKPOINTS,
            protocol=study.protocol,
            settings=lines(as_flags(study.training)),
            checkpoint_minutes=study.checkpoint_minutes,
            device=study.device,
            options=training_options(),
        shell:
            r"""
            exec python -m iwae --log {log} --end-with-parent train {params.options} \
                --models {params.models} \
                --data {params.data:q} \
                --results {params.results} \
                --checkpoints {params.checkpoints} \
                --protocol {params.protocol} \
                {params.settings} \
                --checkpoint-minutes {params.checkpoint_minutes} \
                --device {params.device} \
                --threads {threads}
            """
