"""A real Slurm, started here for the occasion, runs a small study; jobs are killed and run into their walltime."""

import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest

from iwae.files import sha256

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "srun")
# One node with more processors than this machine may have, and two GPUs that are files.
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=1,batch_sched_delay=0
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=4000 Gres=gpu:2
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE
"""
CHECKPOINTS = Path("checkpoints/tiny")
MODELS = ("mnist/l1-vae-k1/seed0", "mnist/l1-iwae-k2/seed0")
OFF = ("rebinarized", "chopped", "replaced", "annealed", "inference", "implicit", "gradients")
OVERLAY = {
    "grid": {"layers": [1], "objectives": ["iwae"], "k": [1, 2]},
    "training": {"stages": 3, "train_images": 2000, "checkpoint_minutes": 0},
    **{section: {"run": False} for section in OFF},
}
# As the profile has it, but for a Slurm without accounting that runs no other jobs. The jobs of training ask for a GPU,
# and compute on the CPU.
RULES = {model: f"train_{re.sub('[/-]', '_', model)}" for model in MODELS}
FLAGS = ["--workflow-profile", str(ROOT / "profiles/slurm"), "--slurm-no-account", "--slurm-status-command", "squeue"]
FLAGS += ["--slurm-init-seconds-before-status-checks", "1", "--default-resources", "mem_mb=1000", "runtime=5"]
FLAGS += ["--group-components", "measurements=2", "--set-resources", *(f"{rule}:gpu=1" for rule in RULES.values())]


def _free_ports():
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _eventually(what, seconds=90):
    """What `what` returns once that is true."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, f"{what.__name__} is not true within {seconds} s"
        time.sleep(0.02)
    return found


def _ask(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout


@pytest.fixture
def slurm(tmp_path_factory, monkeypatch):
    """A Slurm with its daemons in a folder of their own, whatever the machine has besides."""
    missing = [name for name in NEEDED if not shutil.which(name)] + ([] if os.geteuid() == 0 else ["root's rights"])
    missing += [] if find_spec("snakemake_executor_plugin_slurm") else ["snakemake-executor-plugin-slurm"]
    if missing:
        pytest.skip(f"no Slurm can be started: {', '.join(missing)} missing (Debian: slurm-wlm, munge)")
    folder = tmp_path_factory.mktemp("slurm")
    host = platform.node().split(".")[0]
    (folder / "slurm.conf").write_text(CONFIGURATION.format(host=host, folder=folder, ports=_free_ports()))
    (folder / "gres.conf").write_text(f"NodeName={host} Name=gpu File=/dev/null,/dev/zero\n")
    (folder / "cgroup.conf").write_text("CgroupAutomount=no\n")
    (folder / "state").mkdir()
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o400)
    monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    # Snakemake's plugin takes SLURM_CONF away from srun.
    (folder / "srun").write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
    (folder / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    files = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "log", "pid", "seed")]
    commands = [["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *files]]
    commands += [["slurmctld", "-D", "-c"], ["slurmd", "-D", "-N", host]]
    daemons = []
    try:
        for command in commands:
            with (folder / f"{command[0]}.out").open("w") as log:
                daemons.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))
            _eventually((folder / "munge.socket").exists)
        _eventually(lambda: _ask("sinfo", "-h", "-o", "%T").strip() == "idle")
        yield
    finally:
        _ask("scancel", "--full", "--signal=KILL", "--state=RUNNING")
        _eventually(lambda: not _ask("squeue", "-h"))
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait()


def _job(model):
    """The number of Slurm's job that trains a model, once its state has been saved."""
    _eventually((CHECKPOINTS / f"{model}.safetensors").exists)
    queue = _ask("squeue", "-h", "-t", "RUNNING", "-o", "%i %k").splitlines()
    return next(line.split()[0] for line in queue if line.endswith(f"rule_{RULES[model]}"))


def _bits():
    """The SHA-256 of all that is the same whenever it is made."""
    found = [path for path in Path("results/tiny/mnist").rglob("*.*") if path.name[0] != "."]
    return {path: sha256(path) for path in found if path.name not in ("manifest.json", "training.csv")}


@pytest.mark.slow
def test_a_study_on_slurm_through_a_killed_job_and_a_walltime(slurm, start, snakemake, tmp_path, mnist, monkeypatch):
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")  # compiling would take longer than all else
    monkeypatch.setenv("IWAE_PRODUCTS", "default")  # a choice by timing may be another one the second time
    monkeypatch.chdir(tmp_path)
    Path("data").symlink_to(mnist, target_is_directory=True)
    status, output = snakemake("evaluate", *FLAGS, overlay={**OVERLAY, "device": "auto"})
    assert status == 1 and "device: auto is decided here, and the jobs run on other machines" in output, output
    killed, late = MODELS
    with Path("output").open("w+") as output, start("evaluate", *FLAGS, overlay=OVERLAY, stdout=output) as workflow:
        try:
            job = _job(killed)
            assert "TresPerJob=gres:gpu:1" in _ask("scontrol", "show", "job", job)
            _ask("scancel", "--full", "--signal=KILL", job)
            job = _job(late)
            trainer = re.search(r"process (\d+) ", (CHECKPOINTS / f"{late}.lock").read_text())[1]
            os.kill(int(trainer), signal.SIGSTOP)  # as if it took long; Slurm wakes what it ends
            _ask("scontrol", "update", f"JobId={job}", "EndTime=now")
            assert workflow.wait(900) == 0
        except Exception as error:
            error.add_note(Path("output").read_text())
            raise
        finally:
            workflow.kill()
    assert Path("output").read_text().count("Trying to restart job") == 2 and "TIMEOUT" in Path("output").read_text()
    on_slurm = _bits()
    for folder in ("results", "checkpoints"):
        Path(folder).rename(f"{folder}-slurm")
    status, output = snakemake("evaluate", overlay=OVERLAY)
    assert status == 0, output
    assert len(on_slurm) >= 10 and on_slurm == _bits()
