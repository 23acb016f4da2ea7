"""Image, compose file, manifests, alerts and dashboards: each checked by the program that will read it, or by being run."""
