//! The pages that php-fpm answers itself.

pub mod metrics;
pub mod page;
pub mod status_page;
