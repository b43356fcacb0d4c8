//! The suite through PgBouncer in transaction mode, where no two statements outside a transaction meet the same session.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what is wrong by panicking"
)]

use z4j_store_pg::PgStore;
use z4j_testkit::Fresh;
use z4j_testkit::postgres::{Bouncer, Database};

async fn fresh() -> Fresh<PgStore> {
    let database = Database::fresh().await;
    let bouncer = Bouncer::start(&database, 4).await;
    let store = PgStore::open(bouncer.config(&database))
        .await
        .expect("a store");
    Fresh::new(store).keeping(bouncer).keeping(database)
}

z4j_testkit::store_conformance!(fresh);
