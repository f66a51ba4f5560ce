<?php

declare(strict_types=1);

namespace Tests;

use PHPUnit\Framework\Attributes\After;

/** Provides the DSN of an SQLite file that does not exist yet. */
trait SqliteFile
{
    private ?string $folder = null;

    /** @after */
    #[After]
    protected function removeFolder(): void
    {
        if ($this->folder !== null) {
            array_map(unlink(...), glob("$this->folder/*"));
            rmdir($this->folder);
            $this->folder = null;
        }
    }

    /** Made at its first use: PHPUnit's versions differ in which of several methods runs first before a test. */
    protected function folder(): string
    {
        if ($this->folder === null) {
            $this->folder = sys_get_temp_dir() . '/item-' . bin2hex(random_bytes(8));
            mkdir($this->folder);
        }
        return $this->folder;
    }

    protected function dsn(): string
    {
        return "sqlite:{$this->folder()}/item.sqlite";
    }
}
