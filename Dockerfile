# Whatever can be had as wheels of the locked versions is an architecture to build for: amd64 and arm64.
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
COPY requirements requirements
RUN python -m venv --without-pip /opt/rollcall \
    && pip install --no-cache-dir --require-hashes --requirement requirements/build.lock \
    && pip --python /opt/rollcall/bin/python install --no-cache-dir --only-binary :all: \
        --require-hashes --requirement requirements/run.lock
COPY pyproject.toml README.md LICENSE ./
COPY exporter exporter
COPY grafana grafana
COPY prometheus prometheus
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip --python /opt/rollcall/bin/python install --no-cache-dir --no-deps --no-index /wheels/*.whl

FROM python:3.12-slim-bookworm
COPY --from=build /opt/rollcall /opt/rollcall
RUN install --directory --owner 65534 --group 65534 --mode 0700 /var/lib/rollcall
ENV PATH=/opt/rollcall/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65534:65534
WORKDIR /var/lib/rollcall
EXPOSE 10470
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python", "-m", "exporter.healthcheck"]
ENTRYPOINT ["rollcall"]
CMD ["serve", "--web.listen-address", "0.0.0.0:10470", "--state.dir", "/var/lib/rollcall"]
