# The feature service, with this repository's feature definitions and suites in it. docs/deployment.md says how it is run.
#
#   docker build -t feature-service .                          # with them
#   docker build -t feature-service-base --target service .    # without, for a repository of your own
ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/feature-service
WORKDIR /build
# The lock changes seldom, so this layer does, too. It names every package with its hashes: there is nothing to resolve.
COPY requirements.lock ./
RUN /opt/feature-service/bin/pip install --quiet --no-cache-dir --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY service service
COPY pipelines pipelines
RUN /opt/feature-service/bin/pip install --quiet --no-cache-dir --no-deps --no-build-isolation .

FROM ${BASE} AS service
LABEL org.opencontainers.image.title="feature-service" \
      org.opencontainers.image.description="A fast, exact online feature server for Feast"
COPY --from=build /opt/feature-service /opt/feature-service
# A user without a name is enough; what is written goes to /tmp (sockets, counters), so the root may be read-only.
ENV PATH=/opt/feature-service/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /srv
EXPOSE 6566
STOPSIGNAL SIGTERM
# For docker run and compose; Kubernetes asks by itself.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:6566/health/ready', timeout=2)"]
ENTRYPOINT ["feature-service"]
CMD ["serve", "--repo", "/srv/feast-repo", "--expectations", "/srv/expectations", "--host", "0.0.0.0", "--port", "6566"]

FROM service
COPY feast-repo/customer_features /srv/feast-repo
COPY expectations /srv/expectations
