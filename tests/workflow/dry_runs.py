"""Snakemake for dry runs of the tests: importing it takes most of such a run, so that is done once; each run is a fork.

Reads a run a line, as JSON: its arguments, its environment and the file for its output. Answers with its status.
"""

import json
import os
import sys

from snakemake.cli import main

for line in sys.stdin:
    arguments, environment, output = json.loads(line)
    child = os.fork()
    if child == 0:
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, sys.stdout.fileno())
        os.dup2(file, sys.stderr.fileno())
        os.environ.clear()
        os.environ.update(environment)
        sys.exit(main(arguments))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
