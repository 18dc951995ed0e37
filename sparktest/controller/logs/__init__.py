"""Collect the logs of pods and store them in the API."""
