// SPDX-License-Identifier: Apache-2.0
//! The migrations of the state. The first block after an upgrade runs those whose pallet has an older storage version;
//! a chain that is upgraded from any earlier runtime runs them all, in this order.

use crate::Runtime;

/// All migrations, the oldest of each pallet first.
pub type Migrations = (
	pallet_verifiers::migrations::ToVersion1<Runtime>,
	pallet_proof_of_work::migrations::ToVersion2<Runtime>,
	pallet_proof_of_work::migrations::ToVersion3<Runtime>,
	pallet_data_sharing::migrations::ToV1<Runtime>,
);
