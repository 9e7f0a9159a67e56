"""What changes names on the disk stands in few places, and each of them is known."""

import ast
from pathlib import Path

import pipeline

FOLDER = Path(pipeline.__file__).parent
PLACES = {
    # the vault and what it is made of
    "files/rename.py",
    "files/folders.py",
    "files/beneath.py",
    "files/portraits.py",
    "files/upload_parts.py",
    "files/originals.py",
    # the reader of media, in the one folder that it has
    "sandbox/exchange_folder.py",
    "reader/photo_codec.py",
    "reader/film/encode.py",
    "log/files.py",  # what was compressed
    # a backup that was not finished, and one that is laid down again
    "maintenance/backup.py",
    "commands/backup.py",
    # a temporary folder of their own
    "commands/event.py",
    "console/pages/register.py",
}
CHANGES = {"rename", "renames", "unlink", "remove", "rmdir", "removedirs", "rmtree", "move", "link", "symlink"}


def changes(source: str) -> set[str]:
    """The calls in a module that move, rename or delete: methods of paths, and functions of os and shutil."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Attribute):
            continue
        called_on = node.value.id if isinstance(node.value, ast.Name) else ""
        of_module = called_on in {"os", "shutil"} and node.attr in CHANGES | {"replace"}
        if of_module or (node.attr in {"unlink", "rename", "rmdir", "hardlink_to", "symlink_to"}):
            found.add(node.attr)
    return found


def test_nothing_is_moved_renamed_or_deleted_elsewhere() -> None:
    by_file = {str(p.relative_to(FOLDER)): changes(p.read_text(encoding="utf-8")) for p in FOLDER.rglob("*.py")}
    assert {name for name, found in by_file.items() if found} == PLACES


def test_each_way_is_noticed() -> None:
    for source in ("p.unlink()", "os.replace(a, b)", "shutil.rmtree(a)", "f(os.remove)", "p.rename(q)"):
        assert changes(source), source
    assert not changes("text.replace('a', 'b')\nvalues.remove(3)")
