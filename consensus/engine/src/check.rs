// SPDX-License-Identifier: Apache-2.0
//! Checks a header or a block against the rules of `isthmus-rules`, and reads what they need from the
//! database.

use crate::{
	chain::{Chain, ChainClient},
	error::{BlockError, CheckError},
	fork_choice::Arrival,
};
use isthmus_primitives::{
	digest::{self, PowHeader},
	params::DifficultyRule,
	Hash, Header,
};
use isthmus_rules::{self as rules, Ancestry, Rejection, Work};
use polkadot_sdk::*;
use sp_runtime::OpaqueExtrinsic;

/// An announced block with an unknown parent must have an H_d of at least our best block's H_d divided by
/// this number.
const EASIER: u64 = 16;

impl<C: ChainClient> Chain<C> {
	/// Checks every header rule, cheapest first, against the parent in the database and the clock. `now` is
	/// in seconds since the Unix epoch.
	///
	/// The clock is checked last, so that [`Rejection::Transient`] means that only the time is not valid
	/// yet.
	///
	/// # Errors
	///
	/// Returns the error of the first rule that is violated, or what prevented the check.
	pub fn check_header(&self, header: &Header, now: u64) -> Result<PowHeader, BlockError> {
		let header = read(header)?;
		// These rules come before the parent is read from the database.
		rules::validate_static(self.parameters(), &header).map_err(Rejection::from)?;
		let parent = self.parent(header.parent_hash)?;
		rules::validate_against_parent(self.parameters(), &header, &parent)
			.map_err(Rejection::from)?;
		self.check_seal(&header)?;
		self.check_beneficiary(&header, header.parent_hash)?;
		rules::validate_not_future(&header, now).map_err(Rejection::from)?;
		Ok(header)
	}

	/// Checks what the header and the body of a finalized block show without its parent, before the block becomes the
	/// first one of this node's history.
	///
	/// # Errors
	///
	/// Returns the error of the first rule that is violated, or what prevented the check.
	pub(crate) fn check_history_start(
		&self,
		header: &Header,
		body: Option<&[OpaqueExtrinsic]>,
	) -> Result<(), BlockError> {
		let read = read(header)?;
		rules::validate_static(self.parameters(), &read).map_err(Rejection::from)?;
		self.check_seal(&read)?;
		let body = body.ok_or(CheckError::MissingBody(read.hash))?;
		rules::validate_extrinsics_root(header, body).map_err(Rejection::from)?;
		Ok(())
	}

	/// Checks that a header's beneficiary may mine on this chain, by the state after the block `parent`.
	fn check_beneficiary(&self, header: &PowHeader, parent: Hash) -> Result<(), BlockError> {
		rules::validate_beneficiary(self.parameters(), header, |miners, account| {
			Ok(self.may_mine(parent, miners, account)?)
		})
	}

	/// Checks that a block is in our chain or higher than the finalized block.
	///
	/// # Errors
	///
	/// Returns [`CheckError::BehindFinality`] if it is neither, or the database's error.
	pub(crate) fn check_above_finality(&self, header: &Header) -> Result<(), CheckError> {
		let hash = header.hash();
		if header.number <= self.client().info().finalized_number && !self.knows(hash)? {
			return Err(CheckError::BehindFinality(hash));
		}
		Ok(())
	}

	/// Checks an announced header, whose parent may be unknown, and returns whether the block would be our
	/// new best block. `now` is in seconds since the Unix epoch.
	///
	/// # Errors
	///
	/// Returns the errors of [`Self::check_header`]; [`CheckError::BehindFinality`] if the block is unknown
	/// and can never be in our chain; [`CheckError::TooFar`] if its parent is known and its epoch is far from
	/// our best block's; [`CheckError::TooEasy`] if its parent is unknown and its difficulty is too low.
	pub fn check_announced(&self, announced: &Header, now: u64) -> Result<bool, BlockError> {
		let header = read(announced)?;
		if self.knows(header.hash)? {
			return Ok(false);
		}
		rules::validate_static(self.parameters(), &header).map_err(Rejection::from)?;
		rules::validate_seal_quick(&header).map_err(Rejection::from)?;
		self.check_above_finality(announced)?;
		let best = self.parent(self.client().info().best_hash)?;
		if !self.knows(header.parent_hash)? {
			rules::validate_not_future(&header, now).map_err(Rejection::from)?;
			// Only Hashimoto could check the seal of such a block, and running it would cost us more than the
			// announcement cost the peer. Sync proves the block or forgets it.
			// A fixed difficulty may fall at a height, by any factor.
			let rules = self.parameters().at(header.number);
			let least = match rules.difficulty_rule {
				DifficultyRule::Fixed => rules.minimum_difficulty.0.min(best.difficulty.0 / EASIER),
				_ => best.difficulty.0 / EASIER,
			};
			if header.pre.difficulty.0 < least {
				return Err(CheckError::TooEasy(header.hash).into());
			}
			return Ok(false);
		}
		let parent = self.parent(header.parent_hash)?;
		rules::validate_against_parent(self.parameters(), &header, &parent)
			.map_err(Rejection::from)?;
		rules::validate_not_future(&header, now).map_err(Rejection::from)?;
		// A peer must not be able to make us build the cache of an arbitrary epoch.
		if self.epoch(header.number).abs_diff(self.epoch(best.number)) > 1 {
			return Err(CheckError::TooFar(header.hash).into());
		}
		self.check_seal(&header)?;
		let announced = self.standing_of_new(&header, Arrival::LAST)?;
		Ok(announced.is_better_than(&self.standing(best.hash)?))
	}

	/// Checks every rule for the body: its root H_t, and the uncle rules. `now` is in seconds since the Unix
	/// epoch.
	///
	/// # Errors
	///
	/// Returns the error of the first rule that is violated, or what prevented the check.
	pub fn check_body(
		&self,
		header: &Header,
		checked: &PowHeader,
		body: Option<&[OpaqueExtrinsic]>,
		now: u64,
	) -> Result<(), BlockError> {
		// The client would store a block without a body, and not execute it.
		let body = body.ok_or_else(|| CheckError::MissingBody(header.hash()))?;
		rules::validate_extrinsics_root(header, body).map_err(Rejection::from)?;
		self.check_uncles(checked, Some(body), now)
	}

	/// Checks every uncle rule for the uncles that a block's body names. `now` is in seconds since the Unix
	/// epoch.
	///
	/// # Errors
	///
	/// Returns the error of the first rule that is violated, or what prevented the check.
	pub(crate) fn check_uncles(
		&self,
		header: &PowHeader,
		body: Option<&[OpaqueExtrinsic]>,
		now: u64,
	) -> Result<(), BlockError> {
		if header.pre.uncles_hash == digest::uncles_hash(&[]) {
			// The header says that there are no uncles. If the body names some anyway, the runtime rejects
			// it.
			return Ok(());
		}
		let body = body.ok_or(CheckError::MissingBody(header.hash))?;
		// A body that the runtime cannot read names no uncles, so H_o does not match it.
		let uncles = self.uncles(header.parent_hash, body)?;
		let (ancestors, included) = self.ancestry(header.parent_hash)?;
		let ancestry = Ancestry {
			ancestors: &ancestors,
			included: &included,
		};
		rules::validate_uncles(
			self.parameters(),
			header,
			&uncles,
			&ancestry,
			now,
			|uncle| {
				self.check_beneficiary(uncle, header.parent_hash)?;
				self.hashimoto(uncle)
			},
		)
	}

	fn check_seal(&self, header: &PowHeader) -> Result<(), BlockError> {
		rules::validate_seal(header, |header| self.hashimoto(header))
	}

	/// Returns Hashimoto's results for these headers, computed several at a time.
	pub(crate) fn hashimoto_each(&self, headers: &[PowHeader]) -> Result<Vec<Work>, CheckError> {
		let mut works: Vec<Option<Work>> = headers.iter().map(|h| self.seals.get(h.hash)).collect();
		let mut from = 0;
		while let Some(first) = headers.get(from) {
			let epoch = self.epoch(first.number);
			let same_epoch = |header: &&PowHeader| self.epoch(header.number) == epoch;
			let to = from + headers[from..].iter().take_while(same_epoch).count();
			let missing: Vec<usize> = (from..to).filter(|&index| works[index].is_none()).collect();
			if !missing.is_empty() {
				let cache = self.cache_for(first.number)?;
				let input = |&index: &usize| {
					let header: &PowHeader = &headers[index];
					(header.seal_hash.0, header.seal.nonce)
				};
				let inputs: Vec<_> = missing.iter().map(input).collect();
				for (index, output) in missing.into_iter().zip(cache.light_each(&inputs)) {
					let work = output.into();
					self.seals.insert(headers[index].hash, work);
					works[index] = Some(work);
				}
			}
			from = to;
		}
		Ok(works.into_iter().flatten().collect())
	}

	/// Returns Hashimoto's result for the header, computed at most once while it is remembered.
	fn hashimoto(&self, header: &PowHeader) -> Result<Work, BlockError> {
		if let Some(work) = self.seals.get(header.hash) {
			return Ok(work);
		}
		let cache = self.cache_for(header.number).map_err(CheckError::from)?;
		let work = cache.light(&header.seal_hash.0, header.seal.nonce).into();
		self.seals.insert(header.hash, work);
		Ok(work)
	}
}

fn read(header: &Header) -> Result<PowHeader, Rejection> {
	PowHeader::read(header).map_err(|e| rules::HeaderError::Digest(e).into())
}
