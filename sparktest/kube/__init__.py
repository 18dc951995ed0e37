"""What API and controller both need of Kubernetes."""
