"""The tests; folders mirror the tree of the package."""
