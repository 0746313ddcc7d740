// SPDX-License-Identifier: Apache-2.0
//! Lists the pallets that `scripts/weights` measures: only our own, since the framework's pallets come with
//! weights.

polkadot_sdk::frame_benchmarking::define_benchmarks!(
	[pallet_data_sharing, DataSharing]
	[pallet_facts, Facts]
	[pallet_keepers, Keepers]
	[pallet_proof_of_work, ProofOfWork]
	[pallet_verifiers, Verifiers]
);
