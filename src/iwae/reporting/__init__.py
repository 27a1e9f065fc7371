"""From model folders to results, tables, figures and the study's README.

Reads files only: no torch here, and nothing that trains or measures imports this package.

* `results`: model folders to ``results.csv``; `study`: a study's models and files, each checked against its manifest;
* `reference`: the paper's numbers, as data; `statements`: what a study did, in words computed from its manifests;
* `tables`, `formats`: tables as CSV, Markdown, HTML and LaTeX;
* `figures`: figures as PDF and PNG, each with the numbers it plots as CSV;
* `summary`: the README of a study.
"""
