//! php-fpm itself: the pages that it answers without a script, its health, and its metrics.

pub(crate) mod metrics;
pub(crate) mod page;
pub(crate) mod ping;
pub(crate) mod status_page;
