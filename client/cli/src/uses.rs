// SPDX-License-Identifier: Apache-2.0
//! What each command does, and which of the options of all commands mean something to it. The others are refused: who gives one
//! counts on its effect.

use crate::{arguments, error::Error};
use clap::{parser::ValueSource, ArgMatches};

/// What a command does: a sum of the constants below.
pub(crate) type Uses = u16;

/// It asks a node.
pub(crate) const NODE: Uses = 1;
/// It checks what a node has proved before.
pub(crate) const PROOF: Uses = 1 << 1;
/// It may act for another owner.
pub(crate) const OWNER: Uses = 1 << 2;
/// It seals keys, or may open what was sealed.
pub(crate) const OPENS: Uses = 1 << 3;
/// It may send transactions.
pub(crate) const SENDS: Uses = 1 << 4;
/// It waits for what it sends.
pub(crate) const WAITS: Uses = 1 << 5;
/// It can show what it would do.
pub(crate) const DRY_RUN: Uses = 1 << 6;
/// What it costs can be limited.
pub(crate) const LIMIT: Uses = 1 << 7;
/// It acts as an account, or may do so.
pub(crate) const KEY: Uses = 1 << 8;
/// It sends transactions and then ends.
pub(crate) const SENDS_AND_ENDS: Uses = NODE | KEY | SENDS | WAITS | DRY_RUN | LIMIT;
/// It disputes grants that do not open. A dispute that is won is free.
pub(crate) const DISPUTES: Uses = NODE | KEY | SENDS | WAITS | LIMIT;

/// An option of all commands that some have no use for.
pub(crate) struct Shared {
	/// Its name among the arguments.
	id: &'static str,
	/// What a command has to do, one of these, for the option to mean something.
	needs: Uses,
	/// What the option is for.
	is_for: &'static str,
}

/// The options of all commands but `--json`, in the order in which they are refused.
static SHARED: [Shared; 12] = [
	shared(
		"dry_run",
		DRY_RUN,
		"--dry-run is for commands that send transactions and then end",
	),
	shared(
		"max_cost",
		LIMIT,
		"--max-cost is for commands that send transactions and then end, and for fetch and watch",
	),
	shared(
		"acts_for",
		OWNER,
		"--for is for commands of owners that name no other one: dataset, store, sync, embargo, remove, requests, authorize, reject, revoke, serve, fetch and list",
	),
	shared("tip", SENDS, "--tip is for commands that send transactions"),
	shared(
		"finalized",
		WAITS,
		"--finalized is for commands that send transactions and wait for them",
	),
	shared(
		"pq_only",
		OPENS,
		"--pq-only is for commands that seal or open keys",
	),
	shared("url", NODE, "--url is for commands that ask a node"),
	shared(
		"key",
		KEY,
		"--key is for commands that act as an account on a chain, and not for those that only look at one that they name",
	),
	shared("timeout", NODE, "--timeout is for commands that ask a node"),
	shared(
		"trust_node",
		NODE,
		"--trust-node is for commands that ask a node",
	),
	shared(
		"genesis",
		NODE | PROOF,
		"--genesis is for commands that ask a node or check a receipt",
	),
	shared(
		"chain_spec",
		NODE | PROOF,
		"--chain-spec is for commands that ask a node or check a receipt",
	),
];

const fn shared(id: &'static str, needs: Uses, is_for: &'static str) -> Shared {
	Shared { id, needs, is_for }
}

/// Returns which options of all commands a command line gives, before the name of the command or after it. What variables and
/// defaults say is for all commands, and not looked at.
pub(crate) fn given(apart: &ArgMatches) -> Vec<&'static Shared> {
	let is_given = |shared: &&Shared| {
		arguments::levels(apart).any(|level| {
			matches!(level.try_contains_id(shared.id), Ok(true))
				&& level.value_source(shared.id) == Some(ValueSource::CommandLine)
		})
	};
	SHARED.iter().filter(is_given).collect()
}

/// Checks that a command has a use for the options of all commands that it is given.
pub(crate) fn check(uses: Uses, given: &[&Shared]) -> Result<(), Error> {
	match given.iter().find(|shared| shared.needs & uses == 0) {
		Some(idle) => Err(Error::usage(idle.is_for)),
		None => Ok(()),
	}
}

#[cfg(test)]
mod tests;
