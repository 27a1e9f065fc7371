# The data sets: two files of images each, verified by their SHA-256.
#
# in   nothing, or the user's own copies (data.folder)
# out  <data.path>/<dataset>/...; files that are there have no rule, and every reader verifies them

for dataset in DATASETS:
    if not all(Path(file).exists() for file in data_files(dataset)):

        rule:
            name:
                f"fetch_{dataset}".replace("-", "_")
            output:
                data_files(dataset),
            log:
                f"<logs>/fetch/{dataset}.log",
            benchmark:
                f"<logs>/fetch/{dataset}.benchmark.tsv"
            localrule: True
            params:
                dataset=dataset,
                data=subpath(output[0], ancestor=2),
                options=f"--folder '{study.data_folder}'" if study.data_folder else "",
            shell:
                r"""
                exec python -m iwae --log {log} fetch {params.options} \
                    --dataset {params.dataset} \
                    --output {params.data}
                """
