//! What happens to a run from outside its machines: faults, commands, and looks at how it goes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use turmoil::Sim;
use z4j_core::env::Env;
use z4j_core::id::LinkId;
use z4j_core::store::{IssueOutcome, LinkRow};

use super::TcpReport;
use super::faults::{DEAD_KNOWN_WITHIN, Fault, FaultKind};
use super::hosts::{AgentHost, Kind, Shared};
use crate::glue::{Chance, Checks, GlueError, Ledger};
use crate::mem::{Failpoint, MemStore};

/// Between two commands.
const COMMAND_PAUSE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(15));
/// Between two faults of the store.
const STORE_PAUSE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(40));

/// A run as seen from outside its machines.
pub(super) struct Stage {
    runtime: Runtime,
    shared: Shared,
    env: Env,
    ledger: Ledger,
    brains: Arc<[String]>,
    agents: Vec<AgentHost>,
    mem: Option<Arc<MemStore>>,
    faults: Vec<Fault>,
    waiting: Vec<Fault>,
    active: Vec<Fault>,
    probes: Vec<DeadLink>,
    dead_links: usize,
    crashed: BTreeSet<String>,
    chance: Chance,
    command_at: Duration,
    store_fault_at: Duration,
    commands: usize,
}

/// A link across which nothing passes.
struct DeadLink {
    due: Duration,
    agent: usize,
    brain: usize,
    numbers: BTreeSet<u64>,
    links: BTreeSet<LinkId>,
}

impl Stage {
    pub(super) fn new(
        runtime: Runtime,
        shared: Shared,
        ledger: Ledger,
        brains: Arc<[String]>,
        agents: Vec<AgentHost>,
        mem: Option<Arc<MemStore>>,
        faults: Vec<Fault>,
    ) -> Self {
        Self {
            runtime,
            env: shared.env("stage", 0),
            chance: Chance::for_purpose(shared.seed, "stage"),
            waiting: faults.iter().rev().cloned().collect(),
            shared,
            ledger,
            brains,
            agents,
            mem,
            faults,
            active: Vec::new(),
            probes: Vec::new(),
            dead_links: 0,
            crashed: BTreeSet::new(),
            command_at: Duration::from_secs(2),
            store_fault_at: STORE_PAUSE.0,
            commands: 0,
        }
    }

    /// Does what is due at `now`.
    pub(super) fn act(&mut self, sim: &mut Sim<'static>, now: Duration) -> Result<(), GlueError> {
        let (over, active) = std::mem::take(&mut self.active)
            .into_iter()
            .partition(|fault| fault.ends_at <= now);
        self.active = active;
        let over: Vec<Fault> = over;
        for fault in over {
            self.end(sim, &fault);
        }
        while self
            .waiting
            .last()
            .is_some_and(|fault| fault.begins_at <= now)
        {
            if let Some(fault) = self.waiting.pop() {
                self.begin(sim, fault)?;
            }
        }
        self.look_for_dead_links(now)?;
        if now >= self.shared.fault_time {
            if let Some(mem) = &self.mem {
                // A fault that waited for a rare write would come long after the last one.
                mem.clear_failpoints();
            }
            return Ok(());
        }
        if now >= self.command_at {
            self.command_at = now + self.chance.between(COMMAND_PAUSE.0, COMMAND_PAUSE.1);
            self.issue_command()?;
        }
        if now >= self.store_fault_at {
            self.store_fault_at = now + self.chance.between(STORE_PAUSE.0, STORE_PAUSE.1);
            self.fail_store();
        }
        Ok(())
    }

    fn begin(&mut self, sim: &mut Sim<'static>, fault: Fault) -> Result<(), GlueError> {
        // The network keeps one state for each pair of machines, and a machine is up or down.
        if self
            .active
            .iter()
            .any(|active| meets(active.kind, fault.kind))
        {
            return Ok(());
        }
        self.ledger.note(&format!("begins: {:?}", fault.kind));
        match fault.kind {
            FaultKind::Partition { agent, brain } => {
                sim.partition(self.agent(agent), self.brain(brain));
            }
            FaultKind::DeafBrain { agent, brain } => {
                sim.partition_oneway(self.agent(agent), self.brain(brain));
            }
            FaultKind::DeafAgent { agent, brain } => {
                sim.partition_oneway(self.brain(brain), self.agent(agent));
            }
            FaultKind::Hold { agent, brain } => sim.hold(self.agent(agent), self.brain(brain)),
            FaultKind::AgentDown { agent } => {
                self.crashed.insert(self.agent(agent).to_owned());
                sim.crash(self.agent(agent));
            }
            FaultKind::BrainDown { brain } => {
                // Its process can find nothing any more; what it showed is for the other brains to take back.
                for probe in self.probes.iter_mut().filter(|probe| probe.brain == brain) {
                    probe.links.clear();
                }
                sim.crash(self.brain(brain));
            }
            FaultKind::Moved { agent } => {
                if let Some(agent) = self.agents.get(agent) {
                    agent.dialler.move_on();
                }
            }
        }
        self.probe(&fault)?;
        self.active.push(fault);
        Ok(())
    }

    fn end(&self, sim: &mut Sim<'static>, fault: &Fault) {
        self.ledger.note(&format!("ends: {:?}", fault.kind));
        match fault.kind {
            FaultKind::Partition { agent, brain }
            | FaultKind::DeafBrain { agent, brain }
            | FaultKind::DeafAgent { agent, brain } => {
                sim.repair(self.agent(agent), self.brain(brain));
            }
            FaultKind::Hold { agent, brain } => sim.release(self.agent(agent), self.brain(brain)),
            FaultKind::AgentDown { agent } => sim.bounce(self.agent(agent)),
            FaultKind::BrainDown { brain } => sim.bounce(self.brain(brain)),
            FaultKind::Moved { .. } => {}
        }
    }

    /// Remembers the links that a long partition kills, to look later whether both ends have found out.
    fn probe(&mut self, fault: &Fault) -> Result<(), GlueError> {
        let (FaultKind::Partition { agent, brain }
        | FaultKind::DeafBrain { agent, brain }
        | FaultKind::DeafAgent { agent, brain }) = fault.kind
        else {
            return Ok(());
        };
        let Some(host) = self.agents.get(agent) else {
            return Ok(());
        };
        let due = fault.begins_at + DEAD_KNOWN_WITHIN;
        let numbers = self.ledger.open_links(&host.minted.name);
        let is_hit = host.dialler.reached() == Some(self.brain(brain)) && !numbers.is_empty();
        if !is_hit || fault.ends_at < due {
            return Ok(());
        }
        let links = self.latest_link(agent)?.into_iter().collect();
        self.dead_links += 1;
        self.probes.push(DeadLink {
            due,
            agent,
            brain,
            numbers,
            links,
        });
        Ok(())
    }

    fn look_for_dead_links(&mut self, now: Duration) -> Result<(), GlueError> {
        while let Some(place) = self.probes.iter().position(|probe| probe.due <= now) {
            let probe = self.probes.swap_remove(place);
            let name = self.agent(probe.agent).to_owned();
            let open = self.ledger.open_links(&name);
            if let Some(number) = open.intersection(&probe.numbers).next() {
                let what = format!("{name} takes the dead link {number} for alive");
                self.ledger.violated(what);
            }
            let shown = self.shown_links(probe.agent)?;
            if shown.intersection(&probe.links).next().is_some() {
                let what = format!("a brain takes a dead link of {name} for alive");
                self.ledger.violated(what);
            }
        }
        Ok(())
    }

    /// The links of an agent that the brains show as open.
    fn shown_links(&self, agent: usize) -> Result<BTreeSet<LinkId>, GlueError> {
        let rows = self.link_rows(agent)?;
        Ok(rows.into_iter().map(|link| link.id).collect())
    }

    /// The last link that an agent opened, if it is shown.
    fn latest_link(&self, agent: usize) -> Result<Option<LinkId>, GlueError> {
        let rows = self.link_rows(agent)?;
        let latest = rows.into_iter().max_by_key(|link| link.connected_at);
        Ok(latest.map(|link| link.id))
    }

    fn link_rows(&self, agent: usize) -> Result<Vec<LinkRow>, GlueError> {
        let Some(host) = self.agents.get(agent) else {
            return Ok(Vec::new());
        };
        let (store, minted) = (self.shared.kit.store(), &host.minted);
        let found = store.agent(minted.project, minted.id);
        let row = self.runtime.block_on(found)?;
        Ok(row.map(|row| row.links).unwrap_or_default())
    }

    fn issue_command(&mut self) -> Result<(), GlueError> {
        let place = self.chance.index(self.agents.len());
        let action = if self.chance.one_in(2) {
            "cancel_task"
        } else {
            "pool_grow"
        };
        let Some(host) = self.agents.get(place) else {
            return Ok(());
        };
        let command = self.shared.kit.command(&self.env, &host.minted, action);
        self.commands += 1;
        self.ledger.note(&format!(
            "issued: {action} {} to {}",
            command.id, host.minted.name
        ));
        let issued = self.shared.kit.store().issue_command(command);
        match self.runtime.block_on(issued) {
            // A fault that the store was told to make may hit this write; it happened, or it did not.
            Ok(IssueOutcome::Issued(_) | IssueOutcome::Repeated(_)) | Err(_) => Ok(()),
            Ok(IssueOutcome::KeyReused) => Err("a command without a key reused one".into()),
        }
    }

    fn fail_store(&mut self) {
        let Some(mem) = &self.mem else {
            return;
        };
        let methods = [
            "ingest",
            "ingest",
            "claim_commands",
            "advance_command",
            "open_link",
        ];
        let method = methods
            .get(self.chance.index(methods.len()))
            .copied()
            .unwrap_or("ingest");
        let failpoint = if self.chance.one_in(2) {
            Failpoint::AfterCommit
        } else {
            Failpoint::BeforeCommit
        };
        self.ledger.note(&format!("store: {method} {failpoint:?}"));
        mem.fail_next_in(method, failpoint);
    }

    /// After the time to heal: every agent is back, delivered everything, and is shown as online.
    pub(super) fn check_recovered(&self) -> Result<(), GlueError> {
        for (place, host) in self.agents.iter().enumerate() {
            if let Some(why) = host.unsettled() {
                self.ledger
                    .violated(format!("a minute after the last fault {why}"));
                continue;
            }
            let name = &host.minted.name;
            let (shown, open) = (
                self.shown_links(place)?.len(),
                self.ledger.open_links(name).len(),
            );
            if shown != open {
                self.ledger
                    .violated(format!("{name} has {open} links and is shown with {shown}"));
            }
        }
        Ok(())
    }

    pub(super) fn check_all(&self) -> Result<(), GlueError> {
        let keeps_all = |name: &str| {
            let host = self.agents.iter().find(|host| host.minted.name == name);
            let is_stock = host.is_some_and(|host| matches!(host.kind, Kind::Stock(_)));
            is_stock || !self.crashed.contains(name)
        };
        let store = Arc::clone(self.shared.kit.store());
        let checks = Checks::new(store, self.ledger.clone());
        self.runtime
            .block_on(checks.run(self.env.now(), keeps_all))?;
        Ok(())
    }

    pub(super) fn into_report(self, seed: u64, virtual_time: Duration) -> TcpReport {
        TcpReport {
            seed,
            virtual_time,
            faults: self.faults,
            tally: self.ledger.tally(),
            trace: self.ledger.trace(),
            events: self.ledger.events(),
            commands: self.commands,
            dead_links: self.dead_links,
            violations: self.ledger.violations(),
        }
    }

    fn agent(&self, place: usize) -> &str {
        self.agents
            .get(place)
            .map_or("", |host| host.minted.name.as_str())
    }

    fn brain(&self, place: usize) -> &str {
        self.brains.get(place).map_or("", String::as_str)
    }
}

/// Whether two faults would overwrite each other.
fn meets(active: FaultKind, new: FaultKind) -> bool {
    match (pair(active), pair(new)) {
        (Some(active), Some(new)) => active == new,
        _ => active == new,
    }
}

const fn pair(kind: FaultKind) -> Option<(usize, usize)> {
    match kind {
        FaultKind::Partition { agent, brain }
        | FaultKind::DeafBrain { agent, brain }
        | FaultKind::DeafAgent { agent, brain }
        | FaultKind::Hold { agent, brain } => Some((agent, brain)),
        FaultKind::AgentDown { .. } | FaultKind::BrainDown { .. } | FaultKind::Moved { .. } => None,
    }
}
