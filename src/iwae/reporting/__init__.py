"""From model folders to results, tables, figures, the study's README and its audit.

Reads files only: nothing that trains imports this package, and no torch is loaded here, except where an audit measures
models afresh.

* `results`: model folders to ``results.csv``; `study`: a study's models and files, each checked against its manifest;
* `contents`: which tables and figures a study has, for the workflow too;
* `reference`: the paper's numbers, as data; `statements`: what a study did, in words computed from its manifests;
* `comparison`, `continuation`, `gaps`, `variations`, `decomposition`: tables as frames, with errors from `spread`;
* `layout`, `formats`, `tables`: these tables for people, and as CSV, Markdown, HTML and LaTeX;
* `figures`: figures as PDF and PNG, each with the numbers it plots as CSV;
* `summary`: the README of a study; `seal`: the SHA-256 of its files;
* `audit`: whether the paper's claims hold, and whether every number can be traced.
"""
