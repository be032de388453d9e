"""The claims of the gradient-flow paper evaluated on records, and what its theory predicts beside what was measured."""
