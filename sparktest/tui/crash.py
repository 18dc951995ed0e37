"""What is left of a fault of the terminal UI itself: a file for the report, one line for people."""

import os
import tempfile
import traceback


def report(error: BaseException) -> str:
    """One line that says what happened and where the details are.

    They are where the fault was in the code; no values, for those may hold a token.
    """
    handle, path = tempfile.mkstemp(prefix="sparktest-tui-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
        file.writelines(traceback.format_exception(error))
    return (
        f"SparkTest's terminal UI stopped by a fault of its own ({type(error).__name__}). "
        f"Please report it with {path}"
    )
