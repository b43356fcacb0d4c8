//! The suite that every store must pass, one named test for each sentence of its contract.
