// SPDX-License-Identifier: Apache-2.0
//! Checks what peers send before it is queued for import: chains of headers, and bodies.
//!
//! Many headers are checked at once, because Ethash is several times faster that way.

use crate::{
	chain::{Chain, ChainClient},
	clock::unix_now,
	error::{BlockError, CheckError},
	rate_limit::RateLimitedLog,
	refusals::Refused,
};
use isthmus_primitives::{
	digest::{uncles_hash, PowHeader},
	params::{MAX_UNCLES, MAX_UNCLE_GENERATIONS},
	Hash, Header, TotalDifficulty,
};
use isthmus_rules::{self as rules, HeaderError, Parent, Rejection};
use polkadot_sdk::*;
use sp_runtime::OpaqueExtrinsic;
use std::sync::Arc;

/// How many headers are hashed at once. A peer can waste this many light hashes before it is found out.
const AT_ONCE: usize = 16;

/// A header that satisfies every rule for headers: what the check of the next one needs.
#[derive(Clone, Copy, Debug)]
pub struct ProvedHeader {
	/// The facts that the rules need.
	pub parent: Parent,
	/// The total difficulty of the chain that ends with it.
	pub total: TotalDifficulty,
	/// The weight of the chain that ends with it.
	pub weight: TotalDifficulty,
}

/// The headers that passed a check, lowest first, and the error of the next one.
#[derive(Debug)]
pub struct ProvedChain {
	/// The headers that passed.
	pub proved: Vec<ProvedHeader>,
	/// Why the next header did not pass, if some did not.
	pub error: Option<BlockError>,
}

/// Checks headers and bodies from peers, and logs what is rejected.
pub struct PeerCheck<C> {
	chain: Arc<Chain<C>>,
	warnings: RateLimitedLog,
}

impl<C: ChainClient> PeerCheck<C> {
	/// Creates the check for blocks of `chain`.
	pub fn new(chain: Arc<Chain<C>>) -> Self {
		Self {
			chain,
			warnings: RateLimitedLog::default(),
		}
	}

	/// Returns the chain.
	pub fn chain(&self) -> &Arc<Chain<C>> {
		&self.chain
	}

	/// Checks the rules that need only the header itself: the digest's shape, the static rules and the quick half
	/// of the seal.
	///
	/// # Errors
	///
	/// Returns the error of the first rule that is violated.
	pub fn shape(&self, header: &Header) -> Result<(), BlockError> {
		let check = || -> Result<(), Rejection> {
			let read = read(header)?;
			rules::validate_static(self.chain.parameters(), &read)?;
			Ok(rules::validate_seal_quick(&read)?)
		};
		check().map_err(|error| self.rejected(header, error.into()))
	}

	/// Checks that a body is the header's.
	///
	/// # Errors
	///
	/// Returns the rule's error if it is not.
	pub fn body(&self, header: &Header, body: &[OpaqueExtrinsic]) -> Result<(), BlockError> {
		rules::validate_extrinsics_root(header, body)
			.map_err(|error| self.rejected(header, Rejection::from(error).into()))
	}

	/// Computes the light hashes of the uncles that these blocks name, several at a time. The import, which checks the uncles,
	/// then finds the results; otherwise it would compute each when it comes to it.
	///
	/// What cannot be read here is left to the import.
	pub fn hash_uncles<'a>(
		&self,
		blocks: impl IntoIterator<Item = (&'a Header, &'a [OpaqueExtrinsic])>,
	) {
		let at = self.chain.client().info().best_hash;
		let mut uncles = Vec::new();
		for (header, body) in blocks {
			uncles.extend(self.named_uncles(at, header, body).unwrap_or_default());
		}
		// The import reports the same error.
		let _ = self.chain.hashimoto_each(&uncles);
	}

	/// Returns those uncles of a block that pass the rules which need no other block. The runtime after the block `at` reads
	/// the body.
	fn named_uncles(
		&self,
		at: Hash,
		header: &Header,
		body: &[OpaqueExtrinsic],
	) -> Option<Vec<PowHeader>> {
		let committed = read(header).ok()?.pre.uncles_hash;
		if committed == uncles_hash(&[]) {
			return None;
		}
		let named = self.chain.uncles(at, body).ok()?;
		if named.len() > MAX_UNCLES as usize || uncles_hash(&named) != committed {
			return None;
		}
		let passes = |uncle: &PowHeader| {
			// For the number of another epoch, that epoch's cache would be made.
			let generations = header.number.checked_sub(uncle.number);
			generations.is_some_and(|n| (1..=MAX_UNCLE_GENERATIONS).contains(&n))
				&& rules::validate_static(self.chain.parameters(), uncle).is_ok()
				&& rules::validate_seal_quick(uncle).is_ok()
		};
		let uncles = named.iter().filter_map(|uncle| read(uncle).ok());
		Some(uncles.filter(passes).collect())
	}

	/// Checks consecutive headers, lowest first, against every rule for headers. `parent` is the parent of the
	/// lowest, or its hash if it is in the database.
	pub fn headers(&self, parent: Result<ProvedHeader, Hash>, headers: &[Header]) -> ProvedChain {
		let mut proved = Vec::with_capacity(headers.len());
		let error = self
			.prove(parent, headers, &mut proved)
			.map_err(|error| match headers.get(proved.len()) {
				Some(header) => self.rejected(header, error),
				None => error,
			})
			.err();
		ProvedChain { proved, error }
	}

	/// Checks consecutive headers below a finalized block, lowest first, against each other. The lowest one has no
	/// parent here, so only its seal is not checked.
	///
	/// # Errors
	///
	/// Returns the error of the first rule that is violated, or what prevented the check.
	pub fn run(&self, headers: &[Header]) -> Result<(), BlockError> {
		let Some((lowest, above)) = headers.split_first() else {
			return Ok(());
		};
		let parent = if lowest.number == 0 {
			Parent::genesis(lowest.hash(), self.chain.parameters())
		} else {
			let lowest_read =
				read(lowest).map_err(|e| self.rejected(lowest, Rejection::from(e).into()))?;
			Parent::of(&lowest_read)
		};
		let base = ProvedHeader {
			parent,
			total: TotalDifficulty(0.into()),
			weight: TotalDifficulty(0.into()),
		};
		match self.headers(Ok(base), above).error {
			Some(error) => Err(error),
			None => Ok(()),
		}
	}

	fn prove(
		&self,
		parent: Result<ProvedHeader, Hash>,
		headers: &[Header],
		proved: &mut Vec<ProvedHeader>,
	) -> Result<(), BlockError> {
		let mut parent = parent.or_else(|hash| self.stored(hash))?;
		for headers in headers.chunks(AT_ONCE) {
			let (read, broken) = self.against_parents(&parent, headers);
			self.check_seals(&read, |header| {
				rules::validate_not_future(header, unix_now()).map_err(Rejection::from)?;
				parent = self.child(&parent, header)?;
				proved.push(parent);
				Ok(())
			})?;
			broken?;
		}
		Ok(())
	}

	/// Checks headers against each other, and returns those that pass and the error of the next one.
	fn against_parents(
		&self,
		parent: &ProvedHeader,
		headers: &[Header],
	) -> (Vec<PowHeader>, Result<(), Rejection>) {
		let mut parent = parent.parent;
		let mut passed = Vec::with_capacity(headers.len());
		let parameters = self.chain.parameters();
		for header in headers {
			let check = || -> Result<PowHeader, Rejection> {
				let header = read(header)?;
				rules::validate_static(parameters, &header)?;
				rules::validate_against_parent(parameters, &header, &parent)?;
				rules::validate_seal_quick(&header)?;
				Ok(header)
			};
			match check() {
				Ok(header) => {
					parent = Parent::of(&header);
					passed.push(header);
				}
				Err(error) => return (passed, Err(error)),
			}
		}
		(passed, Ok(()))
	}

	/// Checks the seals of headers, and calls `next` with each header that passes.
	fn check_seals(
		&self,
		headers: &[PowHeader],
		mut next: impl FnMut(&PowHeader) -> Result<(), BlockError>,
	) -> Result<(), BlockError> {
		let works = self.chain.hashimoto_each(headers)?;
		for (header, work) in headers.iter().zip(works) {
			rules::validate_work(header, &work).map_err(Rejection::from)?;
			next(header)?;
		}
		Ok(())
	}

	fn stored(&self, hash: Hash) -> Result<ProvedHeader, CheckError> {
		Ok(ProvedHeader {
			parent: self.chain.parent(hash)?,
			total: self.chain.total_difficulty(hash)?,
			weight: self.chain.standing(hash)?.weight,
		})
	}

	fn child(&self, parent: &ProvedHeader, header: &PowHeader) -> Result<ProvedHeader, CheckError> {
		Ok(ProvedHeader {
			parent: Parent::of(header),
			total: rules::total_difficulty(parent.total, header.pre.difficulty)?,
			weight: rules::weight(self.chain.parameters(), &parent.parent, parent.total),
		})
	}

	/// Logs a header or a body that is rejected.
	fn rejected(&self, header: &Header, error: BlockError) -> BlockError {
		match &error {
			BlockError::Rejected(Rejection::Invalid(rule)) => {
				self.chain.refusals.count(Refused::Block, rule.name());
				let rejected = format!("is rejected: {rule}");
				self.warnings.warn_of(rule.name(), header, &rejected);
			}
			BlockError::Rejected(Rejection::Transient(future)) => {
				self.chain.refusals.count(Refused::Block, future.name());
				let early = CheckError::TooEarly(*future);
				let early = format!("is from the future: {early}");
				self.warnings.warn_of(future.name(), header, &early);
			}
			BlockError::CouldNotCheck(problem) => {
				self.warnings
					.warn_of("could_not_check", header, &problem.to_string());
			}
		}
		error
	}
}

fn read(header: &Header) -> Result<PowHeader, HeaderError> {
	PowHeader::read(header).map_err(HeaderError::Digest)
}
