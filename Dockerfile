# One image for every process of the gateway: web, worker, reconcile, or all of them under "up".
# docker run --read-only --tmpfs /tmp -v state:/var/lib/tongda -p 8080:8080 tongda

FROM python:3.13-slim-trixie AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/tongda
WORKDIR /src
# The locked packages change seldom and the source often: two layers.
COPY requirements.lock ./
RUN /opt/tongda/bin/pip install --only-binary :all: --require-hashes -r requirements.lock
COPY . .
RUN /opt/tongda/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && /opt/tongda/bin/pip install --no-deps --no-index /dist/tongda-*.whl \
 && /opt/tongda/bin/pip uninstall --yes hatchling editables pip

FROM python:3.13-slim-trixie
RUN useradd --system --create-home --home-dir /var/lib/tongda --shell /usr/sbin/nologin tongda
COPY --from=build /opt/tongda /opt/tongda
ENV PATH=/opt/tongda/bin:$PATH PYTHONUNBUFFERED=1 \
    TONGDA_STATE_DIR=/var/lib/tongda TONGDA_WEB__HOST=0.0.0.0
USER tongda
WORKDIR /var/lib/tongda
VOLUME /var/lib/tongda
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
# "up" runs everything on one box; "web", "worker" and the others run one part with services of your own.
ENTRYPOINT ["tongda"]
CMD ["up"]
