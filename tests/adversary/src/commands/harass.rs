// SPDX-License-Identifier: Apache-2.0

//! `harass`: lies to a node until this program is ended. It also returns to a node that restarts.

use super::print;
use clap::Args;
use isthmus_adversary::{
	siege::{Liars, Lie, Sight, Target},
	victim::Victim,
	AttackError,
};
use std::time::Duration;
use tokio::sync::watch;

/// How often to look at the node's best block, and to print the counts.
const INTERVAL: Duration = Duration::from_millis(250);

#[derive(Args)]
pub(crate) struct Options {
	/// The node's RPC, ws://…
	#[arg(long)]
	rpc: String,

	/// What the liars do.
	#[arg(long)]
	lie: Lie,

	/// How many liars there are at the same time.
	#[arg(long)]
	peers: Option<usize>,
}

pub(crate) async fn run(options: Options) -> Result<bool, AttackError> {
	let Options { rpc, lie, peers } = options;
	let victim = Victim::attach(&rpc).await?;
	let (sight, seen) = watch::channel(Sight::read(&victim).await?);
	let peers = peers.unwrap_or(lie.peers());
	let liars = Liars::start(lie, peers, &Target::of(&victim), &seen);
	let mut victim = Some(victim);
	loop {
		print(&liars.counts());
		// While the node is down, the liars keep trying to connect.
		let read = match &victim {
			Some(victim) => Sight::read(victim).await.ok(),
			None => None,
		};
		match read {
			Some(new) => {
				sight.send_if_modified(|old| {
					let grown = new.number() != old.number();
					if grown {
						*old = new;
					}
					grown
				});
			}
			None => victim = Victim::attach(&rpc).await.ok(),
		}
		tokio::time::sleep(INTERVAL).await;
	}
}
