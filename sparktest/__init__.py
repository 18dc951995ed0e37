"""SparkTest: runs tests on Kubernetes and never loses one."""

__version__ = "0.1.0"
