"""The manifests that SparkTest ships; `sparktest crd` prints them."""
