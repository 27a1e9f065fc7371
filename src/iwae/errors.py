"""The errors that this library raises on purpose; each message is for the user's eyes."""


class InputError(ValueError):
    """Input that cannot be used: a setting, a file, a name.

    Its message is one sentence that names the key, file or value and says what would be right. The command line prints
    it without a traceback and exits with status 2.
    """


class AuditError(Exception):
    """The audit found files of a study that are not what they were; the message names each.

    The command line prints it and exits with status 1.
    """


class DivergenceError(ArithmeticError):
    """Training met a bound that is not finite; the message names the model, the update and the last good state."""


class InterruptedTraining(Exception):  # noqa: N818 - an interruption is not an error
    """Training was told to stop and has saved where it stands."""
