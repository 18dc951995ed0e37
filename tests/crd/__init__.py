"""Tests of crd/."""
