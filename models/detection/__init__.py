"""Running detectors over a photo: scales, zoom and fusion."""
