"""The second suite, missing_the_mark: its figures, tables and claims from records."""
