# syntax=docker/dockerfile:1
# Build and run in two images: what is shipped holds the program and a C library, no compiler and no source.

FROM rust:1.95-bookworm AS build
WORKDIR /src
# The dependencies first, so that a change of ours does not build them again.
COPY Cargo.toml Cargo.lock build.rs ./
RUN mkdir -p src benches/throughput benches/ingest benches/storage tests/it \
    && echo 'fn main() {}' | tee src/main.rs benches/throughput/main.rs benches/ingest/main.rs benches/storage/main.rs \
        tests/it/main.rs > src/lib.rs \
    && cargo build --release --locked --bin afterword \
    && rm -r src benches tests
COPY . .
# The stand-ins above are newer than the sources; touching makes Cargo look again.
RUN mkdir -p tests/it && touch tests/it/main.rs src/main.rs src/lib.rs \
    && cargo build --release --locked --bin afterword \
    && install -D -m 0755 target/release/afterword /out/afterword

FROM debian:bookworm-slim
RUN install -d -o 65532 -g 65532 -m 0700 /var/lib/afterword
COPY --from=build /out/afterword /usr/local/bin/afterword
COPY LICENSE /usr/share/doc/afterword/LICENSE
# An ordinary user without a name, a home or a shell. The database comes from DATABASE_URL; exports go to the volume.
USER 65532:65532
ENV AFTERWORD_DATA_DIR=/var/lib/afterword AFTERWORD_LISTEN=0.0.0.0:8787
VOLUME /var/lib/afterword
EXPOSE 8787
STOPSIGNAL SIGTERM
# There is no HTTP client in the image; bash opens the connection itself.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8787 && printf 'GET /readyz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && head -1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["/usr/local/bin/afterword"]
CMD ["serve"]
