"""The project's own errors about data: their messages say what was found, what was wanted and what to do."""

import re


class RecordingError(ValueError):
    """A recording or its annotation that cannot be used."""


class UnusableRecording(RecordingError):
    """A whole recording that the study cannot use; the parameters decide whether it goes on without it."""


def printable(message):
    """Return a message for a terminal, in which control characters, which a file's name may hold, are written out."""
    # The last ones end a line or turn the direction of reading.
    hidden = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
    return re.sub(hidden, lambda match: repr(match[0])[1:-1], str(message))
