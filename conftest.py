"""What every pytest run in this checkout loads: the plugins that run cells and benchmarks, and the one that reports."""

pytest_plugins = ["bench.plugin", "bench.speed.plugin", "reports.plugin"]
