// SPDX-License-Identifier: Apache-2.0
//! Defines what goes into the state machine and what comes out of it.

use isthmus_primitives::{BlockNumber, Hash};
use std::{fmt::Debug, time::Duration};

/// A time: how long after the start of the node.
pub type Time = Duration;

/// The maximum number of headers that one request asks for. Substrate answers with no more.
pub const HEADERS_PER_REQUEST: u32 = 128;
/// The maximum number of a peer's proved headers whose blocks are not in the database.
pub const HEADERS_AHEAD: usize = 4096;
/// The maximum size of an answer, in bytes: the network's own limit for a response.
pub const MAX_ANSWER: u64 = 16 * 1024 * 1024;
/// The smallest budget, in bytes: two requests that the next block needs, and two others.
pub const MIN_BUDGET: u64 = 4 * MAX_ANSWER;

/// A header's place in its chain.
pub trait Link {
	/// Returns the header's hash.
	fn hash(&self) -> Hash;
	/// Returns the parent's hash.
	fn parent(&self) -> Hash;
	/// Returns the header's number.
	fn number(&self) -> BlockNumber;
}

/// Where a block is, as far as the database knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
	/// It is not in the database.
	Unknown,
	/// It is the finalized block or descends from it.
	Live,
	/// It is in the database, but no block above it can ever be in our chain.
	Dead,
}

/// A block and its weight, which decides between chains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<W> {
	/// The block's hash.
	pub hash: Hash,
	/// The block's number.
	pub number: BlockNumber,
	/// The weight of the chain that ends with the block.
	pub weight: W,
}

/// What the state machine reads from the database.
pub trait Ledger {
	/// A peer's name.
	type Peer: Copy + Ord + Debug;
	/// A header from a peer.
	type Header: Link;
	/// What the check of a header needs to know about its parent.
	type Facts: Clone;
	/// A header with its body, ready for import.
	type Block;
	/// The weight of a chain.
	type Weight: Copy + Ord + Debug;

	/// Returns where a block is.
	fn place(&self, hash: &Hash) -> Place;
	/// Returns our best block.
	fn best(&self) -> Head<Self::Weight>;
	/// Returns the number of the finalized block.
	fn finalized(&self) -> BlockNumber;
	/// Returns the block of our best chain with this number.
	fn canonical(&self, number: BlockNumber) -> Option<Hash>;
}

/// The limits that the operator sets.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
	/// The maximum number of bytes of bodies that are asked for, have arrived or are being imported, at least
	/// [`MIN_BUDGET`].
	pub budget: u64,
	/// The maximum number of blocks in one request for bodies.
	pub blocks_per_request: u32,
	/// The maximum number of peers that are asked for the same block at once.
	pub parallel: usize,
}

/// In which direction to ask for headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
	/// From a block to its ancestors, by their hashes.
	Down,
	/// From a block to its descendants in the peer's best chain, by their numbers.
	Up,
}

/// A header that was checked, with the weight of the chain that ends with it.
#[derive(Clone, Debug)]
pub struct Proved<F, W> {
	/// The header's hash.
	pub hash: Hash,
	/// The parent's hash.
	pub parent: Hash,
	/// The header's number.
	pub number: BlockNumber,
	/// The weight of the chain that ends with the header.
	pub weight: W,
	/// What the check of the next header needs.
	pub facts: F,
}

/// Why the check of headers stopped before the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
	/// The next header breaks a rule.
	Invalid,
	/// The next header becomes valid after this time.
	Future(Duration),
	/// The next header could not be checked, through no fault of the peer.
	CouldNotCheck,
}

/// The result of a check: the headers that passed, lowest first, and why the next one did not.
#[derive(Clone, Debug)]
pub struct Checked<H, F, W> {
	/// The headers that passed.
	pub proved: Vec<Proved<F, W>>,
	/// Why there are no more of them, if some are missing.
	pub problem: Option<Problem>,
	/// The headers that did not pass: the one with the problem and those that follow it.
	pub left: Vec<H>,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
	/// The peer did not answer, or refused to.
	Unanswered,
	/// The answer is not an answer to the request.
	Nonsense,
	/// The answer contains a header or a body that breaks a rule.
	Invalid,
}

/// A block that arrived, whose body was checked against its header.
#[derive(Clone, Debug)]
pub struct Arrival<B> {
	/// The block's hash.
	pub hash: Hash,
	/// The size of the header, the body and the justification, in bytes.
	pub size: u64,
	/// The block.
	pub block: B,
}

/// The result of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
	/// The block is in the database.
	Imported,
	/// The block breaks a rule.
	Invalid,
	/// The import failed. The fault may be the block's or our own.
	Failed,
	/// The block cannot be imported by this node, which no longer has what it needs for that.
	Unusable,
	/// The block was not tried, because another block before it failed.
	Skipped,
}

/// Why a peer is disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
	/// It failed to answer three times in a row.
	Unanswered,
	/// It sent something else than what it was asked for.
	Nonsense,
	/// It sent a header or a body that breaks a rule.
	Invalid,
	/// It insists on a chain with a block whose import failed twice.
	BadBlock,
	/// It sent a block with a justification that proves nothing.
	BadJustification,
}

impl Offence {
	/// All offences.
	pub const ALL: [Self; 5] = [
		Self::Unanswered,
		Self::Nonsense,
		Self::Invalid,
		Self::BadBlock,
		Self::BadJustification,
	];

	/// Returns the offence's name in metrics.
	pub fn name(self) -> &'static str {
		match self {
			Self::Unanswered => "unanswered",
			Self::Nonsense => "nonsense",
			Self::Invalid => "invalid",
			Self::BadBlock => "bad_block",
			Self::BadJustification => "bad_justification",
		}
	}
}

/// What the sync does at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
	/// Peers that have proved a chain whose blocks we do not have yet.
	pub sources: usize,
	/// Other peers that are asked for headers, or whose headers are being checked.
	pub proving: usize,
	/// Other peers that are not asked for a while, because they failed.
	pub pausing: usize,
	/// Other peers: they claim nothing that we do not have.
	pub idle: usize,
	/// Open requests for headers.
	pub header_requests: usize,
	/// Open requests for bodies.
	pub body_requests: usize,
	/// The bytes of bodies that are asked for, have arrived or are being imported.
	pub used: u64,
	/// The maximum of these.
	pub limit: u64,
	/// Proved headers in memory.
	pub headers: usize,
}

/// The parent on which headers are checked: its hash, and its facts unless they are in the database.
#[derive(Clone, Debug)]
pub struct Base<F> {
	/// The block's hash.
	pub hash: Hash,
	/// What the check of the next header needs.
	pub facts: Option<F>,
}

/// What the state machine wants done.
pub enum Action<L: Ledger> {
	/// Ask a peer for headers. The answer goes to [`Machine::headers_arrived`](super::Machine::headers_arrived).
	AskHeaders {
		/// The peer.
		peer: L::Peer,
		/// The block to begin with.
		from: Hash,
		/// The direction.
		direction: Direction,
		/// The maximum number of headers.
		max: u32,
	},
	/// Check headers, lowest first. The result goes to
	/// [`Machine::headers_checked`](super::Machine::headers_checked).
	Check {
		/// The peer that sent them.
		peer: L::Peer,
		/// The parent of the lowest.
		base: Base<L::Facts>,
		/// The headers.
		headers: Vec<L::Header>,
	},
	/// Ask a peer for consecutive blocks, lowest first. The answer goes to
	/// [`Machine::bodies_arrived`](super::Machine::bodies_arrived).
	AskBodies {
		/// The peer.
		peer: L::Peer,
		/// The blocks.
		hashes: Vec<Hash>,
	},
	/// Import consecutive blocks, lowest first. The results go to
	/// [`Machine::imported`](super::Machine::imported).
	Import {
		/// The blocks, with the peers that sent them.
		blocks: Vec<(L::Block, L::Peer)>,
		/// Whether the node is catching up with the network, and need not announce these blocks.
		catching_up: bool,
	},
	/// Announce our best block, which was imported silently.
	Announce(Hash),
	/// Disconnect a peer, and end all requests to it.
	Drop {
		/// The peer.
		peer: L::Peer,
		/// The reason.
		why: Offence,
	},
}
