// SPDX-License-Identifier: Apache-2.0
//! The pallets that `scripts/weights` measures: our own. The framework's pallets come with weights.

polkadot_sdk::frame_benchmarking::define_benchmarks!(
	[pallet_data_sharing, DataSharing]
	[pallet_proof_of_work, ProofOfWork]
	[pallet_verifiers, Verifiers]
);
