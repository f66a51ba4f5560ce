<?php

declare(strict_types=1);

namespace Conformance;

use Connectrpc\Conformance\V1\Header;

/** Header fields as messages, in which binary values are in base64. */
final class Headers
{
    private const BINARY = '-bin';

    /**
     * @param iterable<Header> $headers
     * @return array<string, list<string>>
     */
    public static function metadata(iterable $headers): array
    {
        $metadata = [];
        foreach ($headers as $header) {
            $name = strtolower($header->getName());
            foreach ($header->getValue() as $value) {
                $metadata[$name][] = str_ends_with($name, self::BINARY) ? (string) base64_decode($value) : $value;
            }
        }
        return $metadata;
    }

    /**
     * @param array<string, list<string>> $metadata
     * @return list<Header>
     */
    public static function messages(array $metadata): array
    {
        $headers = [];
        foreach ($metadata as $name => $values) {
            if (str_ends_with($name, self::BINARY)) {
                $values = array_map(static fn (string $value): string => rtrim(base64_encode($value), '='), $values);
            }
            $headers[] = new Header(['name' => $name, 'value' => $values]);
        }
        return $headers;
    }
}
