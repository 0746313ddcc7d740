// SPDX-License-Identifier: Apache-2.0
//! Facts, credentials and time, as a condition sees them.

use crate::pallet::{Config, Credentials, Pallet};
use isthmus_conditions::{Account, Condition, Name, Truth, Value, World};

/// What this pallet knows for a condition about an account. Grants and payments are missing.
pub struct Known<'a, T: Config> {
	account: &'a T::AccountId,
}

impl<'a, T: Config> Known<'a, T> {
	/// Returns what is known about this account.
	pub fn about(account: &'a T::AccountId) -> Self {
		Self { account }
	}
}

impl<T: Config> World for Known<'_, T> {
	fn now(&self) -> u64 {
		Pallet::<T>::now()
	}

	fn fact(&self, source: &Name, topic: &Name, oldest: Option<u32>) -> Option<Value> {
		Pallet::<T>::agreed_fact(source, topic, oldest)
	}

	fn has_credential(&self, issuer: &Account, kind: &Name) -> Option<bool> {
		let issuer = T::AccountId::from(*issuer);
		let credential = Credentials::<T>::get((self.account, &issuer, kind));
		Some(credential.is_some_and(|credential| credential.is_valid_at(self.now())))
	}
}

impl<T: Config> Pallet<T> {
	/// Evaluates a condition about an account on what this pallet knows.
	pub fn truth_of(condition: &Condition, account: &T::AccountId) -> Truth {
		condition.evaluate(&Known::<T>::about(account))
	}
}
