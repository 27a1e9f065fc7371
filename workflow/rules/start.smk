# What is done before the first job of a run, which dry runs, reports and the processes of jobs leave out.
import os
import sys
import time
from contextlib import ExitStack, suppress

from iwae.errors import LockedError
from iwae.files import locked, write_json
from iwae.reporting.results import write_configuration

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
