"""What is asked for, and how far it is there: names, settings, protocol, configuration, manifests, status.

* `specification`: the names of models; `registry`: what has a name in a study, an entry each;
* `declaration`: how a setting is declared; `settings`, `measurements`, `experiments` and `keys` declare them;
* `configuration`: a study as its configuration describes it, its `parts`, and what a file gets wrong (`problems` of one
  key, `crosschecks` of several, `repeated` keys); `flags`: settings on the command line;
* `protocol`: the choices of training;
* `manifest`: what made each file of a model's folder; `status`: what of a study is finished; `cost`: of the rest.

Standard library only, but for the reader of YAML in `repeated`, so that the workflow can ask while it builds its graph;
nothing here computes.
"""
