# The Function App on Microsoft's image, for clusters and container services: docs/deploy-other-clusters.md.
#
#   docker build --tag registry.example.com/kargo-receivers:0.1.0 --platform linux/amd64 .
#
# The tag follows version 4 of the Functions host, whose fixes come with each build. Pin a digest where that is asked for.
FROM mcr.microsoft.com/azure-functions/python:4-python3.13

ENV AzureWebJobsScriptRoot=/home/site/wwwroot \
    AzureFunctionsJobHost__Logging__Console__IsEnabled=true \
    ASPNETCORE_URLS=http://+:8080 \
    PYTHONDONTWRITEBYTECODE=1

# Where the Functions worker looks first; .dockerignore lets nothing else than the app and this list in.
COPY requirements.txt /home/site/wwwroot/
RUN python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary=:all: --compile \
    --target /home/site/wwwroot/.python_packages/lib/site-packages --requirement /home/site/wwwroot/requirements.txt

COPY function_app.py host.json /home/site/wwwroot/
COPY receivers /home/site/wwwroot/receivers/
COPY docs /home/site/wwwroot/docs/

# What /readyz shows beside the version: `--build-arg BUILD=$(git rev-parse --short=12 HEAD)`.
ARG BUILD=image
RUN cd /home/site/wwwroot && python -m compileall -q function_app.py receivers && \
    echo "$(python -c 'from receivers.version import VERSION; print(VERSION)')+$BUILD" > receivers/build.txt

# Above 1024, so that no right is needed to listen there.
EXPOSE 8080
