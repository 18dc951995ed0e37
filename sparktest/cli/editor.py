"""Edit a text in the user's editor."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from sparktest.cli.exits import Exit, ExitError

DEFAULT_EDITORS = ("sensible-editor", "vim", "nano", "vi")


def edit_text(text: str, *, extension: str) -> str:
    """Return the text as edited with VISUAL, EDITOR, or the first editor that is installed.

    Raises:
        ExitError: the editor could not be started, or failed.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _default_editor()
    with TemporaryDirectory(prefix="sparktest-") as folder:
        path = Path(folder) / f"edit{extension}"
        path.write_text(text, encoding="utf-8")
        try:
            # shlex: the variable may hold options, as in "code --wait".
            code = subprocess.run([*shlex.split(editor), str(path)], check=False).returncode  # noqa: S603 - the user's editor
            edited = path.read_text(encoding="utf-8")
        except OSError as error:
            raise _error(editor, f"cannot be used: {error.strerror}") from error
        except ValueError as error:
            raise _error(editor, f"cannot be used: {error}") from error
    if code:
        how = f"exited with {code}" if code > 0 else f"was killed (signal {-code})"
        raise _error(editor, how)
    return edited


def _default_editor() -> str:
    return next(filter(shutil.which, DEFAULT_EDITORS), "vi")


def _error(editor: str, how: str) -> ExitError:
    return ExitError(f"the editor {editor!r} {how}; nothing was changed", Exit.INFRA)
