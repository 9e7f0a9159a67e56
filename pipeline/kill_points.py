"""Named points on the way of a file at which the process can be killed, to prove that nothing is lost or shown there.

Off, and without effect, unless the variable BEELDWACHT_KILL_AT names a point and a count: `vault.copied:3` ends the
process with SIGKILL when that point is reached for the third time, as a loss of power would: nothing is tidied up.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter

VARIABLE = "BEELDWACHT_KILL_AT"
POINTS = {
    "start.recovered": "what an earlier run held is queued again; its files in work/ still stand there",
    "start.cleaned": "work/ and the vault are tidied; nothing is published yet",
    "vault.copying": "a copy that is not on the disk stands in the vault, under a temporary name",
    "vault.copied": "the copy is on the disk, under a temporary name",
    "vault.renamed": "the copy has its name; its folder is not on the disk yet",
    "intake.row": "the row is committed; the file is still in the inbox",
    "intake.cleared": "the file is out of the inbox",
    "work.claimed": "the item is claimed; nothing is done",
    "work.analysed": "the faces are found",
    "work.judged": "the verdicts are known",
    "work.rendered": "one covered copy stands in work/",
    "work.sealed": "every covered copy stands in work/ and is on the disk",
    "film.looked": "the note of a film's first pass is kept",
    "store.deciding": "inside the transaction of the decision, before its commit",
    "work.decided": "the decision is committed; nothing is visible",
    "publish.checked": "the register was found to be the same",
    "publish.synced": "the covered copy is on the disk, before its rename",
    "publish.renamed": "the covered copy is visible; its folder is not on the disk yet",
    "publish.released": "one channel has its copy",
    "store.publishing": "inside the transaction that says published, before its commit",
    "publish.done": "the row says published",
    "aside.copied": "the copy lies in the quarantine without its reason",
    "aside.explained": "the reason lies beside it; the row is not written",
    "aside.done": "the row is written; what was made in work/ still stands there",
    "recall.beginning": "inside the transaction of an act and of its recall, before its commit",
    "recall.begun": "the recall is committed; the files are still visible",
    "recall.removed": "the first file of a recall is removed",
    "recall.done": "the recall is finished",
    "register.replacing": "inside the transaction of a new register, before its commit",
    "register.replaced": "the register is in force; the templates are not in line with it yet",
    "store.naming": "inside the transaction of a name given by hand, before its commit",
    "log.writing": "a line for a file under log/ is on its way",
    "log.written": "the lines are written; their file is not on the disk yet",
}
_reached: Counter[str] = Counter()
_lock = threading.Lock()


def reach(point: str) -> None:
    """Say that a point is reached; the process ends here when it was asked to."""
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    name, _, count = wanted.partition(":")
    if name not in POINTS or point not in POINTS:
        raise ValueError(f"{VARIABLE}: there is no point {name!r} or {point!r}")
    with _lock:
        _reached[point] += 1
        hit = name == point and _reached[point] == int(count or 1)
    if hit:
        os.kill(os.getpid(), signal.SIGKILL)
