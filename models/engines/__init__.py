"""Face detectors and recognisers, one file for each."""
