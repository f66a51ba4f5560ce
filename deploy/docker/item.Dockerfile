# php-fpm with the item application.

FROM docker.io/library/debian:12.12-slim AS packages
RUN apt-get update \
    && apt-get install --yes --no-install-recommends php8.2-fpm php8.2-mbstring php8.2-pgsql php-google-protobuf tzdata \
    && rm -rf /var/lib/apt/lists/*
# The contents of an image without a shell or packages: php-fpm, PHP's modules, their libraries, PHP's settings, the
# application's dependencies, and the time zones, which Debian's PHP reads from /usr/share/zoneinfo.
RUN mkdir /out \
    && find /usr/sbin/php-fpm8.2 /usr/lib/php/2* -type f | xargs ldd | grep -o '/[^ :]*' | sort -u \
       | xargs cp --dereference --parents --target-directory /out \
    && cp --archive --parents /etc/php/8.2/fpm /etc/php/8.2/mods-available /usr/share/php/Google /usr/share/php/GPBMetadata \
       /usr/share/zoneinfo /out \
    && mkdir /out/tmp && chmod 1777 /out/tmp \
    && echo 'nonroot:x:65532:65532::/tmp:/sbin/nologin' >/out/etc/passwd
COPY php/autoload.php /out/app/
COPY php/generated /out/app/generated
COPY php/grpc-server/autoload.php /out/app/grpc-server/
COPY php/grpc-server/src /out/app/grpc-server/src
COPY php/item /out/app/item
# The files of a checkout may be readable by their owner only.
RUN chmod --recursive a+rX,go-w /out/app

FROM scratch
COPY --from=packages /out /
USER 65532:65532
# Lets active calls finish.
STOPSIGNAL SIGQUIT
ENTRYPOINT ["/usr/sbin/php-fpm8.2", "--nodaemonize", "--force-stderr", "--fpm-config", "/app/item/php-fpm.conf", \
    "--define", "opcache.preload=/app/item/preload.php"]
