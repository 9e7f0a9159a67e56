"""The publish folder: a file appears there by one rename that replaces nothing, and goes by its hash.

Others read there, and some may write. So every place in it is reached from its descriptor (pipeline.files.beneath).
"""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path

from pipeline.errors import PublishError
from pipeline.files.beneath import Folder
from pipeline.files.rename import digest, for_readers, rename_no_replace, sync_file
from pipeline.kill_points import reach


class PublishFolder:
    """Releases what stands in `work`, on the same file system."""

    def __init__(self, publish: Path, work: Path) -> None:
        self._publish = publish
        self._work = work

    def release(self, work_name: str, channel: str, path: str, sha256: str) -> None:
        """Make a rendition visible by one rename that replaces nothing; finishing a release again does no harm.

        Raises FileExistsError when another file stands there, FileNotFoundError when the rendition is gone from
        work/ and is not in the publish folder either, PublishError when its bytes are not those decided on.
        """
        source, place = self._work / work_name, f"{channel}/{path}"
        parent, _, name = place.rpartition("/")
        with Folder.at(self._publish) as publish:
            if not source.exists():
                with suppress(FileNotFoundError), publish.above(place) as (folder, name):
                    if folder.digest(name) == sha256:
                        folder.sync()  # a crash may have come between the rename and this
                        return
                raise FileNotFoundError(errno.ENOENT, "the rendition is gone", str(source))
            if digest(source) != sha256:
                raise PublishError(f"{work_name}: changed between the check and the release.", "It is rendered again.")
            with publish.make(parent, 0o750) as folder:
                for_readers(source, self._publish)
                sync_file(source)
                reach("publish.synced")
                rename_no_replace(source, name, to=folder.fd)
                reach("publish.renamed")
                folder.sync()

    def expect(self, channel: str) -> None:
        """Make sure that what was published on a channel can be seen: a share that is away is no empty folder.

        Raises PublishError when the channel has no folder.
        """
        try:
            with Folder.at(self._publish) as publish, publish.folder(channel):
                return
        except OSError as e:
            raise PublishError(
                f"{self._publish / channel}: the folder is gone, or is a link ({e.strerror}).",
                "Is the share mounted? When it was removed on purpose, make it again, empty.",
            ) from e

    def retract(self, channel: str, path: str, sha256: str) -> bool:
        """Take a released file back out of the publish folder, if it is the one with this hash.

        Returns whether nothing of ours stands there any more: False when what is there has other bytes.
        """
        try:
            with Folder.at(self._publish) as publish, publish.above(f"{channel}/{path}") as (folder, name):
                if folder.info(name) is None:
                    folder.sync()  # a crash may have come between the removal and this
                    return True
                if folder.digest(name) != sha256:
                    return False
                folder.remove(name)
                reach("recall.removed")
                folder.sync()
        except FileNotFoundError:
            return True
        except OSError as e:
            if e.errno not in {errno.ELOOP, errno.EXDEV}:
                raise
            return False  # a link stands in its place, and what it leads to is not ours
        return True
