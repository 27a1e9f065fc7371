# The data sets: files of images, verified by their digest or content.
#
# in   nothing, or the user's own copies (data.folder)
# out  <data.path>/<folder>/...; files that are there have no rule, and every reader verifies them
import shlex
from pathlib import Path

# Data sets that read the same files share a folder: the first of them fetches it.
for dataset in {known.folder: name for name, known in reversed(DATASETS.items())}.values():
    if not all(Path(file).exists() for file in data_files(dataset)):

        rule:
            name:
                f"fetch_{dataset}".replace("-", "_")
            # Snakemake would delete what is there of them, such as files that were put there by hand.
            output:
                update(data_files(dataset)),
            log:
                f"<logs>/fetch/{dataset}.log",
            localrule: True
            params:
                dataset=dataset,
                data=subpath(output[0], ancestor=2),
                options=f"--folder {shlex.quote(study.data_folder)}" if study.data_folder else "",
            shell:
                r"""
                exec python -m iwae --log {log} fetch {params.options} \
                    --dataset {params.dataset} \
                    --output {params.data:q}
                """
