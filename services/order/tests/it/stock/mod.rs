//! Orders and the stock: each point at which a change can be interrupted, with each kind of database.

mod create;
mod delete;
mod migration;
mod shop;
mod update;
