// SPDX-License-Identifier: Apache-2.0
//! What a command would cost, as a dry run shows it.

use crate::text::Amount;
use isthmus_sdk::Cost;
use serde::Serialize;
use std::fmt;

/// What a command would cost.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Planned {
	deposits: Amount,
	dry_run: bool,
	fees: Amount,
	payments: Amount,
	#[serde(skip)]
	total: Amount,
}

impl From<Cost> for Planned {
	fn from(cost: Cost) -> Self {
		Self {
			deposits: Amount(cost.deposits),
			dry_run: true,
			fees: Amount(cost.fees),
			payments: Amount(cost.payments),
			total: Amount(cost.total()),
		}
	}
}

impl fmt::Display for Planned {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self { fees, total, .. } = self;
		write!(f, "dry run, nothing was sent: {total}: {fees} of fees")?;
		for (amount, what) in [
			(self.deposits, "deposits, which come back"),
			(self.payments, "payments"),
		] {
			if amount.0 > 0 {
				write!(f, ", {amount} of {what}")?;
			}
		}
		Ok(())
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_sdk::UNIT;

	#[test]
	fn a_cost_is_shown_in_its_parts() {
		let fees = Cost {
			fees: UNIT / 10,
			..Cost::default()
		};
		let shown = Planned::from(fees).to_string();
		assert_eq!(shown, "dry run, nothing was sent: 0.1 IST: 0.1 IST of fees");
		let all = Planned::from(Cost {
			deposits: UNIT,
			payments: 2 * UNIT,
			..fees
		});
		assert_eq!(
			all.to_string(),
			"dry run, nothing was sent: 3.1 IST: 0.1 IST of fees, 1 IST of deposits, which come back, 2 IST of payments"
		);
		let json = serde_json::to_string(&all).unwrap();
		let unit = UNIT.to_string();
		let tenth = (UNIT / 10).to_string();
		let two = (2 * UNIT).to_string();
		assert_eq!(
			json,
			format!(r#"{{"deposits":"{unit}","dryRun":true,"fees":"{tenth}","payments":"{two}"}}"#)
		);
	}
}
