# Two stages: the first builds the virtual environment, the second holds it and nothing to build
# with. Pin the base by digest where images are built (docs/DEPLOYMENT.md, "Build and push").
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS build
ENV UV_PYTHON_DOWNLOADS=never
WORKDIR /workspace/metta
COPY devops/image/ devops/image/
RUN python -m pip install --no-cache-dir --require-hashes -r devops/image/build-requirements.txt
COPY pyproject.toml requirements.txt README.md LICENSE ./
COPY devops/datadog/dashboards/ devops/datadog/dashboards/
COPY devops/datadog/monitors/ devops/datadog/monitors/
COPY devops/datadog/slos/ devops/datadog/slos/
COPY devops/grafana/ devops/grafana/
COPY src/ src/
RUN devops/image/build.sh /opt/runmetrics

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="runmetrics" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN python -m pip uninstall --yes --root-user-action=ignore pip setuptools wheel \
    && useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin runmetrics
COPY --from=build /opt/runmetrics /opt/runmetrics
# uv and the two files below are for the command of old: uv run python devops/datadog/scripts/...
COPY --from=build /usr/local/bin/uv /usr/local/bin/uv
WORKDIR /workspace/metta
COPY pyproject.toml ./
COPY devops/datadog/scripts/ devops/datadog/scripts/
ENV PATH=/opt/runmetrics/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    UV_PROJECT_ENVIRONMENT=/opt/runmetrics \
    UV_OFFLINE=1 UV_NO_SYNC=1 UV_NO_CACHE=1
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
ENTRYPOINT ["runmetrics"]
CMD ["--help"]
