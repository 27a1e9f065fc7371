# Measuring: five steps for each trained model, and each only for the models that lack its current result.
#
# in   <results>/<model>/model.safetensors and the data files
# out  <results>/<model>/{likelihood.npz,likelihood.csv,activity.csv,chopped.npz,chopped.csv,surgery.csv,pictures.npz};
#      every step also enters itself into the model's manifest.json

for name, section in MEASURED_BY.items():

    rule:
        name:
            name
        input:
            model="<results>/{model}/model.safetensors",
            data=measured_data,
            before=measured_before(section),
            outdated=outdated(section),
        output:
            [f"<results>/{{model}}/{file}" for file in FILES[section]],
        log:
            f"<logs>/{section}/{{model}}.log",
        wildcard_constraints:
            model=unfinished(section),
        threads: study.threads
        resources:
            gpu=GPU,
        params:
            section=section,
            folder=subpath(input.model, parent=True),
            data=study.data,
            settings=settings_flags(section),
            device=study.device,
        shell:
            r"""
            exec python -m iwae --log {log} --end-with-parent {params.section} \
                --model {params.folder} \
                --data {params.data} \
                {params.settings} \
                --device {params.device} \
                --threads {threads}
            """
