"""Films and sound recordings: reading them, looking at every frame, covering, muting, and proving it afterwards.

Everything here that opens a file runs in the child process only. What decides is pure and stands beside this folder:
`pipeline.track` (which faces belong together), `pipeline.film_plan` (what is covered, when), `pipeline.hearing` (what
may be heard).
"""
