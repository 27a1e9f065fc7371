"""The uniform random numbers of Theano's ``MRG_RandomStreams``, with which the authors' code was run.

MRG31k3p (L'Ecuyer & Touzin 2000) is the difference of two linear recurrences of third order. Theano runs many of it
side by side, each 2^72 steps after the one before, and takes the numbers of an array from them in turn.
"""

import numpy as np

_MODULI = (2**31 - 1, 2**31 - 21069)
_STREAMS = 60 * 256  # for an array whose shape is not known when the graph is built
_JUMP = 72  # log2 of the steps between neighbouring streams
_NORM = np.float32(4.6566126e-10)  # brings the largest number just below 1 in float32
# A state of either recurrence times its matrix is the next one: the new number, then the two before it.
_STEPS = (
    ((0, 2**22, 2**7 + 1), (1, 0, 0), (0, 1, 0)),
    ((2**15, 0, 2**15 + 1), (1, 0, 0), (0, 1, 0)),
)


class Streams:
    """The streams that a seed starts, which go on from one call of `uniform` to the next.

    Args:
        seed: Each of the six numbers of the first stream's state, 1 or more.
    """

    def __init__(self, seed: int) -> None:
        self._states = [_started(step, modulus, seed) for step, modulus in zip(_STEPS, _MODULI, strict=True)]

    def uniform(self, size: int) -> np.ndarray:
        """The next `size` numbers, (size,) ``float32``, above 0 and below 1."""
        return np.concatenate([self._next(min(_STREAMS, size - start)) for start in range(0, size, _STREAMS)])

    def _next(self, count: int) -> np.ndarray:
        """One number from each of the first `count` streams."""
        for state, step, modulus in zip(self._states, _STEPS, _MODULI, strict=True):
            new = np.array(step[0]) @ state[:, :count] % modulus
            state[1:, :count] = state[:2, :count]
            state[0, :count] = new
        first, second = (state[0, :count] for state in self._states)
        return np.where(first <= second, first - second + _MODULI[0], first - second).astype(np.float32) * _NORM


def _started(step: tuple[tuple[int, ...], ...], modulus: int, seed: int) -> np.ndarray:
    """The states of all streams in one recurrence, newest number first, (3, streams) ``int64``."""
    jump = np.array(step, dtype=object)  # Python's integers, which do not overflow
    for _ in range(_JUMP):
        jump = jump @ jump % modulus
    states = [np.array([seed] * 3, dtype=object)]
    for _ in range(1, _STREAMS):
        states.append(jump @ states[-1] % modulus)
    return np.stack(states, axis=1).astype(np.int64)
