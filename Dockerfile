# The locked environment in a container. In a folder that shall hold data, results and figures:
#
#   docker build -t iwae PATH-OF-THE-REPOSITORY
#   docker run --rm --gpus all -v "$PWD:/study" iwae --cores 8 --resources gpu=1
#   docker run --rm -v "$PWD:/study" iwae --cores 2 --configfile /iwae/config/quick.yaml
FROM debian:12-slim

# torch.compile needs the compiler and Python's headers.
RUN apt-get update \
  && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
    ca-certificates g++ make procps python3 python3-dev python3-venv \
  && rm -rf /var/lib/apt/lists/*

WORKDIR /iwae
COPY Makefile pyproject.toml requirements.lock README.md LICENSE Snakefile config.yaml matplotlibrc ./
COPY src src
COPY workflow workflow
COPY profiles profiles
COPY config config
RUN make setup

# Whoever it runs as; some have no home.
ENV PATH=/iwae/.venv/bin:$PATH HOME=/tmp
WORKDIR /study
ENTRYPOINT ["snakemake", "--snakefile", "/iwae/Snakefile"]
