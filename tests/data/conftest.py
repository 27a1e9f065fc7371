"""Toy data sets: entered in the registry as real ones are, implemented by a module that is not on disk."""

import sys
import types

import pytest

from iwae.data.dataset import Dataset
from iwae.study.registry import DATASETS, DatasetEntry


@pytest.fixture
def enter(monkeypatch):
    """A function that enters a data set under a name: its checks by file name, its sources and perhaps its reader."""

    def enter(name, checks, sources, read=None, title=None, folder=None):
        module = f"toy_{name}"
        entry = DatasetEntry(title or name.title(), folder or name, tuple(checks), 3, 0, f"{module}:DATASET")
        dataset = Dataset(entry, checks, sources, read)
        monkeypatch.setitem(sys.modules, module, types.SimpleNamespace(DATASET=dataset))
        monkeypatch.setitem(DATASETS, name, entry)
        return dataset

    return enter
