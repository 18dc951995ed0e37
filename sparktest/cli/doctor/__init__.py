"""`sparktest doctor`: checks of settings, API, controller and cluster."""
