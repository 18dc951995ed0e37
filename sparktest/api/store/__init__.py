"""The store: the only SQL of SparkTest."""
