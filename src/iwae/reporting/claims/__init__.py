"""Which of the paper's claims a study reproduces.

`reading` reads ``claims.yaml``; `rules` turn a claim into effects, contrasts of `iwae.reporting.contrasts`, which
`iwae.reporting.statistics` tests; `checks` look whether identities hold; `verdicts` decides; `content` is what an
audit shows of it.
"""
