"""The networks of the paper and the densities they parametrise; functions of tensors, without I/O but for `store`.

`architecture` lists the networks of a model, `networks` computes them, `priors` holds what p of the top layer can be,
`model` puts them together.

A model is an `Architecture` and a dictionary of parameters. Every function is written for one model; a leading axis of
M models is added by `torch.vmap` where models are trained together.
"""
