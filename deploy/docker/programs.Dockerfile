# The Rust programs, one image each: --target grpc-fcgi-proxy, frontend, user, order or load. Works for any platform.

FROM docker.io/library/rust:1.95.0-slim-bookworm AS rust
WORKDIR /src
ENV CARGO_PROFILE_RELEASE_DEBUG=none CARGO_PROFILE_RELEASE_STRIP=debuginfo
RUN cargo install --locked --root /usr/local cargo-chef@0.1.73
COPY Cargo.toml Cargo.lock ./

# The dependencies of the programs, in a form that changes only when they do.
FROM rust AS plan
COPY proto proto
COPY grpc-fcgi-proxy grpc-fcgi-proxy
COPY services services
# A member of the workspace that is not built.
COPY deploy/tests/Cargo.toml deploy/tests/
RUN mkdir deploy/tests/mesh && touch deploy/tests/mesh/main.rs
RUN cargo chef prepare

FROM rust AS build
COPY --from=plan /src/recipe.json ./
RUN cargo chef cook --release --locked --package grpc-fcgi-proxy --package frontend --package user --package order --package load
# Again: cargo chef cook used a reduced workspace.
COPY Cargo.toml Cargo.lock ./
COPY proto proto
COPY grpc-fcgi-proxy grpc-fcgi-proxy
COPY services services
# A member of the workspace that is not built.
COPY deploy/tests/Cargo.toml deploy/tests/
RUN mkdir --parents deploy/tests/mesh && touch deploy/tests/mesh/main.rs
RUN cargo build --release --locked --package grpc-fcgi-proxy --package frontend --package user --package order --package load
# For each image, which has no shell and no packages: the program and its libraries.
RUN for program in grpc-fcgi-proxy frontend user order load; do \
      install -D "target/release/$program" "/out/$program/usr/local/bin/$program" \
      && ldd "target/release/$program" | grep -o '/[^ ]*' | xargs cp --dereference --parents --target-directory "/out/$program" \
      || exit; \
    done

FROM scratch AS runtime
USER 65532:65532

FROM runtime AS grpc-fcgi-proxy
COPY --from=build /out/grpc-fcgi-proxy /
COPY php/generated/descriptor-set.binpb /app/generated/
ENTRYPOINT ["/usr/local/bin/grpc-fcgi-proxy"]

FROM runtime AS frontend
COPY --from=build /out/frontend /
ENTRYPOINT ["/usr/local/bin/frontend"]

FROM runtime AS user
COPY --from=build /out/user /
ENTRYPOINT ["/usr/local/bin/user"]

FROM runtime AS order
COPY --from=build /out/order /
ENTRYPOINT ["/usr/local/bin/order"]

FROM runtime AS load
COPY --from=build /out/load /
ENTRYPOINT ["/usr/local/bin/load"]
