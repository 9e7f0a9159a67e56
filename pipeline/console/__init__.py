"""The console in the browser: what the command line does, on pages, for those whom their account allows it."""
