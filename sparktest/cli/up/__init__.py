"""`sparktest up` and `sparktest demo`: all programs of SparkTest, run together."""
