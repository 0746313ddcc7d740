// SPDX-License-Identifier: Apache-2.0
//! Says what a client may spend, and keeps count of what it has spent.

use crate::{
	error::CostError,
	types::{Balance, Cost},
};

/// What a client may spend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
	/// The most that all its transactions may cost together; `None` if there is no limit.
	pub most: Option<Balance>,
	/// Whether nothing is sent: what would be sent is an error that says what it would cost.
	pub dry_run: bool,
}

/// A budget, and what was spent of it.
#[derive(Debug, Default)]
pub(crate) struct Purse {
	budget: Budget,
	/// What the transactions that were sent cost, as far as they were counted.
	spent: Balance,
	/// What is counted besides, in a dry run, for transactions that would have been sent.
	planned: Cost,
}

impl Purse {
	/// Returns a purse of which nothing is spent.
	pub(crate) fn new(budget: Budget) -> Self {
		Self {
			budget,
			..Self::default()
		}
	}

	/// Returns whether the costs of transactions have to be known before they are sent.
	pub(crate) fn is_limited(&self) -> bool {
		self.budget != Budget::default()
	}

	/// Returns whether nothing is sent.
	pub(crate) fn is_dry(&self) -> bool {
		self.budget.dry_run
	}

	/// Checks whether something that costs this much may be sent by an account that can spend `free`.
	///
	/// # Errors
	///
	/// Returns [`CostError::NotEnoughFunds`], [`CostError::TooCostly`] or, if nothing else is wrong in a dry run,
	/// [`CostError::NotSent`].
	pub(crate) fn check(&self, cost: Cost, free: Balance) -> Result<(), CostError> {
		let cost = cost.plus(self.planned);
		let (needed, spent) = (cost.total(), self.spent);
		if free < needed {
			return Err(CostError::NotEnoughFunds { needed, free });
		}
		match self.budget.most {
			Some(most) if most < spent.saturating_add(needed) => Err(CostError::TooCostly {
				needed,
				spent,
				most,
			}),
			_ if self.budget.dry_run => Err(CostError::NotSent(cost)),
			_ => Ok(()),
		}
	}

	/// Counts a transaction that would have been sent before the next check.
	pub(crate) fn plan(&mut self, cost: Cost) {
		self.planned = self.planned.plus(cost);
	}

	/// Counts a transaction that was sent.
	pub(crate) fn spend(&mut self, cost: &Cost) {
		self.spent = self.spent.saturating_add(cost.total());
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_primitives::UNIT;

	const COST: Cost = Cost {
		fees: UNIT,
		deposits: UNIT,
		payments: UNIT,
	};

	#[test]
	fn what_is_missing_is_said() {
		let purse = Purse::default();
		assert!(!purse.is_limited());
		assert_eq!(purse.check(COST, 3 * UNIT), Ok(()));
		let refused = purse.check(COST, UNIT).unwrap_err().to_string();
		assert_eq!(
			refused,
			"NotEnoughFunds: this needs at least 3 IST for fees, deposits and payments, the account has 1 IST, and 2 IST are missing"
		);
	}

	#[test]
	fn a_limit_holds_for_all_transactions_together() {
		let most = Some(7 * UNIT);
		let mut purse = Purse::new(Budget {
			most,
			dry_run: false,
		});
		assert!(purse.is_limited());
		for _ in 0..2 {
			assert_eq!(purse.check(COST, Balance::MAX), Ok(()));
			purse.spend(&COST);
		}
		let refused = purse.check(COST, Balance::MAX).unwrap_err().to_string();
		assert_eq!(
			refused,
			"this would cost 3 IST, which is 2 IST more than the limit of 7 IST leaves: 6 IST are spent already"
		);
		let least = Cost {
			fees: UNIT,
			..Cost::default()
		};
		assert_eq!(purse.check(least, Balance::MAX), Ok(()));
		let huge = Cost {
			fees: Balance::MAX,
			..COST
		};
		let refused = purse.check(huge, Balance::MAX);
		assert!(matches!(refused, Err(CostError::TooCostly { .. })));
	}

	#[test]
	fn a_dry_run_sends_nothing_and_finds_the_same_errors() {
		let dry = |most| {
			Purse::new(Budget {
				most,
				dry_run: true,
			})
		};
		assert!(dry(None).is_limited() && dry(None).is_dry());
		assert_eq!(
			dry(None).check(COST, Balance::MAX),
			Err(CostError::NotSent(COST))
		);
		let mut twice = dry(None);
		twice.plan(COST);
		let both = Err(CostError::NotSent(COST.plus(COST)));
		assert_eq!(twice.check(COST, Balance::MAX), both);
		let (needed, free) = (3 * UNIT, 2 * UNIT);
		let poor = CostError::NotEnoughFunds { needed, free };
		assert_eq!(dry(None).check(COST, free), Err(poor));
		let refused = dry(Some(UNIT)).check(COST, Balance::MAX).unwrap_err();
		assert_eq!(
			refused.to_string(),
			"this would cost 3 IST, and the limit is 1 IST"
		);
	}
}
