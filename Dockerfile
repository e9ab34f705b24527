# The server with its web bundle, from locked packages only. Tables are kept in /data:
#   docker build -t roundtable . && docker run -e ROUNDTABLE_SECRET=... -p 8420:8420 -v roundtable:/data roundtable
FROM python:3.13-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Makefile README.md pyproject.toml requirements*.lock ./
COPY protocol protocol
COPY providers providers
COPY roundtable roundtable
COPY web web
RUN make wheel

FROM python:3.13-slim
WORKDIR /app
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --only-binary=:all: -r requirements.lock
COPY --from=build /src/dist/ dist/
RUN pip install --no-cache-dir --no-deps dist/*.whl && rm -r dist \
    && useradd --create-home roundtable && install -d -o roundtable /data
USER roundtable
VOLUME /data
EXPOSE 8420
ENTRYPOINT ["roundtable"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8420", "--data", "/data"]
