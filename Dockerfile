# LensJAX in a container, on CPUs or on NVIDIA GPUs.
#
#   docker build -t lensjax .                                  # CPU
#   docker build -t lensjax:cuda --build-arg EXTRAS=real,cuda .     # GPU; NVIDIA's libraries come with JAX's wheels
#   docker run --rm -v "$PWD:/work" --user "$(id -u):$(id -g)" lensjax estimate lens.png --problem pm2022 --out results.csv
#   docker run --rm --gpus all -v "$PWD:/work" --user "$(id -u):$(id -g)" lensjax:cuda train --config vgg19bn.py
#
# --user: what it writes is yours, whatever your number. Such a user has no home: compiled programs are not kept, and Matplotlib's cache goes
# to /tmp.
ARG PYTHON=3.13
FROM python:${PYTHON}-slim AS build
COPY . /source
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /source

FROM python:${PYTHON}-slim
ARG EXTRAS=real
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir "$(ls /wheels/lensjax-*.whl)[${EXTRAS}]"
# The work is done as an ordinary user, in a folder that is mounted.
RUN useradd --create-home user && mkdir /work && chown user /work
ENV MPLCONFIGDIR=/tmp/matplotlib
USER user
WORKDIR /work
ENTRYPOINT ["lensjax"]
CMD ["--help"]
