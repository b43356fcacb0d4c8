//! What a start refuses, and what it leaves behind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what is wrong by panicking"
)]

use z4j_testkit::postgres::Database;

#[tokio::test]
async fn a_fresh_database_opens() {
    let database = Database::fresh().await;
    let store = database.store().await;
    store.close().await;
}
