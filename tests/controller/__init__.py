"""Tests of sparktest/controller."""
