//! What dashboards are told: changes of rows, numbered per project, held in a bounded ring for those who come back.

mod hub;

pub(crate) use hub::{Delta, Hub, Subscription};
