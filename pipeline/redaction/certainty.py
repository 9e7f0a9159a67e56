"""How sure detectors have to be in films."""

SECOND_ALONE = 0.5
"""Score from which on the second detector begins a track where the fast one saw nothing."""
