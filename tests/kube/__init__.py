"""Tests of sparktest/kube."""
