//! What a brain does without being asked: starting and stopping in order, leases, sweeps, probes.

mod duties;
mod health;
mod people;
mod probe;
mod revocation;
mod run;

pub(crate) use health::{Health, is_passing};
pub(crate) use run::run;
