//! Numbers the changes of each project and keeps the latest of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use z4j_core::env::Env;
use z4j_core::id::{ProjectId, TaskKey};

use super::channel::{Channel, Source};
use super::contested::Contested;
use super::delta::Delta;
use super::doubts::Doubts;
use super::outgoing::Outgoing;
use super::subscription::Subscription;

/// Where changes are published and followed.
///
/// Memory is bounded by the number of projects: readers hold a position, never a queue of their own.
#[derive(Debug)]
pub(crate) struct Hub {
    env: Env,
    /// Tells the numbers of this hub from those of any other brain, and of this one before it was restarted.
    id: u64,
    outgoing: Outgoing,
    doubts: Doubts,
    contested: Contested,
    /// Ordered, since readers are woken in this order and a run of the simulator is its seed.
    channels: Mutex<BTreeMap<ProjectId, Arc<Channel>>>,
}

impl Hub {
    /// A hub that nobody follows yet.
    pub(crate) fn new(env: Env) -> Self {
        // The random half of an id.
        let id = env.next_id() & u128::from(u64::MAX);
        Self {
            env,
            id: u64::try_from(id).unwrap_or_default(),
            outgoing: Outgoing::default(),
            doubts: Doubts::default(),
            contested: Contested::default(),
            channels: Mutex::new(BTreeMap::new()),
        }
    }

    /// Publishes one change of `project`.
    pub(crate) fn publish(&self, project: ProjectId, delta: Delta) {
        self.publish_all(project, std::iter::once(delta));
    }

    /// Publishes changes of `project` in order and wakes its readers once.
    pub(crate) fn publish_all(&self, project: ProjectId, deltas: impl IntoIterator<Item = Delta>) {
        let began = self.env.elapsed();
        self.publish_committed(project, began, deltas);
    }

    /// Publishes changes of a commit that began at `began`. Where another brain's change of the same row was heard since,
    /// nobody knows which of the two is later: such a row is read again.
    pub(crate) fn publish_committed(
        &self,
        project: ProjectId,
        began: Duration,
        deltas: impl IntoIterator<Item = Delta>,
    ) {
        let deltas: Vec<Delta> = deltas.into_iter().collect();
        self.outgoing.note(project, &deltas);
        let now = self.env.elapsed();
        let contested = self.channel(project).push(deltas, Source::Own, began, now);
        self.contested.add(project, contested);
    }

    /// Publishes changes that another brain committed, as they were read from `began` on. Gives the rows that have changed
    /// here since: they are not published and must be read again.
    pub(crate) fn hear(
        &self,
        project: ProjectId,
        began: Duration,
        deltas: impl IntoIterator<Item = Delta>,
    ) -> Vec<TaskKey> {
        let now = self.env.elapsed();
        self.channel(project)
            .push(deltas, Source::Heard, began, now)
    }

    /// Rows that must be read again before they can be published.
    pub(crate) const fn contested(&self) -> &Contested {
        &self.contested
    }

    /// Counts changes of `project` that were not collected, because nobody followed it then: whoever follows since is told to
    /// fetch anew.
    pub(crate) fn skip(&self, project: ProjectId) {
        self.outgoing.note_changed(project);
        self.channel(project).skip(Source::Own, self.env.elapsed());
    }

    /// Counts changes of `project` by other brains that were not heard, or that nobody here followed.
    pub(crate) fn miss(&self, project: ProjectId) {
        self.channel(project)
            .skip(Source::Heard, self.env.elapsed());
    }

    /// Counts changes of any project that were not heard.
    pub(crate) fn miss_all(&self) {
        let channels: Vec<_> = lock(&self.channels).values().cloned().collect();
        let now = self.env.elapsed();
        channels
            .iter()
            .for_each(|channel| channel.skip(Source::Heard, now));
    }

    /// What may have changed without an answer that said so.
    pub(crate) const fn doubts(&self) -> &Doubts {
        &self.doubts
    }

    /// The store answers again: whoever follows what may have changed meanwhile is told to fetch anew.
    pub(crate) fn resolve_doubts(&self) {
        let (everything, projects) = self.doubts.take();
        if everything {
            self.outgoing.everything();
            self.miss_all();
        }
        projects.into_iter().for_each(|project| self.skip(project));
    }

    /// Whether anybody may want changes of `project`; saves the work of making them.
    pub(crate) fn is_followed(&self, project: ProjectId) -> bool {
        self.has_followers(project) || self.outgoing.wants_rows(project)
    }

    /// Whether anybody follows `project` here.
    pub(crate) fn has_followers(&self, project: ProjectId) -> bool {
        self.channel(project).is_followed(self.env.elapsed())
    }

    /// What the other brains have to be told.
    pub(crate) const fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }

    /// What a reader sends back to go on after change `number`.
    pub(crate) fn event_id(&self, number: u64) -> String {
        format!("{:016x}-{number}", self.id)
    }

    /// The change that an id names; one that no change ever has, when it is not of this hub.
    fn number_of(&self, event_id: &str) -> u64 {
        let parts = event_id.trim().split_once('-');
        let own = parts.filter(|(hub, _)| u64::from_str_radix(hub, 16) == Ok(self.id));
        own.and_then(|(_, number)| number.parse().ok())
            .unwrap_or(u64::MAX)
    }

    /// Follows `project`: from after `last_id` if that is still kept, else from now.
    ///
    /// A `last_id` that is not kept any more gives one [`super::LiveBody::Reset`] first.
    pub(crate) fn subscribe(&self, project: ProjectId, last_id: Option<&str>) -> Subscription {
        let last = last_id.map(|id| self.number_of(id));
        let channel = self.channel(project);
        channel.follow(self.env.elapsed());
        Subscription::new(channel, self.env.clone(), last)
    }

    fn channel(&self, project: ProjectId) -> Arc<Channel> {
        let mut channels = lock(&self.channels);
        let channel = channels
            .entry(project)
            .or_insert_with(|| Arc::new(Channel::new()));
        Arc::clone(channel)
    }
}

/// Locks a mutex whose holders cannot leave it half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::channel::{FIRST, RING_DELTAS};
    use super::super::subscription::LiveBody;
    use super::*;
    use z4j_core::id::AgentId;
    use z4j_core::store::News;

    fn hub() -> (Hub, ProjectId) {
        (Hub::new(Env::system()), ProjectId::from_u128(1))
    }

    fn agent(number: u128) -> Delta {
        Delta::Agent(AgentId::from_u128(number))
    }

    fn agents(body: &LiveBody) -> Vec<u128> {
        let LiveBody::Deltas(deltas) = body else {
            panic!("{body:?}")
        };
        let ids = deltas.iter().map(|delta| match &**delta {
            Delta::Agent(id) => id.as_uuid().as_u128(),
            other => panic!("{other:?}"),
        });
        ids.collect()
    }

    #[tokio::test]
    async fn a_slow_reader_gets_the_latest_of_each_row_once() {
        let (hub, project) = hub();
        let mut reader = hub.subscribe(project, None);
        hub.publish_all(project, [agent(1), agent(2), agent(1), agent(3)]);
        assert_eq!(agents(&reader.next().await.body), [2, 1, 3]);
        hub.publish(ProjectId::from_u128(2), agent(9));
        hub.publish(project, agent(4));
        assert_eq!(agents(&reader.next().await.body), [4]);
    }

    #[tokio::test]
    async fn a_reader_that_comes_back_continues_where_it_was() {
        let (hub, project) = hub();
        let mut reader = hub.subscribe(project, None);
        hub.publish(project, agent(1));
        let seen = reader.next().await.id;
        drop(reader);
        hub.publish_all(project, [agent(2), agent(3)]);
        let mut back = hub.subscribe(project, Some(&hub.event_id(seen)));
        assert_eq!(agents(&back.next().await.body), [2, 3]);
    }

    #[tokio::test]
    async fn a_reader_that_missed_something_is_told_so_and_goes_on() {
        let (hub, project) = hub();
        let mut reader = hub.subscribe(project, None);
        let first = reader.position();
        hub.publish_all(project, (0..=RING_DELTAS).map(|_| agent(1)));
        let message = reader.next().await;
        assert!(matches!(message.body, LiveBody::Reset(_)));
        hub.publish(project, agent(2));
        assert_eq!(agents(&reader.next().await.body), [2]);
        for unknown in [first - 1, reader.position() + 1] {
            let mut other = hub.subscribe(project, Some(&hub.event_id(unknown)));
            assert!(
                matches!(other.next().await.body, LiveBody::Reset(_)),
                "{unknown}"
            );
        }
    }

    #[tokio::test]
    async fn a_reader_that_comes_between_collecting_and_publishing_is_told_to_fetch() {
        let (hub, project) = hub();
        assert!(!hub.is_followed(project));
        let mut reader = hub.subscribe(project, None);
        let before = reader.position();
        hub.publish(project, agent(1));
        hub.skip(project);
        hub.publish(project, agent(2));
        assert!(matches!(reader.next().await.body, LiveBody::Reset(_)));
        let mut back = hub.subscribe(project, Some(&hub.event_id(before)));
        assert!(matches!(back.next().await.body, LiveBody::Reset(_)));
    }

    #[tokio::test]
    async fn an_id_of_another_brain_is_told_to_fetch() {
        let ((hub, project), (other, _)) = (hub(), hub());
        let mut reader = hub.subscribe(project, None);
        hub.publish_all(project, [agent(1), agent(2)]);
        let seen = reader.next().await.id;
        for foreign in [
            other.event_id(seen),
            seen.to_string(),
            "nonsense".to_owned(),
        ] {
            let mut back = hub.subscribe(project, Some(&foreign));
            let said = tokio::time::timeout(Duration::from_secs(5), back.next());
            let said = said.await.expect("it is not taken for one of its own");
            assert!(matches!(said.body, LiveBody::Reset(_)), "{foreign}");
        }
    }

    #[tokio::test]
    async fn what_others_committed_reaches_readers_and_is_not_told_again() {
        let (hub, project) = hub();
        hub.outgoing().turn(true);
        let mut reader = hub.subscribe(project, None);
        assert!(hub.hear(project, Duration::ZERO, [agent(1)]).is_empty());
        assert_eq!(agents(&reader.next().await.body), [1]);
        hub.miss_all();
        assert!(matches!(reader.next().await.body, LiveBody::Reset(_)));
        assert!(hub.outgoing().take().is_empty());
        hub.publish(project, agent(2));
        hub.skip(project);
        assert_eq!(hub.outgoing().take(), [News::Changed { project }]);
    }

    #[tokio::test]
    async fn what_may_have_changed_without_an_answer_is_a_reset_once_the_store_answers() {
        let (hub, project) = hub();
        hub.outgoing().turn(true);
        let mut reader = hub.subscribe(project, None);
        hub.resolve_doubts();
        hub.publish(project, agent(1));
        assert_eq!(
            agents(&reader.next().await.body),
            [1],
            "nothing is in doubt"
        );
        assert_eq!(hub.outgoing().take().len(), 1);
        hub.doubts().of(project);
        hub.resolve_doubts();
        assert!(matches!(reader.next().await.body, LiveBody::Reset(_)));
        assert_eq!(hub.outgoing().take(), [News::Changed { project }]);
        hub.doubts().of_everything();
        hub.resolve_doubts();
        assert!(matches!(reader.next().await.body, LiveBody::Reset(_)));
        assert_eq!(hub.outgoing().take(), [News::Everything]);
    }

    #[tokio::test]
    async fn what_nobody_follows_is_not_kept_and_not_hidden() {
        let (hub, project) = hub();
        hub.publish_all(project, [agent(1), agent(2)]);
        assert!(!hub.is_followed(project));
        let before = hub.event_id(FIRST);
        let mut reader = hub.subscribe(project, Some(&before));
        assert!(matches!(reader.next().await.body, LiveBody::Reset(_)));
    }
}
