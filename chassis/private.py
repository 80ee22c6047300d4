"""Keeps what a process writes from others: umask, folders, files that stand already."""

import os
import pathlib
import stat

# The umask of every process.
UMASK = 0o077
FOLDER, FILE = 0o700, 0o600


def keep(path: pathlib.Path, mode: int) -> None:
    """Takes away from others what they may do with a file or folder.

    A file of another owner, and one that is meant to be shared, such as /tmp, stays as it is.
    """
    status = path.stat()
    is_shared = bool(status.st_mode & stat.S_ISVTX)
    if status.st_uid == os.geteuid() and not is_shared and stat.S_IMODE(status.st_mode) & ~mode:
        path.chmod(stat.S_IMODE(status.st_mode) & mode)


def keep_folder(path: pathlib.Path) -> None:
    """Makes a folder, or takes it away from others."""
    path.mkdir(parents=True, exist_ok=True, mode=FOLDER)
    keep(path, FOLDER)
