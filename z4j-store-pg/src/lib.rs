//! The z4j store on PostgreSQL: the production default, shared by any number of brains.

mod checks;
mod config;
mod connect;
mod cursor;
mod db;
mod fault;
mod ingest;
mod listen;
mod migrate;
mod open;
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
