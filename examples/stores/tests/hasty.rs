//! A store that acknowledges before it writes does not pass. `cargo xtask test` runs this and expects that.
async fn fresh() -> z4j_testkit::Fresh<impl z4j_core::store::Store> {
    z4j_testkit::Fresh::new(example_stores::hasty(z4j_testkit::mem::MemStore::new()))
}
z4j_testkit::store_conformance!(fresh);
