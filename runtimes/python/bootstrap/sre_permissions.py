"""The executable bit, for which the host has calls of its own: WASI has none.

`chmod` sets it and copies of files keep it. `stat` does not show it: its permission bits are those of new files.
"""

import errno
import os
import shutil
import stat

from wit_world.imports import permissions


def chmod(path, mode, *, dir_fd=None, follow_symlinks=True):
    """Change the access permissions of a file: here, whether it may be executed."""
    os.stat(path)
    if not isinstance(path, int):
        mark(path, bool(mode & stat.S_IXUSR))


def mark(path, executable):
    """Says whether a file may be executed."""
    if not permissions.set_executable(os.fsdecode(os.path.realpath(path)), executable):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)


def keep(copy):
    """A function that copies what is known of a file, such as `shutil.copymode`; now with the executable bit."""

    def copied(src, dst, *, follow_symlinks=True):
        copy(src, dst, follow_symlinks=follow_symlinks)
        if follow_symlinks and os.path.isfile(src) and permissions.is_executable(os.fsdecode(os.path.realpath(src))):
            mark(dst, True)

    copied.__name__ = copied.__qualname__ = copy.__name__
    return copied


def install():
    """Replaces the functions, once, before the snapshot."""
    os.chmod = chmod
    shutil.copymode = keep(shutil.copymode)
    shutil.copystat = keep(shutil.copystat)
