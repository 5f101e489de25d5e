"""Makes pytest check the chapters' outputs, from whatever folder or file it is started on."""

pytest_plugins = ["output_check.plugin"]
