"""Programs that show Beeldwacht at work."""
