//! Stores that go wrong on demand, whatever store is inside.

mod faults;
mod forward;
mod hooks;

pub(crate) use faults::{FaultHooks, StoreFault, StoreWeather};
pub use hooks::{HookedStore, StoreHooks};
