# The jobs of the workflow that take long: which models each of them trains or measures, of what, and by which flags.
import json
import sys
from functools import cache

from iwae import cuda
from iwae.study.cost import core_hours
from iwae.study.flags import as_flags

TRAINED = "training.csv"  # the file that every training writes


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


def training_jobs():
    """The models that are still to be trained, by the job that trains them.

    What cannot be trained has a job of its own, which fails, says why, and keeps no other model from being trained.
    """
    result = {}
    for model in status.unfinished["training"]:
        alone = f"_{model.kind}_seed{model.seed}".replace("-", "_") if model in status.stuck else ""
        result.setdefault(study.training_job(model) + alone, []).append(model)
    return result


def training_outputs(members):
    """What the training of these models writes, but for what it goes on from where a schedule is extended.

    Snakemake removes an output before the job: without its weights a trained model would be trained from the start.
    """
    new = [*FILES["training"], "manifest.json"]
    files = {model.name: new if (model.name, "training") not in status.outdated else [TRAINED] for model in members}
    return [f"<results>/{name}/{file}" for name, found in files.items() for file in found]


def origins(members):
    """What tells that the models are trained that these are continued from, where other jobs train them."""
    names = {model.origin.name for model in members if model.origin and model.origin not in members}
    return [f"<results>/{name}/{TRAINED}" for name in sorted(names)]


def training_options():
    """Flags of the training command that are not always given."""
    fields = (f"{name}={json.dumps(value).strip(chr(34))}" for name, value in study.overrides.items())
    return f"--set {' '.join(fields)}" if study.overrides else ""


def measuring_jobs():
    """A name, what logs have in theirs, sections, and the models that lack them, by which one rule measures them.

    The names stay the same, so that profiles can name them.
    """
    lacking, rules = {}, {}
    for section in study.measurements:
        for model in status.unfinished[section]:
            lacking.setdefault(model.name, []).append(section)
    for model, sections in lacking.items():
        for part in [sections] if study.measure_by == "model" else [[section] for section in sections]:
            rules.setdefault(tuple(part), []).append(model)
    for number, (sections, models) in enumerate(rules.items(), start=1):
        if study.measure_by == "section":
            yield f"measure_{sections[0]}", f".{sections[0]}", sections, models
        else:
            yield "measure_model" if number == 1 else f"measure_model_{number}", "", sections, models


def outdated(sections):
    """An input function: the marks of the results of these sections that are there but not current."""
    return lambda wildcards: [mark for section in sections for mark in outdated_marks(section, [wildcards.model])]


def measured_data(wildcards):
    """The data files that a model was trained on. Snakemake calls it only if something of the model is to be measured."""
    tell_missing_gpu()
    return data_files(wildcards.model.split("/")[0])


def files_read(sections):
    """The results that these sections are measured from, where other jobs measure them."""
    read = {name for section in sections for name in MEASUREMENTS[section].reads if name not in sections}
    return [f"<results>/{{model}}/{file}" for name in sorted(read) for file in FILES[name]]


def measurement_flags(sections):
    """Flags of the command that measures, one a line: every setting that determines a result."""
    return lines([flag for section in sections for flag in as_flags(study.measurements[section], section)])


def lines(flags):
    """Flags of a command, one a line."""
    return " \\\n                ".join(flags)
