"""Makes pytest check the chapters' outputs, from whatever folder or file it is started on."""

pytest_plugins = ["tests.output_check_plugin"]
