"""The register in force, portraits, templates, and the gallery of an event."""
