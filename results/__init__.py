"""What is remembered: records, the registry that keeps them, and the published numbers.

Imports no torch and nothing else of this project.
"""
