"""The commands, one file per group; pipeline.cli puts them together."""
