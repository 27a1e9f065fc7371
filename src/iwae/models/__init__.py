"""The networks of the paper and the densities they parametrise; functions of tensors, without I/O but for `store`.

A model is an `Architecture` and a dictionary of parameters. Every function is written for one model; a leading axis of
M models is added by `torch.vmap` where models are trained together.
"""
