// SPDX-License-Identifier: Apache-2.0

//! Floods: sends a node one kind of bad message as fast as the node accepts them, over several connections and
//! under many identities, and measures the node's costs.

use crate::{
	error::AttackError,
	forge::{extrinsics_root, Draft, Miner},
	refuse::Stage,
	report::{figures, rounded, Report},
	victim::{Busiest, Log, Usage, Victim},
	wire::{announcement, BlockRequest, Peer, PeerOptions, Served, WireError, HEADER_AND_BODY},
};
use isthmus_primitives::{
	digest::{Seal, POW_ENGINE_ID},
	Hash, Header,
};
use polkadot_sdk::sp_runtime::{DigestItem, OpaqueExtrinsic};
use prost::Message;
use serde_json::{Map, Value};
use std::{
	path::Path,
	sync::atomic::{AtomicU64, Ordering},
	time::{Duration, Instant},
};

/// How many connections are open at the same time.
const CONNECTIONS: usize = 4;
/// How many messages to send on one connection before waiting for the node to close it.
const MESSAGES_PER_CONNECTION: u64 = 32;
/// How long a node may take to disconnect a misbehaving peer.
const CLOSING_TIME: Duration = Duration::from_secs(30);
/// The minimum number of messages that counts as a flood.
const MIN_MESSAGES: u64 = 100;
/// The minimum number of requests that counts as a flood. It is lower than for messages because the
/// responses are large.
const MIN_REQUESTS: u64 = 10;
/// How long a flood may take until it has that many, on a machine that is too busy for them in the time that it was given.
const LONGEST: Duration = Duration::from_secs(120);
/// The minimum average size of the responses for requests to count as a flood, in bytes.
const MIN_ANSWER_BYTES: u64 = 64 * 1024;
/// Parts of the lines that a node logs about its own work, whatever it receives.
const OWN_WORK: [&str; 6] = [
	"Idle (",
	"Imported #",
	"Mined block #",
	"Reorg on #",
	"H/s here",
	"sealed block #",
];
/// How many other lines a node may log in any minute, of any level.
const MAX_LINES: u64 = 100;
/// How many bytes these may have.
const MAX_LOG_BYTES: u64 = 64 * 1024;
/// How long a node may take for its next block after the flood.
const NEXT_BLOCK: Duration = Duration::from_secs(120);
/// The maximum difference between a node's peak memory and its memory before the flood, in bytes.
const MEMORY_ALLOWED: u64 = 256 * 1024 * 1024;
/// The same if the node asks for bodies: the default budget for blocks in flight, and 300 MiB.
const MEMORY_FOR_BODIES: u64 = (256 + 300) * 1024 * 1024;
/// The size of a bad body, in bytes.
const BODY_BYTES: usize = 4 * 1024 * 1024;
/// The maximum size of an announcement that a node accepts, in bytes.
const MAX_ANNOUNCEMENT: usize = 1024 * 1024;

/// What to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
	/// Headers with a random seal: a node detects it with two hashes.
	Headers,
	/// Headers with a made-up mix hash: each costs the sender H_d Keccak hashes, and the node one light Ethash hash.
	Mixes,
	/// Blocks with a valid seal and a large body that does not match their header.
	Bodies,
	/// Bytes that are not an announcement.
	Bytes,
	/// Announcements of the largest size that the network layer accepts.
	Oversized,
	/// Requests for the node's blocks with their bodies, a full answer each, over and over.
	Requests,
}

impl Kind {
	/// Returns whether the node must disconnect the sender of these messages. Answering requests is a node's job.
	fn costs_the_connection(self) -> bool {
		self != Self::Requests
	}

	/// Returns by how many bytes the node's memory may grow.
	fn memory(self) -> u64 {
		match self {
			Self::Bodies => MEMORY_FOR_BODIES,
			_ => MEMORY_ALLOWED,
		}
	}

	/// Returns how many messages make a flood.
	fn least(self) -> u64 {
		match self {
			Self::Requests => MIN_REQUESTS,
			_ => MIN_MESSAGES,
		}
	}

	/// Returns the attack's id and title.
	fn names(self) -> (&'static str, &'static str) {
		match self {
			Self::Headers => ("flood-headers", "Flood of headers with broken seals"),
			Self::Mixes => ("flood-mixes", "Flood of headers with false mix hashes"),
			Self::Bodies => (
				"flood-bodies",
				"Flood of large bodies that do not match their headers",
			),
			Self::Bytes => ("flood-bytes", "Flood of bytes that are not announcements"),
			Self::Oversized => ("flood-oversized", "Flood of the largest announcements"),
			Self::Requests => ("flood-requests", "Flood of block requests"),
		}
	}
}

/// The extent of a flood.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
	/// The number of messages.
	pub messages: u64,
	/// The maximum duration, once enough messages for a flood are sent.
	pub time: Duration,
}

impl Limits {
	/// Returns whether to send more, after this number of messages and this time.
	fn go_on(&self, kind: Kind, sent: u64, elapsed: Duration) -> bool {
		let is_time_left =
			elapsed < self.time || (sent < kind.least() && elapsed < LONGEST.max(self.time));
		sent < self.messages && is_time_left
	}
}

/// Floods a node and measures the node's costs.
///
/// # Errors
///
/// Returns an error if the flood could not be carried out.
pub async fn flood(
	victim: &Victim,
	pid: u32,
	log: Option<&Path>,
	kind: Kind,
	limits: Limits,
) -> Result<Report, AttackError> {
	let miner = Miner::new(victim.params())?;
	let stage = Stage::read(victim, &miner).await?;
	let before = Usage::of(pid)?;
	// Reset the peak, so that it covers only the flood. If the system forbids this, it covers the node's whole lifetime.
	let _ = std::fs::write(format!("/proc/{pid}/clear_refs"), "5");
	let mut log = log.map(Log::at_end).transpose()?;
	let started = Instant::now();
	let (count, numbers) = (Count::default(), AtomicU64::new(1));
	let connections =
		(0..CONNECTIONS).map(|_| connections(victim, &stage, kind, limits, &numbers, &count));
	futures::future::try_join_all(connections).await?;
	let seconds = started.elapsed().as_secs_f64();
	let after = Usage::of(pid)?;

	let best = victim.best().await?;
	let mined = victim.best_above(best.number, NEXT_BLOCK).await.is_ok();
	let more_memory = after.peak_memory.saturating_sub(before.memory);
	let cpu = after.cpu_seconds - before.cpu_seconds;
	let (sent, identities) = (Count::of(&count.sent), Count::of(&count.identities));
	let mut figures = figures_of(kind, &count, seconds, cpu, before, after);
	if let Some(log) = &mut log {
		let lines = log.lines()?;
		let caused = || {
			let lines = lines.iter().map(String::as_str);
			lines.filter(|line| !OWN_WORK.iter().any(|part| line.contains(part)))
		};
		let busiest = Busiest::of(caused());
		figures.insert("log_lines".into(), caused().count().into());
		figures.insert("log_lines_in_a_minute".into(), busiest.lines.into());
		figures.insert("log_bytes_in_a_minute".into(), busiest.bytes.into());
		count.log_lines.store(busiest.lines, Ordering::Relaxed);
		count.log_bytes.store(busiest.bytes, Ordering::Relaxed);
	}
	let fault = count.fault(kind);
	let (attack, title) = kind.names();
	Ok(Report {
		attack,
		title,
		promise: "the paper does not discuss floods; a node must keep working",
		observed: format!(
			"{sent} messages over {identities} identities in {seconds:.1} s cost the node {cpu:.2} s of \
			 processor time and {:.0} MiB of memory at the peak; it {}{}",
			mebibytes(more_memory),
			if mined { "kept mining" } else { "stopped mining" },
			fault
				.as_ref()
				.map(|fault| format!(". But {fault}"))
				.unwrap_or_default(),
		),
		figures,
		held: mined && more_memory <= kind.memory() && fault.is_none(),
	})
}

/// Returns the figures that all kinds of floods share and, for requests, the size of the responses.
fn figures_of(
	kind: Kind,
	count: &Count,
	seconds: f64,
	cpu: f64,
	before: Usage,
	after: Usage,
) -> Map<String, Value> {
	let sent = Count::of(&count.sent);
	let micros_per_message = cpu * 1e6 / sent.max(1) as f64;
	let mut figures = figures([
		("messages", sent.into()),
		("identities", Count::of(&count.identities).into()),
		("refused_connections", Count::of(&count.refused).into()),
		("closed_by_the_node", Count::of(&count.closed).into()),
		("seconds", rounded(seconds)),
		("victim_cpu_seconds", rounded(cpu)),
		("victim_cpu_micros_per_message", rounded(micros_per_message)),
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
	figures
}

/// What was sent, and how the node reacted.
#[derive(Default)]
struct Count {
	/// Messages that the node accepted, or requests that it answered with blocks.
	sent: AtomicU64,
	identities: AtomicU64,
	refused: AtomicU64,
	/// Connections that carried messages and that the node closed (`closed`) or kept open (`kept`).
	closed: AtomicU64,
	kept: AtomicU64,
	answered_bytes: AtomicU64,
	/// The lines that the node logged in the minute in which it logged most, and their bytes.
	log_lines: AtomicU64,
	log_bytes: AtomicU64,
}

impl Count {
	fn of(count: &AtomicU64) -> u64 {
		count.load(Ordering::Relaxed)
	}

	fn one(count: &AtomicU64) {
		count.fetch_add(1, Ordering::Relaxed);
	}

	/// Returns what is wrong, if anything: too few messages for a flood, or a node that did not react as it
	/// must.
	fn fault(&self, kind: Kind) -> Option<String> {
		let (sent, kept) = (Self::of(&self.sent), Self::of(&self.kept));
		let bytes = Self::of(&self.answered_bytes);
		let (lines, log_bytes) = (Self::of(&self.log_lines), Self::of(&self.log_bytes));
		let least = kind.least();
		if sent < least {
			return Some(format!("fewer than {least} messages are not a flood"));
		}
		match kind {
			Kind::Requests if bytes < sent.saturating_mul(MIN_ANSWER_BYTES) => {
				Some(format!("answers of {bytes} bytes in total are not a flood"))
			}
			_ if lines > MAX_LINES || log_bytes > MAX_LOG_BYTES => Some(format!(
				"the node logged {lines} lines of {log_bytes} bytes in a minute"
			)),
			_ if kind.costs_the_connection() && kept > 0 => {
				Some(format!("the node kept {kept} of the connections"))
			}
			_ => None,
		}
	}
}

/// Opens one connection after another, each under a new identity, until all messages are sent or the time is up.
async fn connections(
	victim: &Victim,
	stage: &Stage<'_>,
	kind: Kind,
	limits: Limits,
	numbers: &AtomicU64,
	count: &Count,
) -> Result<(), AttackError> {
	let started = Instant::now();
	let goes_on = || limits.go_on(kind, Count::of(&count.sent), started.elapsed());
	while goes_on() {
		// A node asks for the body of a block only if the block is new enough to be the best one, or an uncle.
		let newest = match kind {
			Kind::Bodies => Some(Stage::read(victim, stage.miner).await?),
			_ => None,
		};
		let stage = newest.as_ref().unwrap_or(stage);
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
		for index in 0..MESSAGES_PER_CONNECTION {
			if peer.is_closed() || !goes_on() {
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
		if any && kind.costs_the_connection() {
			let closed = peer.closed_within(CLOSING_TIME).await;
			Count::one(if closed { &count.closed } else { &count.kept });
		}
	}
	Ok(())
}

/// Requests a full response of blocks. No two requests on a connection are the same, because a node refuses
/// a request when it receives it for the third time.
async fn request(
	peer: &Peer,
	stage: &Stage<'_>,
	number: u64,
	index: u64,
	count: &Count,
) -> Result<(), WireError> {
	let best = u64::from(stage.best().number).max(1);
	let first = u32::try_from(number % best).unwrap_or_default();
	let max = 128u32.saturating_sub(u32::try_from(index).unwrap_or_default());
	let request = BlockRequest::up_from(first.saturating_add(1), HEADER_AND_BODY, max);
	let answer = peer.request(request.encode_to_vec()).await?;
	count
		.answered_bytes
		.fetch_add(answer.len() as u64, Ordering::Relaxed);
	Ok(())
}

/// Returns announcement number `number`. Each one is different, because the node ignores announcements that
/// it knows.
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

/// Returns the draft's header with a seal that took no work.
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
	fn too_few_messages_do_not_count_as_a_flood() {
		let count = Count::default();
		assert!(count.fault(Kind::Headers).is_some());
		count.sent.store(MIN_MESSAGES, Ordering::Relaxed);
		assert_eq!(count.fault(Kind::Headers), None);
		assert!(count.fault(Kind::Requests).is_some());
		let bytes = MIN_MESSAGES * MIN_ANSWER_BYTES;
		count.answered_bytes.store(bytes, Ordering::Relaxed);
		assert_eq!(count.fault(Kind::Requests), None);
	}

	#[test]
	fn a_flood_gets_the_time_that_it_needs_to_be_one() {
		let limits = Limits {
			messages: 400,
			time: Duration::from_secs(8),
		};
		let goes_on = |kind, sent, seconds| limits.go_on(kind, sent, Duration::from_secs(seconds));
		assert!(goes_on(Kind::Headers, 399, 7) && !goes_on(Kind::Headers, 400, 7));
		assert!(goes_on(Kind::Headers, MIN_MESSAGES - 1, 119));
		assert!(!goes_on(Kind::Headers, MIN_MESSAGES, 8));
		assert!(!goes_on(Kind::Requests, MIN_REQUESTS, 8));
		assert!(!goes_on(Kind::Headers, 0, 120));
	}

	#[test]
	fn a_node_whose_log_grows_with_the_flood_does_not_pass() {
		let count = Count::default();
		count.sent.store(MIN_MESSAGES, Ordering::Relaxed);
		count.log_lines.store(MAX_LINES, Ordering::Relaxed);
		count.log_bytes.store(MAX_LOG_BYTES, Ordering::Relaxed);
		assert_eq!(count.fault(Kind::Headers), None);
		count.log_lines.store(MAX_LINES + 1, Ordering::Relaxed);
		assert!(count.fault(Kind::Headers).is_some());
		count.log_lines.store(1, Ordering::Relaxed);
		count.log_bytes.store(MAX_LOG_BYTES + 1, Ordering::Relaxed);
		assert!(count.fault(Kind::Headers).is_some());
	}

	#[test]
	fn a_node_that_keeps_a_bad_connection_does_not_pass() {
		let count = Count::default();
		count.sent.store(MIN_MESSAGES, Ordering::Relaxed);
		count.kept.store(1, Ordering::Relaxed);
		for kind in [
			Kind::Headers,
			Kind::Mixes,
			Kind::Bodies,
			Kind::Bytes,
			Kind::Oversized,
		] {
			assert!(count.fault(kind).is_some(), "{kind:?}");
		}
	}
}
