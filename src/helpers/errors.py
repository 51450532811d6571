"""The project's own errors about data: their messages say what was found, what was wanted and what to do."""


class RecordingError(ValueError):
    """A recording or its annotation that cannot be used."""


class UnusableRecording(RecordingError):
    """A whole recording that the study cannot use; the parameters decide whether it goes on without it."""
