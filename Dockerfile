# syntax=docker/dockerfile:1
# Any image with Python 3.11 or newer and its venv module.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /laurel
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY pyproject.toml requirements.lock ./
# The versions and hashes of the lock, for what serving needs: not the groups for development and for the demo programme.
# The installer stays behind: what runs has neither pip nor uv.
RUN awk '/^uv==/ { inside = 1 } inside { print } inside && !/\\$/ { exit }' requirements.lock > uv.txt \
    && python3 -m venv /installer \
    && /installer/bin/python -m pip install --quiet --no-deps --require-hashes --requirement uv.txt \
    && python3 -m venv --without-pip .venv \
    && /installer/bin/uv --system-certs pip install --quiet --python .venv/bin/python \
       --requirement pyproject.toml --constraint requirements.lock
COPY . .
RUN .venv/bin/python -m compileall -q app domain execution persistence resolvers schema \
    && rm uv.txt && mkdir /data

FROM ${BASE}
# An account with no rights; /data is the only place that is written (a volume, beneath a root that may be read-only).
RUN echo 'laurel:x:10001:10001::/data:/usr/sbin/nologin' >> /etc/passwd
COPY --from=build --chown=10001:10001 /data /data
COPY --from=build /laurel /laurel
WORKDIR /laurel
USER 10001:10001
ENV LAUREL_ENV=production HOST=0.0.0.0 PORT=8000 DATA_DIR=/data PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
EXPOSE 8000
VOLUME /data
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["/laurel/.venv/bin/python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/readyz', timeout=2)"]
ENTRYPOINT ["/laurel/.venv/bin/python", "-m", "app"]
CMD ["serve"]
