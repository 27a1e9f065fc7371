"""What is asked for, and how far it is there: names, settings, protocol, configuration, manifests, status.

* `specification`: the names of models; `settings`: what determines a result; `protocol`: the choices of training;
* `configuration` and `experiments`: a study as its configuration describes it, `schema` what a file may say;
* `manifest`: what made each file of a model's folder; `status`: what of a study is finished.

Standard library only, so that the workflow can ask while it builds its graph; nothing here computes.
"""
