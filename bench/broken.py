#!/usr/bin/env python3
"""Break the program on purpose, in many ways, and see whether the tests notice.

    python -m bench.broken [--only NAME ...] [--list] [--json]

Each way is a replacement of source text that must still be there, made in a copy of the project; then the tests that
should notice run on the copy. The exit status is 1 when a broken program passed, or a replacement no longer fits.
Before anything is broken, the same tests must pass on the copy as it is (`--trust` leaves that out).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from models.downloads import manifest

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = (".*", "__pycache__", "*.egg-info", "weights", "demo", "plots")
Change = tuple[str, str, str]


@dataclass(frozen=True)
class Broken:
    """One way to break the program: (file, text, replacement) each, and what should notice."""

    name: str
    changes: tuple[Change, ...]
    noticed_by: tuple[str, ...]
    """Arguments of pytest, or of `python -m bench.chaos` when they begin with `--`."""


def _chaos(kills: int, *points: str) -> tuple[str, ...]:
    return ("--kills", str(kills), "--seed", "5", "--points", *points)


MAIN_JOB = "tests/e2e/test_main_job.py"
POWER = ("tests/e2e/test_power_loss.py",)
ACCOUNTS = "tests/console/test_accounts.py"
DRAWING = "pipeline/redaction/covering.py"
NOT_ERASED: Change = (DRAWING, "    for spot in order:\n        _erase(", "    for spot in order[:0]:\n        _erase(")
EVERYTHING_KNOWN: Change = (
    DRAWING,
    "    known = _known(canvas, state, area)\n",
    "    known = np.full_like(_known(canvas, state, area), 255)\n",
)
COVERING = ("tests/unit/redaction/test_covering.py", "tests/unit/reader/test_film_redaction.py")
SECOND = "tests/console/test_second_factor.py"
UPLOADS = "tests/console/test_uploads.py"
CONNECTIONS = "tests/console/test_connections.py"
NO_COVERS: Change = (
    "pipeline/reader/main.py",
    'rendering.redact(photo.pixels, regions, str(request["style"]), request["seed"])',
    "photo.pixels.copy()",
)
WAYS = (
    Broken(
        "covers of films stay where the camera has left",
        (("pipeline/redaction/film_regions.py", "cover(t, *at, around, look.camera)", "cover(t, *at, around, None)"),),
        ("tests/unit/redaction/test_cover_path.py::test_a_cover_rides_with_the_camera",),
    ),
    Broken(
        "the tracks of films stay where the camera has left",
        (("pipeline/redaction/tracker.py", "            run.carry(moved)\n", "            run.carry(STILL)\n"),),
        ("tests/unit/redaction/test_tracker.py::test_a_camera_that_pans_takes_its_faces_along",),
    ),
    Broken(
        "a cover of a film ends with the last detection",
        (("pipeline/redaction/film_regions.py", "\nLINGER = 0.4\n", "\nLINGER = 0.0\n"),),
        ("tests/unit/redaction/test_cover_path.py",),
    ),
    Broken(
        "the first frame of a cover of a film is skipped",
        (
            (
                "pipeline/redaction/film_regions.py",
                "return Cover(track.index, low, whole(dense, width, height), corners(dense, round_, width, height))",
                "return Cover(track.index, low + 1, whole(dense, width, height)[1:], "
                "corners(dense, round_, width, height)[1:])",
            ),
        ),
        ("tests/unit/redaction/test_tracker.py::test_what_is_sure_lies_in_a_track_and_under_its_cover",),
    ),
    Broken(
        "a face that the border of a film cuts is let go",
        (("pipeline/redaction/cover_path.py", "\n_LEFT = 0.3 ", "\n_LEFT = 0.95 "),),
        ("tests/unit/redaction/test_cover_path.py::test_a_face_that_the_border_cuts_is_covered_as_long_as_any_other",),
    ),
    Broken(
        "a track that no detector sees is not held",
        (("pipeline/redaction/holding.py", "if found.like >= ALIKE:", "if found.like >= 2:"),),
        ("tests/unit/redaction/test_patch_follower.py",),
    ),
    Broken(
        "covers are not drawn",
        (NO_COVERS,),
        (f"{MAIN_JOB}::test_everyone_who_did_not_agree_is_covered_and_who_did_is_shown",),
    ),
    Broken(
        "covers are not drawn, and the checks of the result say that all is well",
        (
            NO_COVERS,
            ("pipeline/redaction/verification.py", "for c in checks if not c.passed]", "for c in checks if False]"),
        ),
        (f"{MAIN_JOB}::test_everyone_who_did_not_agree_is_covered_and_who_did_is_shown",),
    ),
    Broken(
        "what one look found is joined to a face that is not certain",
        (("models/detection/fusion.py", "\nLOOKS = 3\n", "\nLOOKS = 1\n"),),
        (
            "tests/integration/models/test_find_faces.py::"
            "test_what_one_look_takes_for_a_face_where_others_are_certain_is_nobody_else",
        ),
    ),
    Broken(
        "a fill counts what covers hide",
        (NOT_ERASED, EVERYTHING_KNOWN),
        COVERING,
    ),
    Broken(
        "a fill takes what was erased for black",
        (EVERYTHING_KNOWN,),
        COVERING,
    ),
    Broken(
        "one proof instead of two shows a face in a film",
        (
            (
                "pipeline/recognition/proofs.py",
                "    return tuple(spans)",
                "    return ((naming[0], naming[-1] + 9),) if naming else ()",
            ),
        ),
        ("tests/unit/recognition/test_proofs.py::test_one_look_proves_nothing",),
    ),
    Broken(
        "a proof in a film is never stale",
        (("pipeline/recognition/track_samples.py", "\nAPART = 0.5\n", "\nAPART = 60.0\n"),),
        ("tests/unit/recognition/test_proofs.py",),
    ),
    Broken(
        "a face in a film that jumps is taken for the same",
        (("pipeline/reader/film/appearance.py", "\nALIKE = 0.94\n", "\nALIKE = -1.0\n"),),
        ("tests/integration/reader/test_film_appearance.py",),
    ),
    Broken(
        "a jump of a face in a film breaks no proof",
        (("pipeline/recognition/proofs.py", " and not any(first < f <= after for f in jumps)", ""),),
        ("tests/unit/recognition/test_proofs.py",),
    ),
    Broken(
        "a track is not parted where a jump leads to another face",
        (("pipeline/recognition/proofs.py", "\nSAME_FACE = 7.0\n", "\nSAME_FACE = -99.0\n"),),
        ("tests/unit/recognition/test_proofs.py",),
    ),
    Broken(
        "what is not proven in a shown track stays open",
        (("pipeline/redaction/shown_stretches.py", "            if start > following:\n", "            if False:\n"),),
        ("tests/unit/redaction/test_shown_stretches.py",),
    ),
    Broken(
        "a fill counts what lies under soft edges",
        ((DRAWING, "else near) == 0, np.uint8(255)", "else near) < _COVERED, np.uint8(255)"),),
        COVERING,
    ),
    Broken(
        "the soft edge of a cover lies inside of it",
        (
            NOT_ERASED,
            (
                "pipeline/redaction/outline.py",
                "inside(outline, edge, area)), inside(outline, 0, area))",
                "inside(outline, edge, area)), middle * 0)",
            ),
        ),
        COVERING,
    ),
    Broken(
        "a cover lets a little of what it covers through",
        (NOT_ERASED, (DRAWING, ".astype(np.float32) / OPAQUE", ".astype(np.float32) / (OPAQUE + 8)")),
        COVERING,
    ),
    Broken(
        "a face that the frame cuts off has round corners at its border",
        (
            (
                "pipeline/redaction/regions.py",
                "_beyond(outline, sides, width, height) if any(sides) else outline",
                "outline",
            ),
        ),
        ("tests/unit/redaction/test_regions.py",),
    ),
    Broken(
        "the covers of a film have round corners at the border of the frame",
        (
            (
                "pipeline/redaction/film_regions.py",
                "np.asarray(round_ * inside, np.float32)",
                "np.asarray(round_, np.float32)",
            ),
        ),
        ("tests/unit/redaction/test_film_regions.py",),
    ),
    Broken(
        "a cover of a film remembers what it covered",
        (
            (
                "pipeline/reader/film/redaction.py",
                "self._memory.published(result, {s.key for s in spots})",
                "self._memory.published(frame, {s.key for s in spots})",
            ),
        ),
        ("tests/unit/reader/test_film_redaction.py",),
    ),
    Broken(
        "landmarks that are a mistake count",
        (("models/detection/fusion.py", "AGREE = 0.12", "AGREE = 9.0"),),
        ("tests/integration/models/test_find_faces.py",),
    ),
    Broken(
        "clear faces need no more than small ones",
        (("pipeline/recognition/matching.py", "large_extra=0.3", "large_extra=0.0"),),
        ("tests/unit/recognition/test_matching_photos.py",),
    ),
    Broken(
        "the original stands in the publish folder until its copy is covered",
        (
            (
                "pipeline/processing/item.py",
                "    started = context.seconds()\n    analysis = media_client.analyse(original,",
                "    started = context.seconds()\n    import shutil\n"
                "    early = context.vault.publish / 'school' / item.event.name / item.name\n"
                "    early.parent.mkdir(parents=True, exist_ok=True)\n    shutil.copyfile(original, early)\n"
                "    analysis = media_client.analyse(original,",
            ),
            (
                "pipeline/processing/item.py",
                '    reach("work.sealed")\n',
                '    early.unlink()\n    reach("work.sealed")\n',
            ),
        ),
        _chaos(2, "publish.done"),
    ),
    Broken(
        "what is published is written in its place instead of renamed",
        (
            (
                "pipeline/files/publish_folder.py",
                "                rename_no_replace(source, name, to=folder.fd)\n",
                "                with (folder.path / name).open('wb') as out:\n"
                "                    data = source.read_bytes()\n"
                "                    out.write(data[: len(data) // 2])\n                    out.flush()\n"
                "                    import time\n                    time.sleep(0.3)\n"
                "                    out.write(data[len(data) // 2 :])\n                source.unlink()\n",
            ),
        ),
        _chaos(2, "publish.done"),
    ),
    Broken(
        "nothing is brought to the disk before its rename",
        (
            (
                "pipeline/files/rename.py",
                '    with path.open("rb") as f:\n        os.fsync(f.fileno())\n\n\n',
                "    return\n\n\n",
            ),
            ("pipeline/reader/photo_codec.py", "            os.fsync(file.fileno())\n", ""),
            (
                "pipeline/files/folders.py",
                '        path = self.work / name\n        with path.open("rb") as f:\n'
                "            os.fsync(f.fileno())\n",
                "        path = self.work / name\n",
            ),
        ),
        POWER,
    ),
    Broken(
        "a folder is not brought to the disk after a rename",
        (("pipeline/files/fsync.py", "        os.fsync(descriptor)\n", "        pass\n"),),
        POWER,
    ),
    Broken(
        "a file leaves the inbox before its row is written",
        (
            (
                "pipeline/intake/intake.py",
                "        outcome, item = self._store.items.arrive(",
                "        self._vault.arrivals.clear(root, path, stored.stamp)\n"
                "        outcome, item = self._store.items.arrive(",
            ),
        ),
        POWER,
    ),
    Broken(
        "a row says published before the files are there",
        (
            (
                "pipeline/publishing/publisher.py",
                '        reach("publish.checked")\n        try:\n',
                "        try:\n            self._store.items.published(self._clock(), item)\n"
                '            reach("publish.checked")\n',
            ),
            (
                "pipeline/publishing/publisher.py",
                '                reach("publish.released")\n'
                "            self._store.items.published(self._clock(), item)\n",
                '                reach("publish.released")\n',
            ),
        ),
        _chaos(8, "publish.checked", "publish.synced"),
    ),
    Broken(
        "the work of a run that was killed is never taken up again",
        (
            (
                "pipeline/service/service.py",
                "recovered = context.store.items.recover(context.clock(), living=())",
                "recovered = 0",
            ),
            ("pipeline/service/service.py", "if context.store.items.recover(context.clock(), owners):", "if False:"),
        ),
        ("tests/e2e/test_films.py", "-k", "kill"),
    ),
    Broken(
        "no second look at the register before a file is published",
        (
            (
                "pipeline/store/items.py",
                "row.register_version == newest_version(tx) and row.judged_on",
                "row.judged_on",
            ),
        ),
        ("tests/integration/store/test_store.py",),
    ),
    Broken(
        "a withdrawal leaves what is published as it is",
        (("pipeline/publishing/recall_due.py", "    if at_once:\n", "    if not found.items:\n"),),
        ("tests/integration/publishing/test_recall_due.py",),
    ),
    Broken(
        "a verdict of yesterday is published today",
        (("pipeline/store/items.py", " and row.judged_on == now.date().isoformat()", ""),),
        ("tests/integration/publishing/test_recall_due.py",),
    ),
    Broken(
        "an approval holds for somebody protected who came later",
        (("pipeline/publishing/recall_due.py", "tuple(approvals))", "())"),),
        ("tests/integration/publishing/test_recall_due.py",),
    ),
    Broken(
        "an officer's act leaves a published file as it is",
        (("pipeline/store/act.py", "if state is State.PUBLISHED and back is not None:", "if False:"),),
        ("tests/integration/store/test_officer_acts.py",),
    ),
    Broken(
        "a reading overwrites what was asked for here",
        (("pipeline/people/register_sync.py", "store.stops.standing(), now.date())", "{}, now.date())"),),
        ("tests/integration/people/test_asked_for_here.py",),
    ),
    Broken(
        "a reading brings back who was erased",
        (("pipeline/people/register_sync.py", "_without_erased(new, store.tombstones.hashes())", "new"),),
        ("tests/integration/people/test_asked_for_here.py",),
    ),
    Broken(
        "a database that is older than its log publishes",
        (("pipeline/log/rollback.py", "if hash_of(seq) != sha:", "if False:"),),
        ("tests/integration/maintenance/test_log_settling.py",),
    ),
    Broken(
        "who was denied is shown in that person's export",
        (("pipeline/store/appearances.py", "all(p.box.iou(d) < _SAME for d in denied)", "True"),),
        ("tests/integration/store/test_appearances.py",),
    ),
    Broken(
        "a consent that expired counts",
        (("pipeline/rules/consent.py", "consent.valid_until < on:", "consent.valid_until < date.min:"),),
        ("tests/unit/rules/test_verdicts.py",),
    ),
    Broken(
        "a consent that was withdrawn counts",
        (
            (
                "pipeline/rules/consent.py",
                "    if consent.withdrawn_on is not None and consent.withdrawn_on <= on:\n        return",
                "    if False:\n        return",
            ),
        ),
        ("tests/unit/rules/test_verdicts.py",),
    ),
    Broken(
        "somebody is named without being ahead of the next one",
        (("pipeline/recognition/matching.py", "not score - rival >= rule.margin", "False"),),
        ("tests/unit/recognition/test_matching.py",),
    ),
    Broken(
        "a score that is no number is a match",
        (
            ("pipeline/recognition/matching.py", "elif not score >= threshold:", "elif score < threshold:"),
            ("pipeline/recognition/matching.py", "if not size >= rule.smallest:", "if size < rule.smallest:"),
            ("pipeline/recognition/matching.py", "not score - rival >= rule.margin", "score - rival < rule.margin"),
            ("pipeline/recognition/matching.py", "not score - twin >= rule.margin", "score - twin < rule.margin"),
        ),
        ("tests/unit/recognition/test_matching.py",),
    ),
    Broken(
        "the detectors find nobody",
        (
            (
                "models/detection/find_faces.py",
                "    return fuse([*candidates, *more], image.shape[1], image.shape[0]) if more else found\n",
                "    return []\n",
            ),
        ),
        ("tests/integration/models/test_find_faces.py", "-k", "six_people or sure"),
    ),
    Broken(
        "what was written is checked by the process that wrote it",
        (
            (
                "pipeline/sandbox/client.py",
                "        if self._checker is None:\n",
                "        if self is not None:\n            return self\n        if self._checker is None:\n",
            ),
        ),
        ("tests/integration/sandbox/test_media_client.py", "-k", "never_saw"),
    ),
    Broken(
        "no look without fine patterns",
        (("models/detection/settings.py", "low_pass: LowPass | None = LowPass()", "low_pass: LowPass | None = None"),),
        ("tests/integration/models/test_find_faces.py", "-k", "behind_a_pattern"),
    ),
    Broken(
        "the colours of a phone are taken for those of the web",
        (("pipeline/reader/photo_codec.py", "to_srgb(image, _colours(kind, image, data))", "to_srgb(image)"),),
        ("tests/integration/reader/test_photo_wide_colours.py",),
    ),
    Broken(
        "a detector gets its colours in the wrong order",
        (("models/engines/yunet.py", "blob = planar(image, 32, backwards=True)", "blob = planar(image, 32)"),),
        ("tests/contract/test_known.py", "-k", "as_they_are"),
    ),
    Broken(
        "a recogniser gets its colours in the wrong order",
        (
            (
                "models/engines/sface.py",
                "planar(align(image, face.landmarks))",
                "planar(align(image, face.landmarks), backwards=True)",
            ),
        ),
        ("tests/contract/test_known.py", "-k", "as_they_are"),
    ),
    Broken(
        "a detector's threshold is 1",
        (
            (
                "models/detection/settings.py",
                '{"centerface": 0.35, "yunet": 0.6}',
                '{"centerface": 1.0, "yunet": 0.6}',
            ),
        ),
        ("tests/contract/test_known.py", "-k", "as_they_are"),
    ),
    Broken(
        "engines that do not see what they should go on working",
        (("pipeline/reader/main.py", "        self_check.prove(self._detectors, self._embedders, ", "        str("),),
        ("tests/e2e/test_service.py", "-k", "blind"),
    ),
    Broken(
        "what was written is not looked at again",
        (
            (
                "pipeline/redaction/verification.py",
                "        if not _covered(f.detection.box, covers)\n",
                "        if False\n",
            ),
        ),
        ("tests/unit/redaction/test_verification.py",),
    ),
    Broken(
        "the comment of the original is written into its copy",
        (
            (
                "pipeline/reader/photo_codec.py",
                'image.save(buffer, "JPEG", quality=90, subsampling=0, icc_profile=SRGB_PROFILE)',
                'image.save(buffer, "JPEG", quality=90, subsampling=0, icc_profile=SRGB_PROFILE, comment=b"taken by")',
            ),
        ),
        ("tests/integration/reader/test_photo_codec.py", "-k", "what_is_written"),
    ),
    Broken(
        "a reader of media goes on to the next file after one that it refused",
        (("pipeline/sandbox/client.py", "self._files = self._options.recycle_after", "self._files += 0"),),
        ("tests/integration/sandbox/test_media_client.py", "-k", "after_a_file_that_it_refused"),
    ),
    Broken(
        "code that took over the reader of media makes namespaces by clone",
        (("pipeline/reader/seccomp.py", "step(_ANY_BIT, _NAMESPACES, 0, 1),", "step(_ANY_BIT, 0, 0, 1),"),),
        ("tests/security/test_child.py",),
    ),
    Broken(
        "a film that is still being written is taken for whole",
        (("pipeline/intake/whole.py", "if length < 8 or at + length > size:", "if length < 8:"),),
        ("tests/integration/intake/test_whole.py",),
    ),
    Broken(
        "links on the way to what was dropped are followed",
        (
            (
                "pipeline/files/beneath.py",
                "    resolve = _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS | (0 if across else _NO_XDEV)\n",
                "    resolve = 0\n",
            ),
        ),
        ("tests/security/test_inbox_links.py",),
    ),
    Broken(
        "links are followed where the kernel has no openat2",
        (("pipeline/files/beneath.py", "os.open(part, way | os.O_NOFOLLOW,", "os.open(part, way,"),),
        ("tests/security/test_inbox_links.py",),
    ),
    Broken(
        "what is opened is not compared with what was listed",
        (("pipeline/files/arrivals.py", "if listed and stamp_of(info) != listed:", "if False:"),),
        ("tests/integration/files/test_folders.py", "-k", "replaced"),
    ),
    Broken(
        "what is put aside is not compared with what was listed",
        (
            (
                "pipeline/files/quarantine.py",
                "if found is None or stamp_of(found) != listed:",
                "if found is None:",
            ),
        ),
        ("tests/security/test_inbox_links.py", "-k", "aside"),
    ),
    Broken(
        "a hard link to somebody else's file is taken",
        (("pipeline/files/arrivals.py", "if listed and info.st_nlink > 1:", "if False:"),),
        ("tests/security/test_inbox_links.py", "-k", "second_name"),
    ),
    Broken(
        "what takes the place of a taken file is removed",
        (("pipeline/files/arrivals.py", "if moved is None or identity_of(moved) != identity_of(found):", "if False:"),),
        ("tests/integration/files/test_folders.py", "-k", "last_moment"),
    ),
    Broken(
        "a file that changes while it is read is taken",
        (("pipeline/files/arrivals.py", "if stamp_of(before) != stamp_of(os.fstat(source.fileno())):", "if False:"),),
        ("tests/integration/files/test_folders.py",),
    ),
    Broken(
        "what cannot be read is not put into quarantine",
        (
            (
                "pipeline/files/quarantine.py",
                '            target = self._free(place, relative.rpartition("/")[2], sha256)\n',
                '            target = self._free(place, relative.rpartition("/")[2], sha256)\n'
                "            return place.path / target\n",
            ),
        ),
        (f"{MAIN_JOB}::test_what_is_no_photo_goes_to_quarantine_with_a_reason_and_the_rest_goes_on",),
    ),
    Broken(
        "two workers may finish one file",
        (
            (
                "pipeline/store/items.py",
                "if row.state != State.WORKING or row.lease_owner != owner:",
                "if row.state != State.WORKING:",
            ),
        ),
        ("tests/integration/store/test_store.py",),
    ),
    Broken(
        "a file that stands in the publish folder is replaced",
        (("pipeline/files/rename.py", "os.fsencode(target), _NOREPLACE)", "os.fsencode(target), 0)"),),
        ("tests/integration/files/test_folders.py",),
    ),
    Broken(
        "a recall is finished although the publish folder is away",
        (
            (
                "pipeline/files/publish_folder.py",
                "with Folder.at(self._publish) as publish, publish.folder(channel):\n",
                "if True:\n",
            ),
        ),
        ("tests/e2e/test_resources.py", "-k", "share"),
    ),
    Broken(
        "a full disk is the file's fault",
        (
            (
                "pipeline/processing/item.py",
                "or (isinstance(error, OSError) and error.errno in _EVERY_FILE):",
                "and False:",
            ),
            ("pipeline/processing/item.py", "    return context.vault.trouble()\n", "    return ''\n"),
        ),
        ("tests/e2e/test_resources.py", "-k", "full"),
    ),
    Broken(
        "a full quarantine is the file's fault",
        (
            (
                "pipeline/processing/item.py",
                "        raise _waits(item, owner, context, context.vault.told(e, context.vault.quarantine), REST)"
                " from e\n",
                "        raise\n",
            ),
        ),
        ("tests/e2e/test_resources.py", "-k", "quarantine"),
    ),
    Broken(
        "what the disk may have lost is synced once more instead of made anew",
        (("pipeline/publishing/publisher.py", "if e.errno == errno.EIO:", "if False:"),),
        ("tests/e2e/test_disk_errors.py", "-k", "holds"),
    ),
    Broken(
        "an original that cannot be read is tried without end",
        (
            (
                "pipeline/processing/item.py",
                "isinstance(e, OriginalUnreadable) and item.attempts < work.attempts:",
                "isinstance(e, OriginalUnreadable):",
            ),
        ),
        ("tests/e2e/test_disk_errors.py", "-k", "original"),
    ),
    Broken(
        "names of files stand in the log",
        (
            (
                "pipeline/store/rows.py",
                """return {"rendition": r.id, "channel": r.channel, "sha256": r.sha256}""",
                """return {"rendition": r.id, "channel": r.channel, "sha256": r.sha256, "path": r.path}""",
            ),
        ),
        ("tests/security/test_at_rest.py", "-k", "name"),
    ),
    Broken(
        "an old key of the log signs on",
        (
            ("pipeline/log/signing_key.py", "if head.key == key and key in known", "if head.key in known"),
            ("pipeline/log/signing_key.py", "_fits(head, known[key])", "_fits(head, known[head.key])"),
        ),
        ("tests/integration/log/test_signing_key.py",),
    ),
    Broken(
        "the chain of the log has no signed heads",
        (("pipeline/log/signing_key.py", "        return genuine.__contains__\n", "        return lambda _: True\n"),),
        ("tests/integration/log/test_signed_heads.py",),
    ),
    Broken(
        "the chain of the log is not looked at",
        (("pipeline/log/chain.py", "        elif e.previous != previous:\n", "        elif False:\n"),),
        ("tests/unit/log/test_chain.py",),
    ),
    Broken(
        "a guess is looked at before it is counted",
        (
            (
                "pipeline/console/auth.py",
                "            self.limits.take(limit, *key)\n        right",
                "            pass\n        right",
            ),
            (
                "pipeline/console/auth.py",
                '            raise SignInError("wrong")\n        self._forgive(counted)',
                "            for limit, key in counted.items():\n                self.limits.take(limit, *key)\n"
                '            raise SignInError("wrong")\n        self._forgive(counted)',
            ),
        ),
        (f"{ACCOUNTS}::test_five_guesses_of_an_account_from_an_address_and_then_minutes",),
    ),
    Broken(
        "attempts are counted outside the transaction that checks",
        (
            (
                "pipeline/store/attempts.py",
                "            if there + amount > most:\n                return False\n",
                "",
            ),
        ),
        (f"{ACCOUNTS}::test_of_120_guesses_at_once_five_are_looked_at",),
    ),
    Broken(
        "guesses from anywhere keep the owner out",
        (("pipeline/console/auth.py", "if account and self._attempts.known(", "if False and self._attempts.known("),),
        (f"{ACCOUNTS}::test_nobody_elses_guesses_keep_somebody_out",),
    ),
    Broken(
        "a body with two lengths is read",
        (("pipeline/console/server.py", "        if len(lengths) < len(given):", "        if False:"),),
        (f"{CONNECTIONS}::test_what_was_refused_says_why",),
    ),
    Broken(
        "idle connections keep others out",
        (("pipeline/console/connections.py", "                first.end()", "                pass"),),
        (f"{CONNECTIONS}::test_those_who_only_hold_connections_keep_nobody_out",),
    ),
    Broken(
        "every byte gains time",
        (("pipeline/console/connections.py", "if phase is self._phase or", "if"),),
        (f"{CONNECTIONS}::test_dripping_gains_no_time",),
    ),
    Broken(
        "who does not take an answer is waited for",
        (
            (
                "pipeline/console/connections.py",
                "        self._stalled = self.loop.call_later(self._patience.reading, self.end)\n",
                "",
            ),
        ),
        (f"{CONNECTIONS}::test_who_does_not_take_the_answer_is_let_go",),
    ),
    Broken(
        "health has no place of its own",
        (("pipeline/console/connections.py", "        await (app if scope", "        await (full if scope"),),
        (f"{CONNECTIONS}::test_health_has_places_of_its_own",),
    ),
    Broken(
        "room for an upload is looked at once",
        (("pipeline/console/pages/upload.py", "    _room(c, len(c.body), found.size if last else 0)\n", ""),),
        (f"{UPLOADS}::test_room_is_looked_at_with_every_piece_and_some_is_kept_for_the_database",),
    ),
    Broken(
        "what is not finished has no quota",
        (("pipeline/store/uploads.py", " or total + size > quota", ""),),
        (f"{UPLOADS}::test_what_is_not_finished_has_a_quota_of_bytes",),
    ),
    Broken(
        "a file that arrived is known by its name alone",
        (("pipeline/store/uploads.py", "        if sha256:\n            same.append(c.sha256 == sha256)\n", ""),),
        (f"{UPLOADS}::test_a_file_that_arrived_is_known_by_name_size_and_hash",),
    ),
    Broken(
        "a console that cannot start ends the service",
        (
            (
                "pipeline/commands/service.py",
                '                service.attend("console", console.attend)',
                "                console.attend()",
            ),
        ),
        (f"{UPLOADS}::test_a_port_that_is_taken_keeps_nothing_else_back",),
    ),
    Broken(
        "common passwords are taken",
        (("pipeline/console/passwords.py", "if guesses < _GUESSES or name", "if name"),),
        (f"{ACCOUNTS}::test_passwords_that_are_easy_to_guess_are_refused",),
    ),
    Broken(
        "a code of the second factor is good twice",
        (("pipeline/console/second_factor.py", " or not self._store.use_step(account, step)", ""),),
        (f"{SECOND}::test_the_password_alone_lets_nobody_in_and_a_code_is_good_once",),
    ),
    Broken(
        "the password alone is enough",
        (("pipeline/console/auth.py", "        if account.second:\n", "        if False:\n"),),
        (f"{SECOND}::test_the_password_alone_lets_nobody_in_and_a_code_is_good_once",),
    ),
    Broken(
        "codes are guessed without end",
        (
            (
                "pipeline/console/second_factor.py",
                "        self._limits.take(CODES, account.name)\n        step",
                "        step",
            ),
        ),
        (f"{SECOND}::test_codes_are_not_guessed",),
    ),
    Broken(
        "a role does without the second factor that it needs",
        (
            (
                "pipeline/console/request.py",
                "    if declared.roles and declared.path not in _BEFORE_SECOND",
                "    if False and declared.path not in _BEFORE_SECOND",
            ),
        ),
        (f"{SECOND}::test_a_role_can_need_it_and_does_nothing_without",),
    ),
    Broken(
        "good sign-ins count as guesses",
        (("pipeline/console/auth.py", "                self.limits.give_back(limit, *key)", "                pass"),),
        (f"{ACCOUNTS}::test_a_school_behind_one_address_signs_in_all_the_same",),
    ),
)


def copy_of(project: Path, place: Path) -> Path:
    """The project with an interpreter that finds the copy instead of the original. Returns the interpreter."""
    shutil.copytree(project, place, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
    (place / "models" / "weights").symlink_to(manifest.FOLDER.resolve())
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = place / "python" / "lib" / version / "site-packages"
    # Links, for the reader of media may read nothing outside its own interpreter; without what finds the original.
    shutil.copytree(
        sysconfig.get_path("purelib"),
        packages,
        copy_function=_link,
        ignore=shutil.ignore_patterns("__editable__*", "__pycache__"),
    )
    (packages / "copy.pth").write_text(f"{place}\n")
    (place / "python" / "bin").mkdir(parents=True)
    (place / "python" / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    configuration = Path(sys.prefix) / "pyvenv.cfg"
    shutil.copy2(configuration, place / "python" / "pyvenv.cfg")
    return place / "python" / "bin" / "python"


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system
        shutil.copy2(source, target)


def run(python: Path, place: Path, noticed_by: tuple[str, ...]) -> tuple[bool, str]:
    """Whether the tests pass on the copy, and their last words. Raises AssertionError when they did not run."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BEELDWACHT_KILL")}
    chaos = noticed_by[0].startswith("--")
    tests = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "attack or not attack"]
    command = [str(python), "-B", *(["-m", "bench.chaos"] if chaos else tests), *noticed_by]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    words = (done.stdout + done.stderr).strip()
    if done.returncode not in {0, 1} or (done.returncode == 0 and "[100%]" not in words and not chaos):
        raise AssertionError(f"the tests did not run: {words[-2000:]}")
    lines = words.splitlines()
    broken = [following for line, following in pairwise(lines) if "promises broken" in line]
    telling = broken or [x for x in lines if x.startswith("FAILED")] or lines[-1:]
    return done.returncode == 0, telling[0].strip()[:160]


def replaced(text: str, change: Change) -> str:
    """A file's text with one change made. Raises AssertionError when what it replaces is not there exactly once."""
    name, old, new = change
    if text.count(old) != 1:
        raise AssertionError(f"{name}: the text to replace is there {text.count(old)} times: {old!r}")
    return text.replace(old, new)


def broken(place: Path, changes: tuple[Change, ...]) -> dict[Path, str]:
    """Make the changes. Returns the files as they were. Raises AssertionError as `replaced`."""
    before: dict[Path, str] = {}
    for change in changes:
        path = place / change[0]
        text = path.read_text(encoding="utf-8")
        before.setdefault(path, text)
        path.write_text(replaced(text, change), encoding="utf-8")
    return before


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", help="names, or parts of them")
    parser.add_argument("--list", action="store_true", help="only check that every replacement fits")
    parser.add_argument("--trust", action="store_true", help="do not run the tests on the whole program first")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    a = parser.parse_args()
    ways = [w for w in WAYS if not a.only or any(part in w.name for part in a.only)]
    result: dict[str, str] = {}
    missed = []
    with tempfile.TemporaryDirectory(prefix="beeldwacht-broken-") as temporary:
        place = Path(temporary).resolve() / "copy"
        python = copy_of(ROOT, place)
        if not a.list and not a.trust:
            for noticed_by in dict.fromkeys(w.noticed_by for w in ways):
                passed, words = run(python, place, noticed_by)
                if not passed:
                    raise AssertionError(f"{' '.join(noticed_by)} fails on the whole program: {words}")
        for way in ways:
            started = time.monotonic()
            before = broken(place, way.changes)
            try:
                passed, words = (False, "fits") if a.list else run(python, place, way.noticed_by)
            finally:
                for path, text in before.items():
                    path.write_text(text, encoding="utf-8")
            result[way.name] = "NOT NOTICED" if passed else words
            missed += [way.name] if passed else []
            verdict, seconds = "NOT NOTICED" if passed else "noticed", time.monotonic() - started
            print(f"{verdict} ({seconds:.0f} s) {way.name}: {words}", flush=True)
    print(f"{len(ways) - len(missed)} of {len(ways)} noticed")
    if a.json:
        print(json.dumps(result))
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
