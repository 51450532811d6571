"""The project's own errors about data: their messages say what was found, what was wanted and what to do."""


class RecordingError(ValueError):
    """A recording or its annotation that cannot be used."""


class MontageError(RecordingError):
    """A whole recording that cannot give the 18 channels; the parameters decide whether the study goes on without it."""
