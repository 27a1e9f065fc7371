# What all rules share: the study that the configuration describes, how it stands, and the functions that name files.
import json
import os
import re
import sys
import time
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

try:
    from iwae import cuda
    from iwae.errors import InputError, LockedError
    from iwae.files import locked, write_json
    from iwae.reporting import contents
    from iwae.reporting.closing import closing_words
    from iwae.reporting.results import write_configuration
    from iwae.study.configuration import read_study
    from iwae.study.cost import core_hours
    from iwae.study.flags import as_flags
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


# What is held until Snakemake's process ends.
HELD = ExitStack()


def hold_study():
    """Keep every other Snakemake from writing to this study, or end if one has it.

    Two of them at once would delete each other's finished files: Snakemake removes what is there when a job starts. It
    does so only after onstart, which its dry runs, reports and the processes of its jobs leave out.
    """
    try:
        HELD.enter_context(locked(Path(RESULTS) / ".lock", seconds=0))
        if study_status(study, Path(RESULTS), Path(CHECKPOINTS)) != status:
            raise InputError(f"{RESULTS} has changed since this command looked at it: give the same command again.")
    except LockedError as error:
        sys.exit(f"{error} `python -m iwae interim --results {RESULTS}` shows meanwhile what is finished.")
    except InputError as error:
        sys.exit(str(error))


def mend_times():
    """Give files of the future the present time: Snakemake refuses what is made of them after a clock was set back."""
    data = [Path(file) for dataset in DATASETS for file in data_files(dataset)]
    for path in [*Path(RESULTS).rglob("*"), *data]:
        with suppress(OSError):
            if path.stat().st_mtime > time.time():
                os.utime(path)


def plan_for_other_machines():
    """Leave the plan to jobs that run elsewhere, whose device this machine cannot tell."""
    if workflow.non_local_exec:
        if config["device"] == "auto":
            sys.exit("device: auto is decided here, and the jobs run on other machines: name cpu or cuda.")
        write_json(PLAN, status.as_dict())


def keep_configuration():
    """Write what an unfinished study asks for to its folder, which `python -m iwae interim` reads."""
    if status.missing():
        write_configuration(Path(RESULTS), config)


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


@cache
def tell_missing_gpu():
    """Say that a GPU is asked for which is not there."""
    local = workflow.is_main_process and not workflow.non_local_exec
    if config["device"] == "cuda" and local and (obstacle := cuda.obstacle()):
        print(f"device: cuda, but {obstacle}: jobs that run on this machine will fail.", file=sys.stderr)


@cache
def tell_cost():
    """Say what training costs, where that is more than a day and there is no GPU: a study may take months."""
    hours = core_hours(study, status.unfinished["training"])
    if hours > 24 and not GPU and workflow.is_main_process:
        reason = cuda.obstacle() if config["device"] == "auto" else "device: cpu"
        print(
            f"Without a GPU ({reason}) training what {RESULTS} lacks takes roughly {round(hours, -1):,.0f} hours of a "
            "CPU core; config/quick.yaml is for a laptop.",
            file=sys.stderr,
        )


def training_data(dataset):
    """An input function that gives the files of a data set. Snakemake calls it only if something is to be trained."""

    def files(wildcards):
        tell_missing_gpu()
        tell_cost()
        return data_files(dataset)

    return files


def unmeasured():
    """The models that lack a measurement, by the sections that one job of theirs measures."""
    lacking = {}
    for section in study.measurements:
        for model in status.unfinished[section]:
            lacking.setdefault(model.name, []).append(section)
    result = {}
    for model, sections in lacking.items():
        for part in [sections] if study.measure_by == "model" else [[section] for section in sections]:
            result.setdefault(tuple(part), []).append(model)
    return result


def outdated(sections):
    """An input function: the marks of the results of these sections that are there but not current."""
    return lambda wildcards: [mark for section in sections for mark in outdated_marks(section, [wildcards.model])]


def outdated_marks(section, names):
    """The marks of these models' results of a section that are there but not current.

    A file that is there is no reason for Snakemake to make it. A mark, which is newer, is one.
    """
    found = [status.outdated.get((name, section)) for name in names]
    return [f"<logs>/outdated/{mark}" for mark in found if mark]


def measured_data(wildcards):
    """The data files that a model was trained on. Snakemake calls it only if something of the model is to be measured."""
    tell_missing_gpu()
    return data_files(wildcards.model.split("/")[0])


def files_read(sections):
    """The results that these sections are measured from, where other jobs measure them."""
    read = {name for section in sections for name in MEASUREMENTS[section].reads if name not in sections}
    return [f"<results>/{{model}}/{file}" for name in sorted(read) for file in FILES[name]]


def measuring_part(sections):
    """What the log of a job that measures one section alone has in its name."""
    return "" if study.measure_by == "model" else f".{sections[0]}"


def measuring_rule(sections, number):
    """The name of a rule that measures these sections; it stays the same, so that profiles can name it."""
    if study.measure_by == "section":
        return f"measure_{sections[0]}"
    return "measure_model" if number == 1 else f"measure_model_{number}"


def measurement_flags(sections):
    """Flags of the command that measures, one a line: every setting that determines a result."""
    return lines([flag for section in sections for flag in as_flags(study.measurements[section], section)])


def lines(flags):
    """Flags of a command, one a line."""
    return " \\\n                ".join(flags)


def training_jobs():
    """The models that are still to be trained, by the job that trains them.

    What cannot be trained has a job of its own, which fails, says why, and keeps no other model from being trained.
    """
    result = {}
    for model in status.unfinished["training"]:
        alone = f"_{model.kind}_seed{model.seed}".replace("-", "_") if model in status.stuck else ""
        result.setdefault(study.training_job(model) + alone, []).append(model)
    return result


def origins(members):
    """The weights of the models that these are continued from, where other jobs train them."""
    names = {model.origin.name for model in members if model.origin and model.origin not in members}
    return expand("<results>/{model}/model.safetensors", model=sorted(names))


def reported(file, **words):
    """An output that Snakemake's report shows; of an unfinished study only what is there, as it refuses what is not."""
    place = Path(file.replace("<results>", RESULTS).replace("<figures>", FIGURES))
    if status.missing() and not place.is_file():
        return file
    return report(file, caption="../report/caption.rst", **words)


def training_options():
    """Flags of the training command that are not always given."""
    fields = (f"{name}={json.dumps(value).strip(chr(34))}" for name, value in study.overrides.items())
    return f"--set {' '.join(fields)}" if study.overrides else ""


# What the targets ask for.
TABLE_FILES = expand("<results>/{table}.{kind}", table=TABLES, kind=contents.TABLE_KINDS)
FIGURE_FILES = [f"<figures>/{name}.{kind}" for name, item in FIGURES_OF_STUDY.items() for kind in item.kinds]
RESULT_FILES = ["<results>/results.csv", "<results>/configuration.json", *outdated_marks("results", [""])]
REPORT_FILES = [*RESULT_FILES, *TABLE_FILES, *FIGURE_FILES, "<results>/README.md", "<results>/SHA256SUMS"]
