"""From model folders to results, tables, figures, the study's README and its audit.

Reads files only: nothing that trains imports this package, and no torch is loaded here, except where an audit measures
models afresh. From below:

* `study`: a study's models and their files, each checked against its manifest; `results`: ``results.csv``, which
  `collect` makes;
* `reference`: the paper's numbers, as data; `statements`: what a study did, in words computed from its manifests;
* `quantities`: what is measured of one model; `contrasts`: weighted sums over kinds of models, with their errors;
* `contents`: which tables and figures a study has, for the workflow too; `tables`, `figures`: these;
* `claims`: which of the paper's claims a study bears out; `verify`: whether its files are what they claim to be;
* `audit`, `summary`, `readme`, `interim`, `closing`: what people read first, from `templates`.
"""
