# syntax=docker/dockerfile:1
# Kasir and the simulator, without a shell, for a user who may do nothing: `docker build --tag kasir .`
# `--target front` is the proxy of docker-compose.yml.

FROM rust:1.94-bookworm AS build
WORKDIR /src
COPY . .
# Crates, and what was built of them, are kept between builds. A file of ours is built again whatever its time is: a checkout
# of another version may be older than what was built.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    find . -path ./target -prune -o -name '*.rs' -exec touch {} + \
    && cargo build --release --locked --package kasir --package midtrans-sim --bin kasir --bin midtrans-sim \
    && install -D -t /out/bin target/release/kasir target/release/midtrans-sim \
    && install -d -m 0700 /out/state/kasir

FROM caddy:2.10-alpine AS front
RUN chown -R 65532:65532 /data /config
USER 65532:65532

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/bin/kasir /out/bin/midtrans-sim /usr/local/bin/
COPY --from=build --chown=65532:65532 /out/state/ /var/lib/
USER 65532:65532
WORKDIR /var/lib/kasir
VOLUME /var/lib/kasir
ENV KASIR_ADDR=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=6s --start-period=20s CMD ["/usr/local/bin/kasir", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/kasir"]
CMD ["serve"]
