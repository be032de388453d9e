"""What can be wrong with the data on disk."""


class DataError(ValueError):
    """The data under the root cannot be used as they are; the message is one sentence that ends with what to do."""


class MissingData(DataError):  # noqa: N818 - it says what is the case, as FileNotFound would
    """Nothing of the data set is there, which a test runner may take as a reason to skip."""


class OtherData(DataError):  # noqa: N818
    """A whole data set is there, but not the one that was asked for; the message says which."""
