"""The one error that this library raises for input it cannot use."""


class InputError(ValueError):
    """Input that cannot be used: a setting, a file, a name.

    Its message is one sentence that names the key, file or value and says what would be right. The command line prints
    it without a traceback and exits with status 2.
    """


class DivergenceError(ArithmeticError):
    """Training met a bound that is not finite; the message names the model, the update and the last good state."""


class InterruptedTraining(Exception):  # noqa: N818 - an interruption is not an error
    """Training was told to stop and has saved where it stands."""
