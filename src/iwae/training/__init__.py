"""Training: schedule, optimiser, random draws, the batched update, checkpoints and the loop that ties them.

It imports torch and numpy but neither `iwae.evaluation` nor `iwae.reporting`.
"""
