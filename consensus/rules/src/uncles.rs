// SPDX-License-Identifier: Apache-2.0
//! Validates B_U, the uncles that a block names. An uncle is the header of an orphaned block, whose miner
//! earns part of a reward when a later block names it (yellow paper, section 11.1, Ommer Validation).
//!
//! ```text
//! ‖B_U‖ ≤ 2  ∧  for each U in B_U: V(U) ∧ k(U, P(B_H)_H, 6)
//! k(U, H, n) = false where n = 0, else s(U, H) ∨ k(U, P(H)_H, n − 1)
//! s(U, H)    = P(H)_H = P(U)_H ∧ H ≠ U ∧ U ∉ B(H)_U
//! ```
//!
//! In words, a block may name at most two uncles. Each of them is a valid header (V), not an ancestor of the
//! block, not named already, and a sibling of one of the block's six nearest ancestors. So its parent is an
//! ancestor of the block, from the grandparent to the sixth generation above the block's parent, and its
//! number is one to six below the block's. A sibling of the block itself is not an uncle.

use crate::{
	error::{GotExpected, HeaderError, Rejection, UncleError},
	header::{validate_against_parent, validate_not_future, validate_static},
	parent::Parent,
	seal::{validate_seal_quick, validate_work, Work},
};
use alloc::vec::Vec;
use isthmus_primitives::{
	digest::{uncles_hash, PowHeader},
	params::{ChainParameters, MAX_UNCLES, MAX_UNCLE_GENERATIONS},
	Header,
};
use polkadot_sdk::sp_core::H256;

/// How many of a block's ancestors the uncle rules look at: its parent, and [`MAX_UNCLE_GENERATIONS`] above
/// that.
pub const UNCLE_ANCESTORS: usize = MAX_UNCLE_GENERATIONS as usize + 1;

/// What the uncle rules need to know about the chain below a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ancestry<'a> {
	/// The block's ancestors without a gap, its parent first: the nearest [`UNCLE_ANCESTORS`] of them, or
	/// all down to the genesis block if there are fewer. Older ancestors are ignored.
	pub ancestors: &'a [Parent],
	/// The hashes of all the uncles that those ancestors name.
	///
	/// Uncles that older blocks name do not matter. An uncle that is still in reach is at most six blocks
	/// old, so every block that can have named it is among those ancestors.
	pub included: &'a [H256],
}

impl<'a> Ancestry<'a> {
	/// Returns the ancestors that the rules look at.
	fn nearest(&self) -> &'a [Parent] {
		self.ancestors
			.get(..UNCLE_ANCESTORS)
			.unwrap_or(self.ancestors)
	}

	/// Returns the ancestors that may be an uncle's parent: all but the block's own parent.
	fn uncle_parents(&self) -> &'a [Parent] {
		self.nearest().get(1..).unwrap_or(&[])
	}
}

/// Validates every uncle rule, cheapest first. If the block has no uncles, the ancestry is not used.
///
/// `header` is the block's header, and `uncles` are the uncles that its body names, in the body's order.
/// `now`, in seconds since the Unix epoch, is needed because an uncle's whole header must be valid: an
/// uncle from the future delays the block, as the block's own timestamp would. `hashimoto` is the same as
/// for [`validate_seal`](crate::validate_seal), and runs only after all cheaper rules.
///
/// # Errors
///
/// Returns the error of the first rule that is violated, as a [`Rejection`], or the error of
/// `hashimoto`.
pub fn validate_uncles<E: From<Rejection>>(
	params: &ChainParameters,
	header: &PowHeader,
	uncles: &[Header],
	ancestry: &Ancestry<'_>,
	now: u64,
	mut hashimoto: impl FnMut(&PowHeader) -> Result<Work, E>,
) -> Result<(), E> {
	let uncles = validate_uncles_without_hashimoto(params, header, uncles, ancestry, now)?;
	for (index, uncle) in uncles.iter().enumerate() {
		let work = hashimoto(uncle)?;
		validate_work(uncle, &work).map_err(|error| in_uncle(index, error))?;
	}
	Ok(())
}

/// Validates the uncle rules that do not need Hashimoto, and returns the parsed uncles.
fn validate_uncles_without_hashimoto(
	params: &ChainParameters,
	header: &PowHeader,
	uncles: &[Header],
	ancestry: &Ancestry<'_>,
	now: u64,
) -> Result<Vec<PowHeader>, Rejection> {
	validate_uncle_count(uncles)?;
	validate_uncles_hash(header, uncles)?;
	let mut read = Vec::new();
	for (index, uncle) in uncles.iter().enumerate() {
		let uncle = PowHeader::read(uncle).map_err(|error| in_uncle(index, error.into()))?;
		validate_uncle_distinct(&uncle, &read)?;
		validate_uncle_not_ancestor(&uncle, ancestry)?;
		validate_uncle_not_included(&uncle, ancestry)?;
		let parent = validate_uncle_kin(&uncle, ancestry)?;
		validate_static(params, &uncle)
			.and_then(|()| validate_against_parent(params, &uncle, parent))
			.and_then(|()| validate_seal_quick(&uncle))
			.map_err(|error| in_uncle(index, error))?;
		validate_not_future(&uncle, now)?;
		read.push(uncle);
	}
	Ok(read)
}

fn in_uncle(index: usize, error: HeaderError) -> Rejection {
	UncleError::Header { index, error }.into()
}

/// Validates that ‖B_U‖ ≤ 2.
///
/// # Errors
///
/// Returns [`UncleError::TooMany`] if there are more.
pub fn validate_uncle_count(uncles: &[Header]) -> Result<(), UncleError> {
	let got = uncles.len();
	if got > MAX_UNCLES as usize {
		return Err(UncleError::TooMany {
			got,
			maximum: MAX_UNCLES,
		});
	}
	Ok(())
}

/// Validates that H_o = KEC256(SCALE(B_U)).
///
/// # Errors
///
/// Returns [`UncleError::UnclesHash`] if it is not.
pub fn validate_uncles_hash(header: &PowHeader, uncles: &[Header]) -> Result<(), UncleError> {
	GotExpected::check(header.pre.uncles_hash, uncles_hash(uncles)).map_err(UncleError::UnclesHash)
}

/// Validates that no uncle is named twice: `uncle` is not among the uncles named `before` it.
///
/// # Errors
///
/// Returns [`UncleError::Repeated`] if it is.
pub fn validate_uncle_distinct(uncle: &PowHeader, before: &[PowHeader]) -> Result<(), UncleError> {
	if before.iter().any(|other| other.hash == uncle.hash) {
		return Err(UncleError::Repeated { uncle: uncle.hash });
	}
	Ok(())
}

/// Validates that H ≠ U: an uncle is not an ancestor of the block that names it.
///
/// # Errors
///
/// Returns [`UncleError::Ancestor`] if it is.
pub fn validate_uncle_not_ancestor(
	uncle: &PowHeader,
	ancestry: &Ancestry<'_>,
) -> Result<(), UncleError> {
	if ancestry
		.nearest()
		.iter()
		.any(|ancestor| ancestor.hash == uncle.hash)
	{
		return Err(UncleError::Ancestor { uncle: uncle.hash });
	}
	Ok(())
}

/// Validates that U ∉ B(H)_U: no ancestor names the uncle.
///
/// # Errors
///
/// Returns [`UncleError::AlreadyIncluded`] if one does.
pub fn validate_uncle_not_included(
	uncle: &PowHeader,
	ancestry: &Ancestry<'_>,
) -> Result<(), UncleError> {
	if ancestry.included.contains(&uncle.hash) {
		return Err(UncleError::AlreadyIncluded { uncle: uncle.hash });
	}
	Ok(())
}

/// Validates that the uncle is in reach: its parent is also the parent of one of the block's six nearest
/// ancestors H. Returns the uncle's parent. This is the part P(H)_H = P(U)_H of k(U, P(B_H)_H, 6).
///
/// # Errors
///
/// Returns [`UncleError::NotKin`] if there is no such ancestor.
pub fn validate_uncle_kin<'a>(
	uncle: &PowHeader,
	ancestry: &Ancestry<'a>,
) -> Result<&'a Parent, UncleError> {
	let parents = ancestry.uncle_parents();
	parents
		.iter()
		.find(|parent| parent.hash == uncle.parent_hash)
		.ok_or_else(|| UncleError::NotKin {
			uncle: uncle.hash,
			got: uncle.parent_hash,
			parents: parents
				.last()
				.zip(parents.first())
				.map(|(oldest, newest)| (oldest.number, newest.number)),
		})
}
