// SPDX-License-Identifier: Apache-2.0
//! Declares what acts on facts and credentials when they change.

use frame_support::weights::Weight;
use isthmus_conditions::Name;
use polkadot_sdk::*;

/// Acts when a fact or a credential changes other than by time. Each function returns the weight of what it did, at
/// most [`weight`](Self::weight).
pub trait Watcher<AccountId> {
	/// Returns the maximum weight of each of the other functions.
	fn weight() -> Weight;

	/// The reports of a source on a topic have changed.
	fn fact_changed(source: &Name, topic: &Name) -> Weight;

	/// A source's accounts, its quorum or its time have changed, and with them any of its facts.
	fn source_changed(source: &Name) -> Weight;

	/// A credential was issued, changed or revoked.
	fn credential_changed(account: &AccountId, issuer: &AccountId, kind: &Name) -> Weight;
}

/// Does nothing.
impl<AccountId> Watcher<AccountId> for () {
	fn weight() -> Weight {
		Weight::zero()
	}

	fn fact_changed(_: &Name, _: &Name) -> Weight {
		Weight::zero()
	}

	fn source_changed(_: &Name) -> Weight {
		Weight::zero()
	}

	fn credential_changed(_: &AccountId, _: &AccountId, _: &Name) -> Weight {
		Weight::zero()
	}
}
