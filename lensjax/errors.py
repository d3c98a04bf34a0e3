"""The one error that is the user's to mend."""


class BadInput(ValueError):
    """Input that cannot be used: one line that names the file, row, column, value and what is allowed.

    Command lines print that line on stderr and end with exit code 2.
    """
