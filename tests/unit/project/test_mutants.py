"""The changes that are drawn at random are real changes of what runs, and stand where they say."""

import ast

from bench.mutants import changed, mutants

TEXT = '''"""Words that nobody runs."""

WORDS = {"voogd": "guardian"}


def inside(box: "Box | None", width: int) -> bool:
    """More words."""
    return box is not None and 0 <= box.left and box.right <= width - 1
'''


def test_each_change_leaves_a_program_that_differs() -> None:
    found = list(mutants("a.py", TEXT))
    assert found
    for m in found:
        text = changed(TEXT, m)
        assert ast.dump(ast.parse(text)) != ast.dump(ast.parse(TEXT)), m


def test_what_decides_is_changed_and_words_and_types_are_not() -> None:
    changes = {(m.before, m.after) for m in mutants("a.py", TEXT)}
    assert ('"voogd"', "'voogdx'") in changes
    assert ("box.left", "box.top") in changes
    assert ("width - 1", "(width + 1)") in changes
    assert not any("words" in before.lower() or "Box" in before for before, _ in changes)
