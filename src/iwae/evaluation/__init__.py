"""What is measured of a trained model: its likelihood, the activity of its units, its ELBO surgery, its pictures.

Each section that `iwae.study.measurements` lists is a module of its name, whose function `write` puts the results into
the model's folder; other modules serve these. `subject` reads a model and its images, `run` measures what a folder
lacks. `linear_gaussian` alone is about no trained model. Nothing here trains or plots. All is in nats per image.
Symbols in shapes: n or N images, S samples for each, B images of a group, Q draws, D units of a stochastic layer.
"""
