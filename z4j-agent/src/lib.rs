//! The z4j agent: observes a queue engine inside its process and executes commands on it.
