"""`sparktest up` and `sparktest demo`: all programs of SparkTest, started and stopped together."""
