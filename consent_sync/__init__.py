"""The consent register: who may be seen, heard and found, and where that is written.

`load` (consent_sync.loader) reads a register with its forms and portraits; everything else serves it.
"""
