// SPDX-License-Identifier: Apache-2.0

//! The subcommands of `isthmus-adversary`, one file each, and the options that they share.

pub(crate) mod back_date;
pub(crate) mod flood;
pub(crate) mod harass;
pub(crate) mod make_chain;
pub(crate) mod race;
pub(crate) mod refuse;
pub(crate) mod selfish;
pub(crate) mod siege;

use clap::Args;
use isthmus_adversary::{maker::Maker, network::Network, victim::Victim, AttackError};
use isthmus_security::Share;
use serde::Serialize;
use std::path::PathBuf;

/// The nodes that a mining attack targets.
#[derive(Args)]
pub(crate) struct Nodes {
	/// The chain that the nodes run: `dev` or a chain specification file. Its difficulty must be fixed, except for
	/// `back-date`.
	#[arg(long)]
	chain: String,

	/// A folder for the adversary's own database.
	#[arg(long)]
	base_path: PathBuf,

	/// A node's RPC, ws://…; once for each node. The nodes must be connected with one another.
	#[arg(long, required = true)]
	rpc: Vec<String>,
}

/// A mining attack in which chance decides who finds each block.
#[derive(Args)]
pub(crate) struct Drawn {
	#[command(flatten)]
	nodes: Nodes,

	/// The adversary's share of the hash power, above 0 and below 0.5.
	#[arg(long)]
	q: f64,

	/// The number of blocks to mine, including wasted ones.
	#[arg(long, default_value = "300")]
	pub(crate) blocks: u32,

	/// The seed that determines who finds each block.
	#[arg(long, default_value = "1")]
	pub(crate) seed: u64,
}

impl Drawn {
	/// Joins the nodes. Also returns the adversary's share of the hash power.
	pub(crate) async fn join(&self) -> Result<(Network, Share), AttackError> {
		Ok((self.nodes.join().await?, Share::new(self.q)?))
	}
}

impl Nodes {
	pub(crate) async fn join(&self) -> Result<Network, AttackError> {
		let maker = Maker::open(&self.chain, &self.base_path)?;
		let mut nodes = Vec::new();
		for url in &self.rpc {
			nodes.push(Victim::attach(url).await?);
		}
		Network::join(maker, nodes).await
	}
}

/// Prints a result as a line of JSON.
pub(crate) fn print(result: &impl Serialize) {
	// Serializing our own structures cannot fail, because their keys are strings.
	if let Ok(line) = serde_json::to_string(result) {
		println!("{line}");
	}
}
