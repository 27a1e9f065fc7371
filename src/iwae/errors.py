"""The errors that this library raises on purpose; each message is for the user's eyes."""

from collections.abc import Collection, Iterable
from itertools import chain


class InputError(ValueError):
    """Input that cannot be used: a setting, a file, a name.

    Its message is one sentence that names the key, file or value and says what would be right. The command line prints
    it without a traceback and exits with status 2.
    """


class LockedError(InputError):
    """Another process holds a lock; the message names the file and the process."""


class AuditError(Exception):
    """The audit found files of a study that are not what they were; the message names each.

    The command line prints it and exits with status 1.
    """


class DivergenceError(ArithmeticError):
    """Training met a bound or weight that is not finite; the message names the model, the update, the last good state.

    Attributes:
        models: The names of the models.
    """

    def __init__(self, message: str, models: Iterable[str]) -> None:
        super().__init__(message)
        self.models = frozenset(models)

    @classmethod
    def of_all(cls, errors: Collection["DivergenceError"]) -> "DivergenceError":
        """One error that says what all of them say."""
        return cls(" ".join(map(str, errors)), chain.from_iterable(error.models for error in errors))


class InterruptedTraining(Exception):  # noqa: N818 - an interruption is not an error
    """Training was told to stop and has saved where it stands."""
