# Beeldwacht in a container: no root, nothing written but the mounted folders (deploy/compose.yaml, docs/operator/operation.md).
# Pin the base for a release: docker build --build-arg BASE=python:3.11-slim-bookworm@sha256:... .
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /opt/beeldwacht
COPY requirements-run.lock ./
# Every package is pinned with its hashes; the tools of developers are not among them.
RUN python -m venv .venv && .venv/bin/pip install --require-hashes --requirement requirements-run.lock
COPY pyproject.toml README.md LICENSE beeldwacht.example.toml ./
COPY models models
COPY consent_sync consent_sync
COPY pipeline pipeline
COPY docs docs
COPY inbox/README.md inbox/README.md
# The weights are the project's own list, each with its SHA-256 (models/downloads/weights.toml); nothing else is taken along.
RUN .venv/bin/pip install --no-deps --no-build-isolation --editable . \
    && .venv/bin/beeldwacht models fetch \
    && .venv/bin/beeldwacht models verify \
    && .venv/bin/python -m compileall -q models consent_sync pipeline .venv/lib

FROM ${BASE}
RUN groupadd --gid 10001 beeldwacht \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin beeldwacht
COPY --from=build /opt/beeldwacht /opt/beeldwacht
ENV PATH=/opt/beeldwacht/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /srv/school
USER 10001:10001
STOPSIGNAL SIGTERM
# Red when the database does not answer, the service is silent, or its folders cannot be reached.
HEALTHCHECK --interval=30s --timeout=10s --start-period=3m --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8700/healthz', timeout=8)"]
ENTRYPOINT ["beeldwacht"]
CMD ["run"]
