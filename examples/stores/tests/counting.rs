//! A store that keeps the contract passes: these four lines are the whole proof.
async fn fresh() -> z4j_testkit::Fresh<impl z4j_core::store::Store> {
    z4j_testkit::Fresh::new(example_stores::counting(z4j_testkit::mem::MemStore::new()).0)
}
z4j_testkit::store_conformance!(fresh);
