"""The figures of the gradient-flow paper that are no accuracies: layers, gradients and correlations."""
