"""Timings: scripts that measure, never tests that time."""
