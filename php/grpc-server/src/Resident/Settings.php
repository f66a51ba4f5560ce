<?php

declare(strict_types=1);

namespace Grpc\Resident;

use SensitiveParameter;

/** What the proxy asks of a resident worker, in the meta-variables GRPC_RESIDENT_…. */
final class Settings
{
    private const PREFIX = 'GRPC_RESIDENT_';

    private function __construct(
        public readonly string $address,
        #[SensitiveParameter] public readonly string $secret,
        /** How many streaming calls it may get at once. */
        public readonly int $maxStreams,
        /** In bytes; 0 for no limit. */
        public readonly int $maxMemory,
    ) {
    }

    /**
     * Removes the variables from the superglobals, so that a service does not show or log the secret. Under php-fpm, getenv()
     * still returns it, which nothing can change; but it is good for one connection only, that of this worker.
     *
     * @return self|null null if the script is to serve one call
     */
    public static function take(): ?self
    {
        if (!isset($_SERVER[self::PREFIX . 'ADDRESS'])) {
            return null;
        }
        $settings = new self(
            (string) $_SERVER[self::PREFIX . 'ADDRESS'],
            (string) ($_SERVER[self::PREFIX . 'SECRET'] ?? ''),
            (int) ($_SERVER[self::PREFIX . 'STREAMS'] ?? 0),
            (int) ($_SERVER[self::PREFIX . 'MAX_MEMORY'] ?? 0),
        );
        foreach (['ADDRESS', 'SECRET', 'STREAMS', 'MAX_MEMORY'] as $name) {
            unset($_SERVER[self::PREFIX . $name], $_ENV[self::PREFIX . $name]);
        }
        return $settings;
    }
}
