"""What runs on Spark, in local mode: in an environment of its own, where there is a JVM."""
