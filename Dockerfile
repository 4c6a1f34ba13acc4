FROM python:3.12-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY exporter exporter
RUN pip wheel --no-cache-dir --wheel-dir /wheels .

FROM python:3.12-slim-bookworm
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels rollcall-exporter \
    && install --directory --owner 65534 --group 65534 --mode 0750 /var/lib/rollcall
ENV PYTHONUNBUFFERED=1
USER 65534:65534
WORKDIR /var/lib/rollcall
EXPOSE 10470
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 10470, timeout=2); c.request('GET', '/-/healthy'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["rollcall"]
CMD ["serve", "--web.listen-address", "0.0.0.0:10470", "--state.dir", "/var/lib/rollcall"]
