# What all rules share: the study that the configuration describes, how it stands, and the functions that name files.
import json
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

try:
    from iwae.errors import InputError
    from iwae.reporting import contents
    from iwae.reporting.closing import closing_words
    from iwae.study.configuration import read_study
    from iwae.study.manifest import WEIGHTS, source_sha256
    from iwae.study.measurements import MEASUREMENTS
    from iwae.study.registry import DATASETS
    from iwae.study.repeated import refuse_repeated_keys
    from iwae.study.status import FILES, StudyStatus, study_status
except ImportError as error:
    raise WorkflowError(
        f"The library iwae cannot be imported by {sys.executable} ({error}): run `make setup`, or `pip install -e .` in "
        f"{workflow.basedir}, and use the snakemake of that environment."
    ) from error

own = Path(workflow.basedir) / "src/iwae"
if own.is_dir() and source_sha256(own) != source_sha256():
    raise WorkflowError(
        f"The library iwae is another one ({Path(contents.__file__).parents[1]}) than that of this workflow ({own}): take "
        "it out of PYTHONPATH, or run `make setup`."
    )

here = Path(".snakemake").absolute()
if not os.access(here if here.exists() else here.parent, os.W_OK):
    raise WorkflowError(
        f"{here} cannot be written: work in a folder of your own, with --snakefile {workflow.main_snakefile} --directory "
        "FOLDER."
    )

try:
    for file in workflow.configfiles:
        refuse_repeated_keys(file)
    study = read_study(config)
    RESULTS, FIGURES, LOGS, CHECKPOINTS = (
        f"{folder}/{study.name}" for folder in ("results", "figures", "logs", "checkpoints")
    )
    # A job of a cluster starts a Snakemake of its own. It must see the same rules, whatever was finished in the meantime.
    PLAN = Path(LOGS) / "plan.json"
    if workflow.is_main_process:
        status = study_status(study, Path(RESULTS), Path(CHECKPOINTS))
    else:
        status = StudyStatus.of_dict(json.loads(PLAN.read_text(encoding="utf-8")))
except InputError as error:
    raise WorkflowError(str(error)) from error

if workflow.is_main_process and status.stuck:  # said at once, since the others may take days
    gone = ", ".join(sorted({f"{RESULTS}/{model.origin.name}" for model in status.stuck}))
    print(
        f"{len(status.stuck)} models cannot be trained, so the study will not be finished: the training states of what "
        f"they are continued from are gone. Delete {gone} to train that again, or turn off experiments.warm_starts.",
        file=sys.stderr,
    )

# Commands say `python`, so that they run as printed; here that is the Python which runs Snakemake, and the library that
# Snakemake has, even where the working directory has a folder iwae. Figures have their style from one file, always.
os.environ.update(
    PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    PYTHONSAFEPATH="1",
    MATPLOTLIBRC=str(Path(workflow.basedir) / "matplotlibrc"),
)

# Jobs that claim the GPU run one after another by `resources: [gpu=1]` of the default profile.
GPU = 1 if study.device == "cuda" else 0
NAMES = [model.name for model in study.models]

TABLES = contents.tables(study.models, study.sections_of)
FIGURES_OF_STUDY = contents.figures(study.models, study.sections_of, status.stripped)


def model_files(section, files):
    """These files of every model for which a section is asked; weights that were deleted on purpose are not."""
    return [
        f"<results>/{model.name}/{file}"
        for model in study.models
        if section in study.sections_of(model)
        for file in files
        if not (file == WEIGHTS and model in status.stripped)
    ]


def section_files(*sections):
    """What these sections of the manifest write, for every model."""
    files = [file for section in sections for file in model_files(section, FILES[section])]
    return files + model_files("training", ["manifest.json"])


def section_targets(*sections):
    """The same files, and the marks of what is there but outdated.

    Snakemake does not mind if a file between existing ones is missing, so targets ask for these files themselves.
    """
    return section_files(*sections) + [mark for section in sections for mark in outdated_marks(section, NAMES)]


def data_files(dataset):
    """The files of a data set."""
    return [f"{study.data}/{DATASETS[dataset].folder}/{file}" for file in DATASETS[dataset].files]


def finished(files):
    """An input function that gives `files` if every model is trained and measured, and says what is missing if not."""

    def check(wildcards):
        missing = status.missing()
        if missing:
            # Snakemake would wrap a WorkflowError in a traceback; this ends it with the sentence alone, and status 1.
            sys.exit(
                f"The study {study.name!r} is not finished, and this target never trains or measures. {RESULTS} lacks "
                f"{missing}. To finish it, run `snakemake --cores N` with the same configuration; `snakemake figures` "
                "shows what there is."
            )
        return files

    return check


def outdated_marks(section, names):
    """The marks of these models' results of a section that are there but not current.

    A file that is there is no reason for Snakemake to make it. A mark, which is newer, is one.
    """
    found = [status.outdated.get((name, section)) for name in names]
    return [f"<logs>/outdated/{mark}" for mark in found if mark]


def reported(file, **words):
    """An output that Snakemake's report shows; of an unfinished study only what is there, as it refuses what is not."""
    place = Path(file.replace("<results>", RESULTS).replace("<figures>", FIGURES))
    if status.missing() and not place.is_file():
        return file
    return report(file, caption="../report/caption.rst", **words)


# What the targets ask for.
TABLE_FILES = expand("<results>/{table}.{kind}", table=TABLES, kind=contents.TABLE_KINDS)
FIGURE_FILES = [f"<figures>/{name}.{kind}" for name, item in FIGURES_OF_STUDY.items() for kind in item.kinds]
RESULT_FILES = ["<results>/results.csv", "<results>/configuration.json", *outdated_marks("results", [""])]
REPORT_FILES = [*RESULT_FILES, *TABLE_FILES, *FIGURE_FILES, "<results>/README.md", "<results>/SHA256SUMS"]
