"""Films and sound recordings: reading them, looking at every frame, covering, muting, and proving it afterwards.

Everything here that opens a file runs in the child process only. What decides is pure and stands beside this folder:
`pipeline.redaction.tracker` (which faces belong together), `pipeline.redaction.film_regions` (what is covered, when),
`pipeline.rules.sound` (what may be heard).
"""
