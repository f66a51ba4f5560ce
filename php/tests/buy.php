<?php

declare(strict_types=1);

// Places orders of the items a and 7 when its input ends, releases every second one that it has got and places it anew, and
// prints how many it has in the end.

use Shop\Database;
use Shop\OutOfStock;
use Shop\Services;

require __DIR__ . '/../autoload.php';

$reservations = (new Services(Database::fromEnvironment()->connect()))->reservations();
echo "ready\n";
stream_get_contents(STDIN);
$lines = [['a', 1], ['uncounted', 1], ['7', 1]];
$buy = static function (string $order) use ($reservations, $lines): bool {
    try {
        $reservations->reserveItems($order, 1, random_int(0, 1) === 0 ? $lines : array_reverse($lines));
        return true;
    } catch (OutOfStock) {
        return false;
    }
};
$sold = 0;
for ($i = 0; $i < 6; $i++) {
    $order = getenv('BUYER') . "-$i";
    $bought = $buy($order);
    if ($bought && $i % 2 === 1) {
        $reservations->releaseItems($order);
        $bought = $buy("$order-again");
    }
    $sold += (int) $bought;
}
echo $sold;
