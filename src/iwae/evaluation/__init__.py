"""What is measured of a trained model: its likelihood, the activity of its units, its ELBO surgery, its pictures.

The modules `likelihood`, `activity`, `chopped`, `surgery`, `pictures` and `posterior` compute, and their functions
`write` put the results into the model's folder. `subject` reads a model and its images, `run` measures what a folder
lacks, by the entries of `iwae.study.measurements`; nothing here trains or plots. All is in nats per image. Symbols in
shapes: n or N images, S samples for each, B images of a group, Q draws, D units of a stochastic layer.
"""
