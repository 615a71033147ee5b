# BASE brings Python 3.11 or later; tensorflow/tensorflow:2.21.0-gpu also brings CUDA.
ARG BASE=python:3.11-slim
# hadolint ignore=DL3006
FROM ${BASE}

# Projects are mounted below /workspace, for any user: `make run` keeps the files of the host's user that user's.
RUN useradd --uid 10001 --create-home toolkit \
    && mkdir -p /workspace/experiments /workspace/submissions /workspace/data \
    && chmod -R 0777 /workspace

COPY pyproject.toml README.md LICENSE /opt/toolkit/
COPY toolkit /opt/toolkit/toolkit
# On a base with TensorFlow, its version is that of pyproject.toml and stays.
RUN python -m pip install --no-cache-dir '/opt/toolkit[lite]'

# Pretrained weights are kept in ~/.keras.
ENV HOME=/workspace
USER 10001
WORKDIR /workspace
VOLUME ["/workspace/experiments", "/workspace/submissions", "/workspace/data"]
ENTRYPOINT ["tk"]
CMD ["--help"]
