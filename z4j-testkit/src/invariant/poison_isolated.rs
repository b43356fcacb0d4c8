//! I-08: an entry that can never be stored costs itself only: its frame is acknowledged and it is in the quarantine.

use super::Broken;
use crate::sim::Picture;
use crate::sim::oracle::{Facts, Fate, Standing};

pub(super) fn check(_: &Picture, facts: &Facts, broken: &mut Broken) {
    let poison = facts
        .emissions
        .iter()
        .filter(|emission| emission.standing == Standing::Poison);
    for emission in poison.filter(|emission| emission.fate != Fate::Evicted) {
        let Some(id) = emission.id else { continue };
        if !facts.quarantined.contains(&(emission.project, id)) {
            let process = emission.process.0;
            broken.note(format!(
                "poison {id} of process {process} is in no quarantine"
            ));
        }
    }
}
