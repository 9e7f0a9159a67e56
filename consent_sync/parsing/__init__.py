"""Cells, rows and tables: from text to people and consents. Pure."""
