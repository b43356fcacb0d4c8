//! I-09: of a Rust agent's stream everything up to its cursor is stored or declared lost, and nothing is declared twice.

use super::Broken;
use crate::sim::Picture;
use crate::sim::oracle::Facts;

pub(super) fn check(picture: &Picture, facts: &Facts, broken: &mut Broken) {
    for (no, stream) in &facts.streams {
        let Some((process, id)) = facts.processes.get(no).zip(stream.id) else {
            continue;
        };
        let mut known = picture.streams.iter();
        let known = known.find(|(key, _)| {
            key.stream_id == id
                && key.agent_id == process.agent
                && key.project_id == process.project
        });
        let Some((_, (position, gaps))) = known else {
            continue;
        };
        let mut last = 0;
        for gap in gaps {
            if gap.first <= last || gap.last < gap.first || gap.last > *position {
                let no = no.0;
                broken.note(format!(
                    "the gaps of process {no} overlap or lead too far: {gaps:?}"
                ));
            }
            last = gap.last;
        }
        for at in 1..=*position {
            let is_declared = gaps.iter().any(|gap| (gap.first..=gap.last).contains(&at));
            let event = stream.positions.get(&at);
            let is_stored = event.is_some_and(|event| {
                let place = (process.project, *event);
                facts.committed.contains(&place) || facts.quarantined.contains(&place)
            });
            if !is_declared && !is_stored {
                broken.note(format!(
                    "position {at} of process {} is before its cursor {position}, and neither stored nor declared lost",
                    no.0
                ));
            }
        }
    }
}
