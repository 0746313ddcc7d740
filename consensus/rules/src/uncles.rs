//! B_U: which headers a block may name as its uncles (yellow paper, section 11.1, Ommer Validation).
//!
//! ```text
//! ‖B_U‖ ≤ 2  ∧  for each U in B_U: V(U) ∧ k(U, P(B_H)_H, 6)
//! k(U, H, n) = false where n = 0, else s(U, H) ∨ k(U, P(H)_H, n − 1)
//! s(U, H)    = P(H)_H = P(U)_H ∧ H ≠ U ∧ U ∉ B(H)_U
//! ```
//!
//! So an uncle is a brother of one of the block's six nearest ancestors: its parent is an ancestor of
//! the block, from the grandparent to the sixth generation above the block's parent, and its number is
//! one to six under the block's. A brother of the block itself is not an uncle.

use crate::{
	header::{validate_against_parent, validate_not_future},
	seal::{validate_seal_quick, validate_work},
	HeaderError, Parent, PowHeader, Rejection, UncleError, Work,
};
use alloc::vec::Vec;
use isthmus_primitives::{
	digest::uncles_hash,
	params::{ChainParameters, MAX_UNCLES, MAX_UNCLE_GENERATIONS},
	Header,
};
use polkadot_sdk::sp_core::H256;

/// How many ancestors of a block the uncle rules look at: its parent, and the
/// [`MAX_UNCLE_GENERATIONS`] above that.
pub const UNCLE_ANCESTORS: usize = MAX_UNCLE_GENERATIONS as usize + 1;

/// What the uncle rules ask of the chain that a block stands on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ancestry<'a> {
	/// The block's ancestors without a gap, its parent first: the nearest [`UNCLE_ANCESTORS`] of
	/// them, or all down to the genesis block where there are fewer. Any more are not looked at.
	pub ancestors: &'a [Parent],
	/// The hashes of all the uncles that those ancestors name.
	///
	/// No older block can have named an uncle that is still in reach: who names it comes after it,
	/// and it is at most six blocks old.
	pub included: &'a [H256],
}

impl<'a> Ancestry<'a> {
	/// The ancestors that are looked at.
	fn nearest(&self) -> &'a [Parent] {
		self.ancestors
			.get(..UNCLE_ANCESTORS)
			.unwrap_or(self.ancestors)
	}

	/// The ancestors that an uncle may have for its parent: all that are looked at but the block's
	/// own parent.
	fn uncle_parents(&self) -> &'a [Parent] {
		self.nearest().get(1..).unwrap_or(&[])
	}
}

/// Every rule of a block's uncles, cheapest first. A block without uncles needs no ancestry.
///
/// `header` is the block's, `uncles` are those that its body names, in their order. `now`, in seconds
/// since the Unix epoch, is there because an uncle's whole header must be valid: one from the future
/// makes the block wait, as its own timestamp would. `hashimoto` is as for
/// [`validate_seal`](crate::validate_seal); it is asked only once nothing cheaper is left.
///
/// # Errors
///
/// The first broken rule's, as a [`Rejection`]; or what `hashimoto` gives.
pub fn validate_uncles<E: From<Rejection>>(
	params: &ChainParameters,
	header: &PowHeader,
	uncles: &[Header],
	ancestry: &Ancestry<'_>,
	now: u64,
	mut hashimoto: impl FnMut(&PowHeader) -> Result<Work, E>,
) -> Result<(), E> {
	let uncles = validate_uncles_but_work(params, header, uncles, ancestry, now)?;
	for (index, uncle) in uncles.iter().enumerate() {
		let work = hashimoto(uncle)?;
		validate_work(uncle, &work).map_err(|error| in_uncle(index, error))?;
	}
	Ok(())
}

/// The uncle rules that take no Hashimoto. Gives the uncles as read.
fn validate_uncles_but_work(
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
		validate_against_parent(params, &uncle, parent)
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

/// ‖B_U‖ ≤ 2.
///
/// # Errors
///
/// [`UncleError::TooMany`].
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

/// H_o = KEC256(SCALE(B_U)).
///
/// # Errors
///
/// [`UncleError::UnclesHash`].
pub fn validate_uncles_hash(header: &PowHeader, uncles: &[Header]) -> Result<(), UncleError> {
	let got = header.pre.uncles_hash;
	let expected = uncles_hash(uncles);
	if got != expected {
		return Err(UncleError::UnclesHash { got, expected });
	}
	Ok(())
}

/// No uncle is named twice: `uncle` is none of those named `before` it.
///
/// # Errors
///
/// [`UncleError::Repeated`].
pub fn validate_uncle_distinct(uncle: &PowHeader, before: &[PowHeader]) -> Result<(), UncleError> {
	if before.iter().any(|other| other.hash == uncle.hash) {
		return Err(UncleError::Repeated { uncle: uncle.hash });
	}
	Ok(())
}

/// H ≠ U: an uncle is not an ancestor of the block that names it.
///
/// # Errors
///
/// [`UncleError::Ancestor`].
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

/// U ∉ B(H)_U: no ancestor has named the uncle.
///
/// # Errors
///
/// [`UncleError::AlreadyIncluded`].
pub fn validate_uncle_not_included(
	uncle: &PowHeader,
	ancestry: &Ancestry<'_>,
) -> Result<(), UncleError> {
	if ancestry.included.contains(&uncle.hash) {
		return Err(UncleError::AlreadyIncluded { uncle: uncle.hash });
	}
	Ok(())
}

/// k(U, P(B_H)_H, 6), as far as it is about generations: P(H)_H = P(U)_H for one of the six nearest
/// ancestors H. Gives the uncle's parent.
///
/// # Errors
///
/// [`UncleError::NotKin`].
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
