"""The consent register: who may be seen, heard and found, and where that is written."""
