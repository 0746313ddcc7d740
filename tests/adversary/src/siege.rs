// SPDX-License-Identifier: Apache-2.0

//! A siege: an honest peer offers a node large blocks, one after the other, while other peers lie to the node.
//! The siege measures how long the node takes to import the honest blocks, with and without the liars.
//!
//! The honest peer may connect through a slow link, as a peer far away would; the liars are next door.

mod liars;

pub use liars::{Counts, Liars, Lie, Sight, Target};

use crate::{
	error::AttackError,
	filler,
	maker::{Maker, Plan},
	network::{import_chain, HONEST},
	report::{figures, rounded, Report},
	victim::{Busiest, Log, Usage, Victim},
	wire::{announcement, Peer, PeerOptions, Served, WireError},
};
use isthmus_primitives::Header;
use litep2p::types::multiaddr::{Multiaddr, Protocol};
use polkadot_sdk::sp_runtime::OpaqueExtrinsic;
use std::{
	path::PathBuf,
	time::{Duration, Instant},
};
use tokio::sync::watch;

/// How often to ask whether the node has imported a block.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// How often the honest peer announces a block again. A node disregards announcements while it is busy with others.
const REPEAT: Duration = Duration::from_secs(5);
/// How much the node's memory may grow, in bytes: the default budget for blocks in flight, and 300 MiB.
const MEMORY_ALLOWED: u64 = (256 + 300) * 1024 * 1024;
/// How many lines the node may log in any minute.
const LINES_ALLOWED: u64 = 100;
/// The first timestamp, if the chain has none: the start of 2020, in seconds since the Unix epoch.
const FIRST_TIMESTAMP: u64 = 1_577_836_800;

/// The extent of a siege.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
	/// How many honest blocks the node is offered under each lie.
	pub blocks: usize,
	/// How many bytes of transactions each of these blocks has.
	pub body_bytes: usize,
	/// How long the node may take to import these blocks.
	pub patience: Duration,
	/// How many times as long as undisturbed it may take, if that is judged.
	pub slower: Option<f64>,
}

/// A node under siege, and the honest peer.
pub struct Siege {
	victim: Victim,
	maker: Maker,
	honest: Honest,
	process: u32,
	log: PathBuf,
	extent: Extent,
}

/// How far the node came with the honest blocks.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
	/// How many of them it imported.
	pub imported: usize,
	/// How long that took.
	pub took: Duration,
}

impl Siege {
	/// Connects the honest peer to the node, whose process and log file are given, and imports the node's chain.
	/// The honest peer connects to `port` of this machine, if given, instead of the node's own port.
	///
	/// # Errors
	///
	/// Returns the error of the RPC or the network, or the maker's error if the node runs another chain.
	pub async fn begin(
		victim: Victim,
		maker: Maker,
		port: Option<u16>,
		(process, log): (u32, PathBuf),
		extent: Extent,
	) -> Result<Self, AttackError> {
		let best = victim.best().await?;
		let honest = Honest::connect(PeerOptions {
			address: port.map_or_else(|| victim.address().clone(), |port| at(&victim, port)),
			handshake: victim.handshake(&best),
			served: Served::default(),
		})
		.await?;
		import_chain(&maker, &honest.peer, best.number).await?;
		Ok(Self {
			victim,
			maker,
			honest,
			process,
			log,
			extent,
		})
	}

	/// Offers the blocks while no one lies; returns how long the node takes to import them.
	///
	/// # Errors
	///
	/// Returns [`AttackError::NotImported`] if the node does not import them in time, or the error of the maker, the
	/// RPC or the network.
	pub async fn undisturbed(&mut self) -> Result<Duration, AttackError> {
		let blocks = self.make().await?;
		let (sight, _) = watch::channel(Sight::read(&self.victim).await?);
		let progress = self.offer(&blocks, &sight).await?;
		match blocks.get(progress.imported) {
			None => Ok(progress.took),
			Some((header, _)) => Err(AttackError::NotImported(header.hash())),
		}
	}

	/// Offers the blocks while these liars are at work. `undisturbed` is how long the node takes without them.
	///
	/// # Errors
	///
	/// Returns [`AttackError::NotImported`] if the node does not even import the blocks after the liars have left, or the
	/// error of the maker, the RPC or the network.
	pub async fn under(&mut self, lie: Lie, undisturbed: Duration) -> Result<Report, AttackError> {
		let blocks = self.make().await?;
		let before = Usage::of(self.process)?;
		// Reset the peak, so that it covers only this lie. If the system forbids this, it covers the node's whole lifetime.
		let _ = std::fs::write(format!("/proc/{}/clear_refs", self.process), "5");
		let mut log = Log::at_end(&self.log)?;
		let disconnected = self.honest.disconnected;
		let (sight, seen) = watch::channel(Sight::read(&self.victim).await?);
		let liars = Liars::start(lie, lie.peers(), &Target::of(&self.victim), &seen);
		let started = Instant::now();
		while liars.counts().connected == 0 && started.elapsed() < self.extent.patience {
			tokio::time::sleep(POLL_INTERVAL).await;
		}
		let progress = self.offer(&blocks, &sight).await?;
		let after = Usage::of(self.process)?;
		let report = Outcome {
			lie,
			blocks: blocks.len(),
			undisturbed,
			slower: self.extent.slower,
			progress,
			counts: liars.end().await,
			honest_disconnected: self.honest.disconnected.saturating_sub(disconnected),
			memory: after.peak_memory.saturating_sub(before.memory),
			lines: Busiest::of(log.lines()?.iter().map(String::as_str)).lines,
		}
		.report();
		if let Some(rest) = blocks
			.get(progress.imported..)
			.filter(|rest| !rest.is_empty())
		{
			let freed = self.offer(rest, &sight).await?;
			if let Some((header, _)) = rest.get(freed.imported) {
				return Err(AttackError::NotImported(header.hash()));
			}
		}
		Ok(report)
	}

	/// Makes the next blocks of the chain, oldest first.
	async fn make(&self) -> Result<Vec<(Header, Vec<OpaqueExtrinsic>)>, AttackError> {
		let mut made = Vec::new();
		for _ in 0..self.extent.blocks {
			let parent = self.maker.best();
			let timestamp = self.maker.parent(parent)?.timestamp.saturating_add(1);
			let block = self.maker.make(Plan {
				parent,
				timestamp: timestamp.max(FIRST_TIMESTAMP),
				beneficiary: HONEST,
				extra_data: b"honest".to_vec(),
				uncles: Vec::new(),
				extrinsics: filler::transactions(
					&self.maker,
					parent,
					Vec::new(),
					self.extent.body_bytes,
				)?,
			})?;
			made.push((block.header.clone(), block.body.clone()));
			self.maker.import(block, None).await?;
		}
		Ok(made)
	}

	/// Announces one block after the other, each as soon as the node has imported the previous one.
	async fn offer(
		&mut self,
		blocks: &[(Header, Vec<OpaqueExtrinsic>)],
		sight: &watch::Sender<Sight>,
	) -> Result<Progress, AttackError> {
		let started = Instant::now();
		for (imported, (header, body)) in blocks.iter().enumerate() {
			self.honest.options.served.add(header, body);
			sight.send_modify(|sight| sight.announce(header));
			let mut announced = None::<Instant>;
			while self.victim.header(header.hash()).await?.is_none() {
				if started.elapsed() > self.extent.patience {
					let took = started.elapsed();
					return Ok(Progress { imported, took });
				}
				if announced.is_none_or(|when| when.elapsed() > REPEAT) {
					self.honest.announce(header).await?;
					announced = Some(Instant::now());
				}
				tokio::time::sleep(POLL_INTERVAL).await;
			}
			sight.send_modify(|sight| sight.import(header));
		}
		Ok(Progress {
			imported: blocks.len(),
			took: started.elapsed(),
		})
	}
}

/// The honest peer. If the node disconnects it, it connects again.
struct Honest {
	options: PeerOptions,
	peer: Peer,
	disconnected: u64,
}

impl Honest {
	async fn connect(options: PeerOptions) -> Result<Self, AttackError> {
		Ok(Self {
			peer: Peer::connect(options.clone()).await?,
			options,
			disconnected: 0,
		})
	}

	async fn announce(&mut self, header: &Header) -> Result<(), AttackError> {
		let bytes = announcement(header, true, &[]);
		if self.peer.announce(bytes.clone()).await.is_ok() {
			return Ok(());
		}
		self.disconnected = self.disconnected.saturating_add(1);
		match Peer::connect(self.options.clone()).await {
			Ok(peer) => self.peer = peer,
			// The node may be full of liars, or not have noticed yet that the old connection is closed.
			Err(WireError::Refused(_) | WireError::Closed | WireError::TimedOut(_)) => {
				return Ok(())
			}
			Err(error) => return Err(error.into()),
		}
		match self.peer.announce(bytes).await {
			Ok(()) | Err(WireError::Closed) => Ok(()),
			Err(error) => Err(error.into()),
		}
	}
}

/// Returns the address of another port of this machine that leads to the node.
fn at(victim: &Victim, port: u16) -> Multiaddr {
	victim
		.address()
		.iter()
		.map(|part| match part {
			Protocol::Tcp(_) => Protocol::Tcp(port),
			other => other,
		})
		.collect()
}

/// What a siege under one lie measured.
struct Outcome {
	lie: Lie,
	blocks: usize,
	undisturbed: Duration,
	/// How many times as long as undisturbed it may take, if that is judged.
	slower: Option<f64>,
	progress: Progress,
	counts: Counts,
	honest_disconnected: u64,
	/// How much the node's memory grew, in bytes.
	memory: u64,
	/// How many lines the node logged in the minute in which it logged most.
	lines: u64,
}

impl Outcome {
	/// Returns what is wrong, if anything.
	fn fault(&self) -> Option<String> {
		let Self {
			lie,
			blocks,
			undisturbed,
			slower,
			progress,
			counts,
			honest_disconnected,
			memory,
			lines,
		} = self;
		if counts.connected == 0 {
			return Some("no liar was connected".into());
		}
		if progress.imported < *blocks {
			let imported = progress.imported;
			return Some(format!(
				"the node imported {imported} of the {blocks} blocks"
			));
		}
		if *honest_disconnected > 0 {
			return Some("the node disconnected the honest peer".into());
		}
		if lie.is_provable() && counts.dropped == 0 {
			return Some("the node kept the liars".into());
		}
		if *memory > MEMORY_ALLOWED {
			return Some("the node's memory grew by more than is allowed".into());
		}
		if *lines > LINES_ALLOWED {
			return Some(format!("the node logged {lines} lines in a minute"));
		}
		slower
			.filter(|slower| progress.took > undisturbed.mul_f64(*slower))
			.map(|slower| format!("that is more than {slower} times as long"))
	}

	fn report(&self) -> Report {
		let (attack, title) = match self.lie {
			Lie::Orphans => (
				"siege-orphans",
				"A peer that serves headers of unknown parents",
			),
			Lie::Bodies => (
				"siege-bodies",
				"Peers that serve false bodies of true blocks",
			),
			Lie::Heights => ("siege-heights", "Peers that claim a much longer chain"),
			Lie::Hoards => (
				"siege-hoards",
				"Peers that serve large bodies of unsealed headers",
			),
			Lie::Silence => (
				"siege-silence",
				"Peers that announce blocks and never serve them",
			),
		};
		let (without, with) = (
			self.undisturbed.as_secs_f64(),
			self.progress.took.as_secs_f64(),
		);
		let fault = self.fault();
		Report {
			attack,
			title,
			promise:
				"the paper does not discuss lies about the chain; a node must keep importing blocks",
			observed: format!(
				"the node imported {} of {} blocks in {with:.1} s, and takes {without:.1} s undisturbed; it \
				 closed {} of {} connections with liars{}",
				self.progress.imported,
				self.blocks,
				self.counts.dropped,
				self.counts.connected,
				fault
					.as_ref()
					.map(|fault| format!(". But {fault}"))
					.unwrap_or_default(),
			),
			figures: figures([
				("blocks", self.blocks.into()),
				("imported", self.progress.imported.into()),
				("seconds_undisturbed", rounded(without)),
				("seconds", rounded(with)),
				("liars_connected", self.counts.connected.into()),
				("liars_dropped", self.counts.dropped.into()),
				("liars_refused", self.counts.refused.into()),
				("requests_to_liars", self.counts.requests.into()),
				("honest_disconnected", self.honest_disconnected.into()),
				(
					"memory_growth_mib",
					rounded(self.memory as f64 / 1024.0 / 1024.0),
				),
				("log_lines_in_a_minute", self.lines.into()),
			]),
			held: fault.is_none(),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn outcome(lie: Lie) -> Outcome {
		Outcome {
			lie,
			blocks: 3,
			undisturbed: Duration::from_secs(3),
			slower: Some(1.5),
			progress: Progress {
				imported: 3,
				took: Duration::from_secs(4),
			},
			counts: Counts {
				connected: 2,
				dropped: 1,
				refused: 0,
				requests: 9,
			},
			honest_disconnected: 0,
			memory: 0,
			lines: 10,
		}
	}

	#[test]
	fn a_siege_holds_only_if_nothing_is_wrong() {
		assert_eq!(outcome(Lie::Orphans).fault(), None);
		assert!(outcome(Lie::Orphans).report().held);
		let changes: [fn(&mut Outcome); 7] = [
			|outcome| outcome.counts.connected = 0,
			|outcome| outcome.progress.imported = 2,
			|outcome| outcome.honest_disconnected = 1,
			|outcome| outcome.counts.dropped = 0,
			|outcome| outcome.memory = MEMORY_ALLOWED + 1,
			|outcome| outcome.lines = 101,
			|outcome| outcome.progress.took = Duration::from_millis(4501),
		];
		for change in changes {
			let mut outcome = outcome(Lie::Bodies);
			change(&mut outcome);
			assert!(!outcome.report().held, "{:?}", outcome.fault());
		}
	}

	#[test]
	fn the_time_is_judged_only_if_a_bound_is_given() {
		let mut outcome = outcome(Lie::Orphans);
		outcome.slower = None;
		outcome.progress.took = Duration::from_secs(60);
		assert_eq!(outcome.fault(), None);
	}

	#[test]
	fn a_liar_whose_lie_cannot_be_proved_may_stay() {
		let mut outcome = outcome(Lie::Heights);
		outcome.counts.dropped = 0;
		assert_eq!(outcome.fault(), None);
	}
}
