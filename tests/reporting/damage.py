"""Changes of a study's files, and of what its manifests say of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from iwae.study import manifest
from iwae.study.specification import ModelSpec


def edit(path: Path, change: Callable[[Any], object]) -> None:
    """Change what a file holds: an object of JSON, a table of CSV, or arrays by name."""
    if path.suffix == ".json":
        change(content := json.loads(path.read_text()))
        path.write_text(json.dumps(content, indent=2) + "\n")
    elif path.suffix == ".csv":
        change(table := pd.read_csv(path))
        table.to_csv(path, index=False)
    else:
        with np.load(path) as stored:
            arrays = dict(stored)
        change(arrays)
        np.savez(path, **arrays)


def rewrite(path: Path, change: Callable[[Any], object]) -> None:
    """Change a file of a measurement, and enter it in the manifest as if it had been measured so."""
    edit(path, change)
    content, section = manifest.read(path.parent), path.stem
    spec, entry = ModelSpec(**content["model"]), content[section]
    manifest.record(path.parent, spec, section, entry["settings"], list(entry["files"]), entry["provenance"])
