// SPDX-License-Identifier: Apache-2.0
//! Why something was not sent because of its cost.

use crate::{
	text::ist,
	types::{Balance, Cost},
};

/// Why something was not sent because of its cost. What is sent in several transactions may have been sent in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CostError {
	/// The account cannot pay.
	#[error("NotEnoughFunds: this needs at least {} for fees, deposits and payments, the account has {}, and {} are missing", ist(*.needed), ist(*.free), ist(.needed.saturating_sub(*.free)))]
	NotEnoughFunds {
		/// What the fees, at present, the deposits and the payments need together.
		needed: Balance,
		/// The amount that the account can spend.
		free: Balance,
	},
	/// It costs more than the client's [budget](crate::Budget) allows.
	#[error("this would cost {}, {}", ist(*.needed), over_limit(*.needed, *.spent, *.most))]
	TooCostly {
		/// What it costs, at present.
		needed: Balance,
		/// What the client has spent so far.
		spent: Balance,
		/// The limit for both together.
		most: Balance,
	},
	/// The client only computes costs.
	#[error("a dry run: nothing was sent, which would cost {}", ist(.0.total()))]
	NotSent(Cost),
}

/// Says by how much a cost is over a limit.
fn over_limit(needed: Balance, spent: Balance, most: Balance) -> String {
	match spent {
		0 => format!("and the limit is {}", ist(most)),
		spent => {
			let over = needed.saturating_sub(most.saturating_sub(spent));
			let (over, most, spent) = (ist(over), ist(most), ist(spent));
			format!(
				"which is {over} more than the limit of {most} leaves: {spent} are spent already"
			)
		}
	}
}
