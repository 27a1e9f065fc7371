"""Importance Weighted Autoencoders (Burda, Grosse & Salakhutdinov 2015), replicated.

Legend of symbols, for every docstring of this package:

* ``M`` models of a stack, always the first axis where there is one,
* ``k`` importance samples, ``B`` images of a minibatch, ``N`` images of a data set,
* ``x`` images: binary ones are of 0 and 1, those of data sets ``uint8`` of 0..255,
* ``D`` pixels (784) or latent units, ``L`` stochastic layers (1 or 2), h1 the layer next to the image x,
* ``log_w`` (k, B) = log p(x, h) - log q(h | x), the log importance weights,
* ``L_k`` = E[log (1/k) sum_i w_i], the bound on log p(x); L_1 is the ELBO; ``nll`` = -mean L_5000, positive.

All densities are logarithms in nats, all bounds nats per image.
"""

__version__ = "0.1.0"
