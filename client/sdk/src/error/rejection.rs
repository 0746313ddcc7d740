// SPDX-License-Identifier: Apache-2.0
//! Why a node's pool rejected a transaction.

/// Why a node's pool rejected a transaction. Nodes report this only in sentences, without a code. This is the
/// only place that parses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
	/// Another transaction of the account has, or had, the same nonce.
	NonceTaken,
	/// The pool is full.
	PoolFull,
	/// The account cannot pay the fee.
	CannotPay,
	/// The transaction stores bytes at a leaf that is taken, in an epoch that is over, or in a dataset that was removed.
	Overtaken,
	/// Anything else.
	Other,
}

impl Rejection {
	/// Parses the node's sentence.
	pub(super) fn of(sentence: &str) -> Self {
		let says = |part| sentence.contains(part);
		if says("outdated") || says("priority of the transaction is too low") {
			Self::NonceTaken
		} else if says("because of the limit") || says("exceeding limits") {
			Self::PoolFull
		} else if says("Inability to pay some fees") {
			Self::CannotPay
		} else if says("InvalidTransaction custom error")
			|| says("Invalid transaction with custom error")
		{
			// The only reason for which this chain's runtime rejects a transaction with a code of its own.
			Self::Overtaken
		} else {
			Self::Other
		}
	}
}
