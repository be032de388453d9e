"""The suites: which cells each paper is made of."""
