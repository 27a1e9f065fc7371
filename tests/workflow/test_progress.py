"""The line that says how far a study is, from the events that Snakemake logs."""

import logging
from types import SimpleNamespace

import pytest
from snakemake.logging import DefaultFormatter
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_iwae import LogHandler

STATS = {"train_a": 1, "train_b": 1, "measure_model": 2, "plot_nll": 1, "mark_outdated": 3, "all": 1, "total": 9}
RULES = ("train_a", "train_b", "measure_model", "measure_model", "plot_nll", "all")


@pytest.fixture
def handler(monkeypatch):
    """The logger as it is where standard error is no terminal, each line printed, after 60 seconds."""
    monkeypatch.setenv("IWAE_LOG_ONLY", "")
    monkeypatch.setattr("snakemake_logger_plugin_iwae._SECONDS", 0)
    handler = LogHandler(SimpleNamespace(dryrun=False), None)
    handler.setFormatter(DefaultFormatter(quiet=set(), show_failed_logs=True))
    handler._begun -= 60
    yield handler
    handler.close()


def log(handler, message="", level=logging.INFO, **fields):
    handler.emit(logging.makeLogRecord({"msg": message, "levelno": level, **fields}))


def test_each_job_that_ends_is_counted_and_the_time_left_follows_from_the_first_training(handler, capsys):
    log(handler, event=LogEvent.RUN_INFO, stats=STATS)
    for number, rule in enumerate(RULES):
        log(handler, "Select jobs to execute...")
        log(handler, event=LogEvent.JOB_INFO, jobid=number, rule_name=rule)
        log(handler, event=LogEvent.JOB_FINISHED, job_id=number)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5  # a line for each job, none for the target
    # A training costs 8, a measurement 3, a report 0.5: 8 of 22.5 took a minute, so 14.5 take 109 s.
    assert lines[0] == "1:00  trained 1 of 2, measured 0 of 2, reported 0 of 1, about 2 min left"
    assert lines[3] == "1:00  trained 2 of 2, measured 2 of 2, reported 0 of 1, about 10 s left"
    assert lines[4] == "1:00  trained 2 of 2, measured 2 of 2, reported 1 of 1"


def test_a_dry_run_says_what_there_is_to_do(handler, capsys):
    handler.common_settings.dryrun = True
    for _ in range(2):
        log(handler, event=LogEvent.RUN_INFO, stats=STATS)
    assert capsys.readouterr().err == "1:00  trained 0 of 2, measured 0 of 2, reported 0 of 1\n"


def test_a_job_that_fails_shows_its_log(handler, capsys, tmp_path):
    (tmp_path / "a.log").write_text("error: the disk is full\n")
    fields = {"rule_name": "train_a", "rule_msg": None, "jobid": 1, "input": [], "output": [], "aux": {}}
    fields |= {"conda_env": None, "shellcmd": "", "log": [str(tmp_path / "a.log")], "event": LogEvent.JOB_ERROR}
    log(handler, "RuleException:\nCalledProcessError in file train.smk", logging.ERROR)
    log(handler, "Error in rule train_a", logging.ERROR, **fields)
    said = f"train_a has ended early, says {tmp_path}/a.log:\nerror: the disk is full\n"
    assert capsys.readouterr().err == said
    (tmp_path / "a.log").unlink()
    log(handler, "Error in rule train_a", logging.ERROR, **fields)
    assert "Error in rule train_a" in capsys.readouterr().err  # as Snakemake says it


def test_other_problems_and_nothing_to_do_are_said(handler, capsys):
    log(handler, "The configuration has 1 problem(s)", logging.ERROR)
    log(handler, "Nothing to be done (all requested files are present and up to date).")
    log(handler, "Provided cores: 2")
    assert capsys.readouterr().err == (
        "The configuration has 1 problem(s)\nNothing to be done (all requested files are present and up to date).\n"
    )
