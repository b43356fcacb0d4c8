//! What dashboards are told: changes of rows, numbered per project, held in a bounded ring for those who come back.

mod channel;
mod contested;
mod delta;
mod doubts;
mod hub;
mod outgoing;
mod subscription;

pub(crate) use delta::Delta;
pub(crate) use hub::Hub;
pub(crate) use subscription::{LiveBody, LiveMessage, Subscription};
