//! The house rules, as tests. Each reads the tree and says, where a rule is broken, what to do instead.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a rule that cannot be read is broken")]

mod arrows;
mod code;
mod compose;
mod deploy;
mod operating;
mod papers;
mod tree;
