// SPDX-License-Identifier: Apache-2.0
//! Why an account cannot answer requests for an owner.

use crate::{
	text::{first_of, ist, Listing},
	types::*,
};
use std::fmt;

/// How many ranges an error names.
const MOST_NAMED: usize = 4;

/// Why an operator cannot answer for an owner. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
	/// The owner has not named the account as an operator.
	#[error("NotAnOperator: {operator} is no operator of {owner}, a proxy of the kind Sharing, or is not yet one in the finalized state")]
	NotAnOperator {
		/// The owner.
		owner: AccountId,
		/// The account.
		operator: AccountId,
	},
	/// The operator has to announce its calls.
	#[error("MustAnnounce: {operator} has to announce each call for {owner} {delay} blocks before, and an answer cannot wait")]
	MustAnnounce {
		/// The owner.
		owner: AccountId,
		/// The operator.
		operator: AccountId,
		/// The number of blocks.
		delay: BlockNumber,
	},
	/// An operator has no master secret of the owner, only the keys in its grants.
	#[error("NoSecret: an operator of {owner} derives no keys but those of its own grants")]
	NoSecret {
		/// The owner.
		owner: AccountId,
	},
	/// No grant of the operator covers the range.
	#[error("OutsideGrants: {operator} has no active grant that covers {}; of this epoch it has {}", Leaves(.scope), named(.held))]
	OutsideGrants {
		/// The operator.
		operator: AccountId,
		/// The range.
		scope: Scope,
		/// The operator's own grants on this epoch of the dataset.
		held: Vec<Held>,
	},
	/// The operator's own grant does not open the records in its range.
	#[error("WrongKeys: grant {grant} does not open the records in its range: its keys come from another secret")]
	WrongKeys {
		/// The grant.
		grant: GrantId,
	},
	/// The chain could not hold a deposit from the owner: that of a grant that no one requested, or what disputes took of the
	/// dataset's deposit, without which the chain refuses what is paid for.
	#[error("OwnerLacksDeposit: the chain would hold {} from {owner}, for the grant or again for its dataset, but {owner} can spend {}", ist(*.needed), ist(*.free))]
	OwnerLacksDeposit {
		/// The owner.
		owner: AccountId,
		/// What is to be held.
		needed: Balance,
		/// What the owner can spend.
		free: Balance,
	},
}

/// A grant that an operator has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
	/// Its number.
	pub grant: GrantId,
	/// What it opens.
	pub scope: Scope,
	/// Whether it is good.
	pub state: GrantState,
}

/// A range, in words.
struct Leaves<'a>(&'a Scope);

impl fmt::Display for Leaves<'_> {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Scope {
			dataset,
			epoch,
			from,
			to,
		} = self.0;
		write!(
			f,
			"leaves {from}..{to} of epoch {epoch} of dataset {dataset}"
		)
	}
}

impl fmt::Display for Held {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			grant,
			scope: Scope {
				epoch, from, to, ..
			},
			state,
		} = self;
		let state = match state {
			GrantState::Active => "",
			GrantState::Revoked => ", revoked",
			GrantState::Expired => ", expired",
			GrantState::Suspended => ", suspended",
		};
		write!(
			f,
			"leaves {from}..{to} of epoch {epoch} (grant {grant}{state})"
		)
	}
}

/// Names what an operator has.
fn named(held: &[Held]) -> String {
	let held: Vec<String> = held.iter().map(ToString::to_string).collect();
	match held.is_empty() {
		true => "no grant".to_owned(),
		false => first_of(&held, MOST_NAMED),
	}
}

impl OperatorError {
	/// Returns all that the error lists; `None` if it lists nothing.
	pub fn listing(&self) -> Option<Listing> {
		let Self::OutsideGrants {
			operator,
			scope,
			held,
		} = self
		else {
			return None;
		};
		let held = held.iter().map(ToString::to_string).collect();
		Some(Listing::new(held, |count: usize| {
			let scope = Leaves(scope);
			format!("OutsideGrants: {operator} has no active grant that covers {scope}; of this epoch it has {count} grants")
		}))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn who_cannot_answer_is_told_what_it_has() {
		let scope = |from, to| Scope {
			dataset: 3,
			epoch: 1,
			from,
			to,
		};
		let held = |grant, to, state| Held {
			grant,
			scope: scope(0, to),
			state,
		};
		assert_eq!(named(&[]), "no grant");
		let error = OperatorError::OutsideGrants {
			operator: [2; 32].into(),
			scope: scope(5, 12),
			held: vec![
				held(7, 10, GrantState::Active),
				held(8, 20, GrantState::Revoked),
			],
		};
		let operator = AccountId::from([2; 32]);
		assert_eq!(
			error.to_string(),
			format!("OutsideGrants: {operator} has no active grant that covers leaves 5..12 of epoch 1 of dataset 3; of this epoch it has leaves 0..10 of epoch 1 (grant 7), leaves 0..20 of epoch 1 (grant 8, revoked)")
		);
		let many: Vec<_> = (0..9).map(|at| held(at, 10, GrantState::Active)).collect();
		assert!(
			named(&many).ends_with("(grant 3) and 5 more"),
			"{}",
			named(&many)
		);
	}
}
