# docker build --target cpu -t facecodec .          no GPU, no compiler in the image
# docker build --target cuda -t facecodec:cuda .    for NVIDIA GPUs; run it with --gpus all
# docker run --rm -v "$PWD:/work" -v facecodec:/cache facecodec encode talk.mp4 talk.fcv --yes

# The wheel, with the kernels compiled for every level of x86-64.
FROM python:3.12-slim-bookworm AS wheel
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ binutils \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN pip install --no-cache-dir torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu \
    && pip install --no-cache-dir . setuptools==80.9.0 wheel==0.45.1 \
    && PYTHONPATH=/source python release/make_wheel.py /wheel

FROM python:3.12-slim-bookworm AS cpu
COPY --from=wheel /wheel /wheel
RUN pip install --no-cache-dir torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu \
    && pip install --no-cache-dir /wheel/*.whl \
    && useradd --non-unique --uid 1000 --create-home user \
    && install -d -o user /cache /work
ENV FACECODEC_HOME=/cache
USER 1000
WORKDIR /work
VOLUME /cache
ENTRYPOINT ["facecodec"]

# nvcc compiles the GPU's kernels at the first run, into /cache.
FROM nvidia/cuda:12.8.1-devel-ubuntu24.04 AS cuda
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv g++ \
    && rm -rf /var/lib/apt/lists/*
COPY --from=wheel /wheel /wheel
RUN python3 -m venv /opt/facecodec \
    && /opt/facecodec/bin/pip install --no-cache-dir torch==2.13.0 /wheel/*.whl \
    && useradd --non-unique --uid 1000 --create-home user \
    && install -d -o user /cache /work
ENV FACECODEC_HOME=/cache PATH=/opt/facecodec/bin:$PATH
USER 1000
WORKDIR /work
VOLUME /cache
ENTRYPOINT ["facecodec"]
