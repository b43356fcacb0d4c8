//! I-12: what a brain reads from a link it commits or refuses with a reason: on a link that was sound to the end, every
//! batch that arrived is acknowledged.

use super::Broken;
use crate::sim::Picture;
use crate::sim::oracle::Facts;

pub(super) fn check(picture: &Picture, facts: &Facts, broken: &mut Broken) {
    for no in &picture.whole_links {
        let Some(log) = facts.links.get(no).filter(|log| !log.is_disturbed) else {
            continue;
        };
        for id in log.arrived.difference(&log.acked) {
            broken.note(format!("{id} arrived on link {} and has no ack", no.0));
        }
    }
}
