//! Which pallets `scripts/weights` measures: our own. The framework's come with weights of their own.

polkadot_sdk::frame_benchmarking::define_benchmarks!(
	[pallet_data_sharing, DataSharing]
	[pallet_proof_of_work, ProofOfWork]
	[pallet_verifiers, Verifiers]
);
