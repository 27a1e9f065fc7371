"""Whether every file of a study is what it claims to be, and every number of it can be traced.

* `seal` knows each file by its SHA-256; `integrity` compares files with manifests, configuration and data;
* `rebuild` makes tables and the like again; `inspection` asks them all;
* `recompute` measures models afresh: it alone loads torch.
"""
