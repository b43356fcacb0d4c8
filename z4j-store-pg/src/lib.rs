//! The z4j store on PostgreSQL: the production default, shared by any number of brains.

mod audit;
mod checks;
mod commands;
mod config;
mod connect;
mod coordination;
mod cursor;
mod db;
mod fault;
mod fleet;
mod identity;
mod ingest;
mod leases;
mod listen;
mod migrate;
mod open;
mod replicas;
mod row;
mod session;
mod store;
mod tasks;
mod text;
mod tls;
mod url;

pub use config::PgConfig;
pub use migrate::Migrated;
pub use store::PgStore;
pub use url::{PgUrl, SslMode, UrlError};
