//! The suite that every store must pass, on PostgreSQL.

#![allow(clippy::expect_used, reason = "a test says what is wrong by panicking")]

use z4j_store_pg::PgStore;
use z4j_testkit::Fresh;
use z4j_testkit::postgres::Database;

async fn fresh() -> Fresh<PgStore> {
    let database = Database::fresh().await;
    Fresh::new(database.store().await).keeping(database)
}

z4j_testkit::store_conformance!(fresh);
