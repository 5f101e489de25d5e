"""What `make` runs besides the tests."""
