"""What is read: tables, figures, verdicts and pages, made from records and published numbers. Imports no torch."""
