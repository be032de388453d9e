"""What is run: a torch-free catalogue of cells, protocols and suites, and what executes it."""
