"""End-to-end tests: the programs as users start them, on whatever cluster KUBECONFIG names."""
