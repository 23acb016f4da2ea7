"""50 Int64 features in 5 views of one entity: the shape of Feast's published benchmark, feast-dev/feast-benchmarks."""
