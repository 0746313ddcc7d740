// SPDX-License-Identifier: Apache-2.0
//! Decides what to ask which peer for until the node can begin with a finalized block instead of genesis (ADR 27).
//! Like [`machine`](crate::machine), this is a pure state machine: events go in, actions come out.
//!
//! 1. The peers prove which block is final. The highest one is the *target*. Peers that are late are not waited for.
//! 2. One peer sends the target's body and the headers below it, the target's *foot*.
//! 3. Peers send the target's state, one part after the other. Each part is proved by the header's state root.
//! 4. The target is imported with its state, and the ordinary sync begins above it.
//!
//! A peer that cannot answer is passed over, and nothing that others have proved is lost. If no peer has the state of
//! the target any more, or it comes too slowly, the peers are asked for a newer one.

use crate::machine::{Failure, Offence, Time};
use isthmus_primitives::{BlockNumber, Hash};
use std::{cmp::Reverse, collections::BTreeMap, fmt::Debug, time::Duration};

/// How many peers to wait for, so that a single one with an old final block does not decide. All that are there are
/// asked: an attacker may have any names.
const PEERS: usize = 3;
/// If there are fewer peers after this time, they decide.
const WAIT_FOR_PEERS: Duration = Duration::from_secs(10);
/// How long the peers may take to prove their final blocks before the target is chosen without those that have not.
/// A single request may take 40 s. The time doubles each time that no state comes of it, so that slow peers are heard in
/// the end.
const PROVING: Duration = Duration::from_secs(60);
/// The maximum of this time. If it were longer, peers that prune would not have the target's state any more.
const MAX_PROVING: Duration = Duration::from_secs(240);
/// How long to wait before the peers are asked for their final blocks again.
const RETRY: Duration = Duration::from_secs(10);
/// If the target's foot does not arrive in this time, or fewer than [`LEAST`] bytes of the state, the peers are asked for
/// a newer target. Otherwise a peer with an old one, whose state no other peer has, could send it for ever.
const STALLED: Duration = Duration::from_secs(180);
/// See [`STALLED`].
const LEAST: u64 = 1024 * 1024;
/// After this many parts of the state, a peer is tried whose pace is not known yet. If that came first, an attacker could
/// hold up everything with silent peers under ever new names.
const PARTS: u32 = 8;
/// How long to wait after the import of the state failed, or peers proved two final blocks of the same height.
const LONG_RETRY: Duration = Duration::from_secs(60);

/// The finalized block with which the node's history begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
	/// The block's number.
	pub number: BlockNumber,
	/// The block's hash.
	pub hash: Hash,
}

/// What a proof of finality proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofStep {
	/// The verifiers changed, and more is to be proved.
	More,
	/// The peer's last final block.
	Target(Target),
	/// No block above genesis is final.
	Nothing,
}

/// What a part of the state was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateStep {
	/// A part, of this many bytes.
	More(u64),
	/// The last part.
	Complete,
}

/// What is done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
	/// Waiting for peers.
	Waiting,
	/// Peers prove their final blocks.
	Proving,
	/// The target's body and the headers below it are fetched.
	Foot(Target),
	/// The target's state is fetched.
	State(Target),
	/// The target is imported with its state.
	Importing(Target),
	/// The target is in the database.
	Done(Target),
}

/// What the state machine wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<P> {
	/// Forget what this peer has proved so far. Its next proof begins at genesis.
	Restart(P),
	/// Ask a peer to prove its final block, or to resume its proof. The result goes to [`Warp::proved`].
	AskProof(P),
	/// Ask a peer for the target's body and the headers below it. The result goes to [`Warp::foot`].
	AskFoot(P, Target),
	/// Begin with the state of this target, or resume it. What was fetched of another is dropped.
	BeginState(Target),
	/// Ask a peer for the next part of the state. The result goes to [`Warp::state`].
	AskState(P, Target),
	/// Import the target with its state. The result goes to [`Warp::imported`].
	Import(Target),
	/// Disconnect a peer.
	Drop(P, Offence),
	/// Tell the operator something.
	Warn(Warning),
}

/// What the operator should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
	/// No peer proves a final block.
	NoFinality,
	/// Two peers proved different final blocks of the same height: more than a third of the verifiers voted twice, or
	/// keys of former verifiers are misused.
	TwoFinalBlocks(Target, Target),
	/// No peer has the state of the target, or it comes too slowly.
	NoState(Target),
	/// The import failed.
	ImportFailed(Target),
}

/// What a peer has proved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
	/// It was not asked.
	Unasked,
	/// It is proving.
	Underway,
	/// This is its final block.
	Proved(Target),
	/// It failed, or has none.
	None,
}

struct Peer {
	proof: Proof,
	/// Whether it was asked for a part of the target and has not answered. While its proof is underway, it is busy with
	/// that.
	is_busy: bool,
	/// Whether it did not have what the current target needs.
	lacks: bool,
	/// How often it did not have what a target needed.
	failures: u32,
	/// Since when it is connected.
	joined: Time,
	/// Since when it is busy.
	since: Time,
	/// How many bytes a second it sent of the state, if it was ever asked.
	pace: Option<u64>,
}

impl Peer {
	/// Notes that the peer did not have what the target needs.
	fn failed(&mut self) {
		self.lacks = true;
		self.failures = self.failures.saturating_add(1);
	}
}

/// The state of a warp sync.
pub struct Warp<P> {
	phase: Phase,
	peers: BTreeMap<P, Peer>,
	now: Time,
	/// When the first peer came.
	since: Option<Time>,
	/// Nothing is asked for before this time.
	not_before: Time,
	/// Until when the peers may prove their final blocks, or the target's foot may take.
	deadline: Time,
	/// How long they may take for it.
	proving: Duration,
	/// How many bytes of the state have arrived since this time.
	arrived: (Time, u64),
	/// How many parts of the state have arrived since a new peer was tried.
	parts: u32,
	actions: Vec<Action<P>>,
}

impl<P: Copy + Ord + Debug> Default for Warp<P> {
	fn default() -> Self {
		Self {
			phase: Phase::Waiting,
			peers: BTreeMap::new(),
			now: Time::ZERO,
			since: None,
			not_before: Time::ZERO,
			deadline: Time::ZERO,
			proving: PROVING,
			arrived: (Time::ZERO, 0),
			parts: 0,
			actions: Vec::new(),
		}
	}
}

impl<P: Copy + Ord + Debug> Warp<P> {
	/// Returns what is done now.
	pub fn phase(&self) -> Phase {
		self.phase
	}

	/// Adds a peer.
	pub fn add_peer(&mut self, peer: P) {
		self.peers.insert(
			peer,
			Peer {
				proof: Proof::Unasked,
				is_busy: false,
				lacks: false,
				failures: 0,
				joined: self.now,
				since: self.now,
				pace: None,
			},
		);
	}

	/// Removes a peer, and forgets what it was asked for.
	pub fn remove_peer(&mut self, peer: &P) {
		self.peers.remove(peer);
	}

	/// Takes the result of a proof.
	pub fn proved(&mut self, name: P, result: Result<ProofStep, Failure>) {
		let Some(peer) = self.peers.get_mut(&name) else {
			return;
		};
		match result {
			Ok(ProofStep::More) => self.actions.push(Action::AskProof(name)),
			Ok(ProofStep::Target(target)) => peer.proof = Proof::Proved(target),
			Ok(ProofStep::Nothing) | Err(Failure::Unanswered) => peer.proof = Proof::None,
			Err(failure) => self.drop_peer(name, failure),
		}
	}

	/// Takes the result of a request for this target's foot. Returns whether it is the one that is needed now: an answer
	/// may be late, and of an earlier target.
	pub fn foot(&mut self, name: P, of: Target, result: Result<(), Failure>) -> bool {
		let phase = self.phase;
		let Some(peer) = self.answered(name) else {
			return false;
		};
		match result {
			Ok(()) if phase == Phase::Foot(of) => {
				self.phase = Phase::State(of);
				self.arrived = (self.now, 0);
				self.actions.push(Action::BeginState(of));
				return true;
			}
			Ok(()) => {}
			Err(Failure::Unanswered) => peer.failed(),
			Err(failure) => self.drop_peer(name, failure),
		}
		false
	}

	/// Takes the result of a request for a part of this target's state.
	pub fn state(&mut self, name: P, of: Target, result: Result<StateStep, Failure>) {
		let (now, phase) = (self.now, self.phase);
		let Some(peer) = self.answered(name) else {
			return;
		};
		match result {
			Ok(StateStep::More(bytes)) => {
				let took = now.saturating_sub(peer.since).as_millis().max(1);
				let took = u64::try_from(took).unwrap_or(u64::MAX);
				peer.pace = Some(bytes.saturating_mul(1000) / took);
				self.arrived.1 = self.arrived.1.saturating_add(bytes);
				self.parts = self.parts.saturating_add(1);
			}
			Ok(StateStep::Complete) if phase == Phase::State(of) => {
				self.phase = Phase::Importing(of);
				self.actions.push(Action::Import(of));
			}
			Ok(StateStep::Complete) => {}
			Err(Failure::Unanswered) => peer.failed(),
			Err(failure) => self.drop_peer(name, failure),
		}
	}

	/// Takes the result of the import.
	pub fn imported(&mut self, success: bool) {
		let Phase::Importing(target) = self.phase else {
			return;
		};
		if success {
			self.phase = Phase::Done(target);
		} else {
			self.actions
				.push(Action::Warn(Warning::ImportFailed(target)));
			self.ask_again(LONG_RETRY);
		}
	}

	/// Goes on to this time, and returns what is to be done.
	pub fn poll(&mut self, now: Time) -> Vec<Action<P>> {
		self.now = now;
		if now >= self.not_before {
			match self.phase {
				Phase::Waiting => self.wait_for_peers(),
				Phase::Proving => self.prove(),
				Phase::Foot(target) => self.ask_foot(target),
				Phase::State(target) => self.ask_state(target),
				Phase::Importing(_) | Phase::Done(_) => {}
			}
		}
		std::mem::take(&mut self.actions)
	}

	/// Returns the peer, which is not busy any more.
	fn answered(&mut self, name: P) -> Option<&mut Peer> {
		let peer = self.peers.get_mut(&name)?;
		peer.is_busy = false;
		Some(peer)
	}

	fn drop_peer(&mut self, name: P, failure: Failure) {
		self.peers.remove(&name);
		let why = match failure {
			Failure::Unanswered => Offence::Unanswered,
			Failure::Nonsense => Offence::Nonsense,
			Failure::Invalid => Offence::Invalid,
		};
		self.actions.push(Action::Drop(name, why));
	}

	/// Begins when there are enough peers, or the others do not come.
	fn wait_for_peers(&mut self) {
		if self.peers.is_empty() {
			self.since = None;
			return;
		}
		let since = *self.since.get_or_insert(self.now);
		if self.peers.len() >= PEERS || self.now >= since.saturating_add(WAIT_FOR_PEERS) {
			self.phase = Phase::Proving;
			self.deadline = self.now.saturating_add(self.proving);
			self.prove();
		}
	}

	/// Has all peers prove their final blocks, and chooses the highest when they have or their time is up.
	fn prove(&mut self) {
		for (name, peer) in &mut self.peers {
			if !peer.is_busy && peer.proof == Proof::Unasked {
				peer.proof = Proof::Underway;
				self.actions.push(Action::Restart(*name));
				self.actions.push(Action::AskProof(*name));
			}
		}
		let is_awaited = |peer: &Peer| peer.proof == Proof::Underway;
		if self.now < self.deadline && self.peers.values().any(is_awaited) {
			return;
		}
		let targets = self.peers.values().filter_map(|peer| match peer.proof {
			Proof::Proved(target) => Some(target),
			_ => None,
		});
		let Some(target) = targets.clone().max() else {
			if !self.peers.is_empty() {
				self.actions.push(Action::Warn(Warning::NoFinality));
			}
			return self.ask_again(RETRY);
		};
		let other = targets
			.into_iter()
			.find(|other| other.number == target.number && *other != target);
		if let Some(other) = other {
			self.actions
				.push(Action::Warn(Warning::TwoFinalBlocks(target, other)));
			return self.ask_again(LONG_RETRY);
		}
		for peer in self.peers.values_mut() {
			peer.lacks = false;
		}
		self.phase = Phase::Foot(target);
		self.deadline = self.now.saturating_add(STALLED);
		self.ask(target, Action::AskFoot);
	}

	/// Asks for the target's foot, unless that has taken too long.
	fn ask_foot(&mut self, target: Target) {
		if self.now < self.deadline || self.peers.is_empty() {
			return self.ask(target, Action::AskFoot);
		}
		self.actions.push(Action::Warn(Warning::NoState(target)));
		self.ask_again(RETRY);
	}

	/// Asks for the next part of the state, unless it comes too slowly.
	fn ask_state(&mut self, target: Target) {
		let (since, bytes) = self.arrived;
		if self.now < since.saturating_add(STALLED) {
			return self.ask(target, Action::AskState);
		}
		self.arrived = (self.now, 0);
		if bytes >= LEAST || self.peers.is_empty() {
			return self.ask(target, Action::AskState);
		}
		self.actions.push(Action::Warn(Warning::NoState(target)));
		self.ask_again(RETRY);
	}

	/// Asks the best peer for what the target needs, unless one was asked already.
	fn ask(&mut self, target: Target, action: impl Fn(P, Target) -> Action<P>) {
		if self.peers.is_empty() || self.peers.values().any(|peer| peer.is_busy) {
			return;
		}
		let Some(name) = self.choose(target) else {
			self.actions.push(Action::Warn(Warning::NoState(target)));
			return self.ask_again(RETRY);
		};
		if let Some(peer) = self.peers.get_mut(&name) {
			peer.is_busy = true;
			peer.since = self.now;
			self.actions.push(action(name, target));
		}
	}

	/// Chooses the peer to ask: the fastest of those that failed least, unless these are slow. From time to time it is one
	/// whose pace is not known yet, and if all others are slow, at once. Of these, peers that have proved a final block
	/// come first, then those that have been here longest, so that a silent peer which comes back under one name after
	/// the other is asked last. While a peer is not slow, only those are tried that have proved a final block.
	fn choose(&mut self, target: Target) -> Option<P> {
		let free = || {
			let is_free = |(_, peer): &(&P, &Peer)| {
				!peer.is_busy && peer.proof != Proof::Underway && !peer.lacks
			};
			self.peers.iter().filter(is_free)
		};
		let slow = Some(LEAST / STALLED.as_secs());
		let known = free()
			.filter(|(_, peer)| peer.pace.is_some())
			.max_by_key(|(_, peer)| (peer.pace >= slow, Reverse(peer.failures), peer.pace));
		let is_slow = known.is_none_or(|(_, peer)| peer.pace < slow);
		let has_proved = |peer: &Peer| matches!(peer.proof, Proof::Proved(_));
		let unknown = free()
			.filter(|(_, peer)| peer.pace.is_none() && (is_slow || has_proved(peer)))
			.max_by_key(|(_, peer)| {
				let is_target = peer.proof == Proof::Proved(target);
				let failures = Reverse(peer.failures);
				(has_proved(peer), failures, is_target, Reverse(peer.joined))
			});
		let chosen = match unknown.filter(|_| is_slow || self.parts >= PARTS) {
			Some((name, _)) => *name,
			None => return known.map(|(name, _)| *name),
		};
		self.parts = 0;
		Some(chosen)
	}

	/// Asks all peers for their final blocks again, after a pause. Proofs that are underway go on.
	fn ask_again(&mut self, pause: Duration) {
		self.phase = Phase::Waiting;
		self.not_before = self.now.saturating_add(pause);
		self.proving = self.proving.saturating_mul(2).min(MAX_PROVING);
		for peer in self.peers.values_mut() {
			if peer.proof != Proof::Underway {
				peer.proof = Proof::Unasked;
			}
		}
	}
}
