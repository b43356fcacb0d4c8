//! I-27: the audit sequence has no gap, and each entry follows from the one before.

use super::Broken;
use crate::sim::Picture;
use crate::sim::oracle::Facts;

pub(super) fn check(picture: &Picture, _: &Facts, broken: &mut Broken) {
    for project in &picture.projects {
        for pair in project.audit.windows(2) {
            let [before, after] = pair else { continue };
            if after.seq != before.seq + 1 || after.prev_mac != before.mac {
                broken.note(format!(
                    "entry {} of project {} does not follow from entry {}",
                    after.seq, project.id, before.seq
                ));
            }
        }
    }
}
