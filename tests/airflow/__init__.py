"""The DAGs, run by a real Airflow in an environment of its own, on real S3, PostgreSQL and Redis."""
