"""What is pruned: models, data, scores, masks, surgery and training.

Imports torch, and nothing else of this project.
"""
