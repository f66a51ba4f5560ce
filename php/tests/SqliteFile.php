<?php

declare(strict_types=1);

namespace Tests;

use PHPUnit\Framework\Attributes\After;
use PHPUnit\Framework\Attributes\Before;

/** Provides the DSN of an SQLite file that does not exist yet. */
trait SqliteFile
{
    private string $folder;

    /** @before */
    #[Before]
    protected function makeFolder(): void
    {
        $this->folder = sys_get_temp_dir() . '/item-' . bin2hex(random_bytes(8));
        mkdir($this->folder);
    }

    /** @after */
    #[After]
    protected function removeFolder(): void
    {
        array_map(unlink(...), glob("$this->folder/*"));
        rmdir($this->folder);
    }

    protected function dsn(): string
    {
        return "sqlite:$this->folder/item.sqlite";
    }
}
