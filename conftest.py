"""What every pytest run in this checkout loads: the plugin that runs cells, and the one that reports on them."""

pytest_plugins = ["bench.plugin", "reports.plugin"]
