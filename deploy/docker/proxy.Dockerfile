# The proxy alone, and php/grpc-server for the images of applications, which copy it from here. Works for any platform.

FROM docker.io/library/rust:1.95.0-slim-bookworm AS build
WORKDIR /src
ENV CARGO_PROFILE_RELEASE_DEBUG=none CARGO_PROFILE_RELEASE_STRIP=debuginfo
COPY Cargo.toml Cargo.lock ./
COPY proto proto
COPY grpc-fcgi-proxy grpc-fcgi-proxy
# Members of the workspace that are not built.
COPY services services
COPY deploy/tests/Cargo.toml deploy/tests/
RUN mkdir deploy/tests/mesh && touch deploy/tests/mesh/main.rs
# The caches stay on the machine that builds, so that a change of the sources does not compile the dependencies again. cargo would
# take sources for unchanged that are older than what another checkout has left there.
RUN --mount=type=cache,target=/cargo --mount=type=cache,target=/src/target \
    find proto grpc-fcgi-proxy -type f -exec touch {} + \
    && CARGO_HOME=/cargo cargo build --release --locked --package grpc-fcgi-proxy \
    && install -D --target-directory /out/usr/local/bin target/release/grpc-fcgi-proxy
# The image has no shell and no packages: the program and its libraries.
RUN ldd /out/usr/local/bin/grpc-fcgi-proxy | grep -o '/[^ ]*' | xargs cp --dereference --parents --target-directory /out
COPY php/grpc-server/autoload.php php/grpc-server/composer.json /out/usr/local/share/grpc-fcgi-proxy/grpc-server/
COPY php/grpc-server/src /out/usr/local/share/grpc-fcgi-proxy/grpc-server/src
# The files of a checkout may be readable by their owner only.
RUN chmod --recursive a+rX,go-w /out

FROM scratch
COPY --from=build /out /
USER 65532:65532
# It asks the proxy's default auxiliary address, or that of GRPC_FCGI_PROXY_AUX_ADDRESS.
HEALTHCHECK --interval=10s --timeout=10s CMD ["/usr/local/bin/grpc-fcgi-proxy", "health"]
ENTRYPOINT ["/usr/local/bin/grpc-fcgi-proxy"]
