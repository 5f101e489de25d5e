"""Experiments too long for a chapter; each writes `studies/results/<name>.json`."""
