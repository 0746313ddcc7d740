// SPDX-License-Identifier: Apache-2.0
//! Implements the runtime APIs, through which the node and clients query the runtime. Each function calls a
//! pallet.

use crate::{
	genesis, without_signer, Block, DataSharing, Executive, Grandpa, InherentDataExt, ProofOfWork,
	Runtime, RuntimeCall, RuntimeGenesisConfig, Session, SessionKeys, System, TransactionPayment,
	UncheckedExtrinsic, Verifiers,
};
use alloc::{boxed::Box, vec::Vec};
use codec::{DecodeLimit, Encode};
use frame_support::{
	genesis_builder_helper::{build_state, get_preset},
	traits::Contains,
	weights::Weight,
	MAX_EXTRINSIC_DEPTH,
};
use isthmus_primitives::{
	api::Verifier,
	params::{ChainParameters, Miners},
	AccountId, Balance, BlockNumber, Hash, Header, Nonce,
};
use isthmus_sharing::{
	Answer, DatasetId, EmbargoEntry, GrantState, Page, PurposeCode, QueryError, RecordEntry, Scope,
	Verdict,
};
use pallet_data_sharing::runtime_api::{DatasetEntry, GrantEntry, ProducerEntry, RequestEntry};
use pallet_transaction_payment::{FeeDetails, RuntimeDispatchInfo};
use polkadot_sdk::*;
use sp_consensus_grandpa::AuthorityId;
use sp_core::{
	crypto::{key_types, KeyTypeId},
	OpaqueMetadata,
};
use sp_inherents::{CheckInherentsResult, InherentData};
use sp_runtime::{
	traits::{Block as BlockT, NumberFor},
	transaction_validity::{TransactionSource, TransactionValidity},
	ApplyExtrinsicResult, ExtrinsicInclusionMode, OpaqueExtrinsic,
};
use sp_version::RuntimeVersion;

/// The runtime's version.
#[sp_version::runtime_version]
pub const VERSION: RuntimeVersion = RuntimeVersion {
	spec_name: alloc::borrow::Cow::Borrowed("isthmus"),
	impl_name: alloc::borrow::Cow::Borrowed("isthmus"),
	authoring_version: 1,
	spec_version: 6,
	impl_version: 1,
	apis: RUNTIME_API_VERSIONS,
	transaction_version: 4,
	system_version: 1,
};

sp_api::impl_runtime_apis! {
	impl sp_api::Core<Block> for Runtime {
		fn version() -> RuntimeVersion {
			VERSION
		}

		fn execute_block(block: <Block as BlockT>::LazyBlock) {
			Executive::execute_block(block)
		}

		fn initialize_block(header: &Header) -> ExtrinsicInclusionMode {
			Executive::initialize_block(header)
		}
	}

	impl sp_api::Metadata<Block> for Runtime {
		fn metadata() -> OpaqueMetadata {
			OpaqueMetadata::new(Runtime::metadata().into())
		}

		fn metadata_at_version(version: u32) -> Option<OpaqueMetadata> {
			Runtime::metadata_at_version(version)
		}

		fn metadata_versions() -> Vec<u32> {
			Runtime::metadata_versions()
		}
	}

	impl frame_support::view_functions::runtime_api::RuntimeViewFunction<Block> for Runtime {
		fn execute_view_function(
			id: frame_support::view_functions::ViewFunctionId,
			input: Vec<u8>,
		) -> Result<Vec<u8>, frame_support::view_functions::ViewFunctionDispatchError> {
			Runtime::execute_view_function(id, input)
		}
	}

	impl sp_block_builder::BlockBuilder<Block> for Runtime {
		fn apply_extrinsic(extrinsic: <Block as BlockT>::Extrinsic) -> ApplyExtrinsicResult {
			Executive::apply_extrinsic(extrinsic)
		}

		fn finalize_block() -> Header {
			Executive::finalize_block()
		}

		fn inherent_extrinsics(data: InherentData) -> Vec<<Block as BlockT>::Extrinsic> {
			data.create_extrinsics()
		}

		fn check_inherents(
			block: <Block as BlockT>::LazyBlock,
			data: InherentData,
		) -> CheckInherentsResult {
			data.check_extrinsics(&block)
		}
	}

	impl sp_transaction_pool::runtime_api::TaggedTransactionQueue<Block> for Runtime {
		fn validate_transaction(
			source: TransactionSource,
			transaction: <Block as BlockT>::Extrinsic,
			block_hash: Hash,
		) -> TransactionValidity {
			Executive::validate_transaction(source, transaction, block_hash)
		}
	}

	impl sp_offchain::OffchainWorkerApi<Block> for Runtime {
		fn offchain_worker(header: &Header) {
			Executive::offchain_worker(header)
		}
	}

	impl sp_session::SessionKeys<Block> for Runtime {
		fn generate_session_keys(
			owner: Vec<u8>,
			seed: Option<Vec<u8>>,
		) -> sp_session::OpaqueGeneratedSessionKeys {
			SessionKeys::generate(&owner, seed).into()
		}

		fn decode_session_keys(encoded: Vec<u8>) -> Option<Vec<(Vec<u8>, KeyTypeId)>> {
			SessionKeys::decode_into_raw_public_keys(&encoded)
		}
	}

	impl sp_consensus_grandpa::GrandpaApi<Block> for Runtime {
		fn grandpa_authorities() -> sp_consensus_grandpa::AuthorityList {
			Grandpa::grandpa_authorities()
		}

		fn current_set_id() -> sp_consensus_grandpa::SetId {
			pallet_grandpa::CurrentSetId::<Runtime>::get()
		}

		fn submit_report_equivocation_unsigned_extrinsic(
			proof: sp_consensus_grandpa::EquivocationProof<Hash, NumberFor<Block>>,
			_key_owner_proof: sp_consensus_grandpa::OpaqueKeyOwnershipProof,
		) -> Option<()> {
			let call = pallet_verifiers::Call::report_equivocation { proof: Box::new(proof) };
			let report = without_signer(call.into());
			sp_io::offchain::submit_transaction(report.encode()).ok()
		}

		fn generate_key_ownership_proof(
			_set_id: sp_consensus_grandpa::SetId,
			authority_id: sp_consensus_grandpa::AuthorityId,
		) -> Option<sp_consensus_grandpa::OpaqueKeyOwnershipProof> {
			// The state knows whose key it is, so the report needs no proof of that.
			Verifiers::can_be_reported(&authority_id)
				.then(|| sp_consensus_grandpa::OpaqueKeyOwnershipProof::new(Vec::new()))
		}
	}

	impl frame_system_rpc_runtime_api::AccountNonceApi<Block, AccountId, Nonce> for Runtime {
		fn account_nonce(account: AccountId) -> Nonce {
			System::account_nonce(account)
		}
	}

	impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentApi<Block, Balance>
		for Runtime
	{
		fn query_info(
			extrinsic: <Block as BlockT>::Extrinsic,
			len: u32,
		) -> RuntimeDispatchInfo<Balance> {
			TransactionPayment::query_info(extrinsic, len)
		}

		fn query_fee_details(
			extrinsic: <Block as BlockT>::Extrinsic,
			len: u32,
		) -> FeeDetails<Balance> {
			TransactionPayment::query_fee_details(extrinsic, len)
		}

		fn query_weight_to_fee(weight: Weight) -> Balance {
			TransactionPayment::weight_to_fee(weight)
		}

		fn query_length_to_fee(length: u32) -> Balance {
			TransactionPayment::length_to_fee(length)
		}
	}

	impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentCallApi<
		Block,
		Balance,
		RuntimeCall,
	> for Runtime {
		fn query_call_info(call: RuntimeCall, len: u32) -> RuntimeDispatchInfo<Balance> {
			TransactionPayment::query_call_info(call, len)
		}

		fn query_call_fee_details(call: RuntimeCall, len: u32) -> FeeDetails<Balance> {
			TransactionPayment::query_call_fee_details(call, len)
		}

		fn query_weight_to_fee(weight: Weight) -> Balance {
			TransactionPayment::weight_to_fee(weight)
		}

		fn query_length_to_fee(length: u32) -> Balance {
			TransactionPayment::length_to_fee(length)
		}
	}

	impl sp_genesis_builder::GenesisBuilder<Block> for Runtime {
		fn build_state(config: Vec<u8>) -> sp_genesis_builder::Result {
			build_state::<RuntimeGenesisConfig>(config)
		}

		fn get_preset(id: &Option<sp_genesis_builder::PresetId>) -> Option<Vec<u8>> {
			get_preset::<RuntimeGenesisConfig>(id, genesis::preset)
		}

		fn preset_names() -> Vec<sp_genesis_builder::PresetId> {
			genesis::preset_names()
		}
	}

	impl isthmus_primitives::api::ProofOfWorkApi<Block> for Runtime {
		fn parameters() -> ChainParameters {
			pallet_proof_of_work::Parameters::<Runtime>::get()
		}

		fn uncles(extrinsics: Vec<OpaqueExtrinsic>) -> Option<Vec<Header>> {
			// Use the same depth limit as execution, so that a malicious body cannot overflow the stack.
			let read = |opaque: OpaqueExtrinsic| {
				let bytes = opaque.encode();
				UncheckedExtrinsic::decode_all_with_depth_limit(MAX_EXTRINSIC_DEPTH, &mut &bytes[..])
			};
			let extrinsics = extrinsics.into_iter().map(read).collect::<Result<Vec<_>, _>>().ok()?;
			ProofOfWork::uncles(extrinsics)
		}

		fn may_mine(miners: Miners, account: AccountId) -> bool {
			let verifies = || pallet_verifiers::Verifiers::<Runtime>::get().contains_key(&account);
			match miners {
				Miners::Anyone => true,
				Miners::Producers => {
					<Runtime as pallet_verifiers::Config>::Producers::contains(&account) || verifies()
				}
				Miners::Verifiers => verifies(),
			}
		}
	}

	impl isthmus_primitives::api::BlockAuthorApi<Block> for Runtime {
		fn author() -> AccountId {
			ProofOfWork::beneficiary()
		}
	}

	impl isthmus_primitives::api::VerifiersApi<Block> for Runtime {
		fn verifiers() -> Vec<Verifier> {
			let verifiers = Session::validators();
			let authorities = Grandpa::grandpa_authorities();
			// Find the account by the key's owner first. While a verifier renews its key, the old key has
			// no owner. In that case use the position: GRANDPA takes a session's keys in the session's
			// order. The position is only the second choice because the authorities are from an older
			// session until a forced change takes effect.
			let account = |(position, (grandpa, _)): (usize, (AuthorityId, _))| {
				let owner = Session::key_owner(key_types::GRANDPA, grandpa.as_ref());
				let account = owner.or_else(|| verifiers.get(position).cloned())?;
				Some(Verifier { account, grandpa })
			};
			authorities.into_iter().enumerate().filter_map(account).collect()
		}

		fn queued_verifiers() -> Vec<Verifier> {
			let queued = Session::queued_keys().into_iter();
			queued.map(|(account, SessionKeys { grandpa })| Verifier { account, grandpa }).collect()
		}

		fn equivocations() -> Vec<(Verifier, sp_consensus_grandpa::SetId)> {
			pallet_verifiers::VotingKeys::<Runtime>::iter()
				.filter_map(|(grandpa, voter)| {
					let account = voter.account;
					voter.reported.map(|set| (Verifier { account, grandpa }, set))
				})
				.collect()
		}
	}

	impl pallet_data_sharing::runtime_api::DataSharingApi<Block, AccountId, Balance, BlockNumber>
		for Runtime
	{
		fn query(
			caller: AccountId,
			owner: AccountId,
			key: Hash,
		) -> Result<Answer<BlockNumber>, QueryError> {
			DataSharing::query(&caller, &owner, key)
		}

		fn producers(
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<ProducerEntry<AccountId, Balance>> {
			DataSharing::producers(after, limit)
		}

		fn datasets(
			owner: AccountId,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<DatasetEntry<Balance, BlockNumber>> {
			DataSharing::datasets(&owner, after, limit)
		}

		fn records(
			owner: AccountId,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<RecordEntry<Balance, BlockNumber>> {
			DataSharing::records(&owner, after, limit)
		}

		fn records_in(
			owner: AccountId,
			scope: Scope,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<RecordEntry<Balance, BlockNumber>> {
			DataSharing::records_in(&owner, &scope, after, limit)
		}

		fn requests_to(
			owner: AccountId,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<RequestEntry<AccountId, Balance, BlockNumber>> {
			DataSharing::requests_to(&owner, after, limit)
		}

		fn requests_from(
			consumer: AccountId,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<RequestEntry<AccountId, Balance, BlockNumber>> {
			DataSharing::requests_from(&consumer, after, limit)
		}

		fn grants_of(
			owner: AccountId,
			state: Option<GrantState>,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<GrantEntry<AccountId, Balance, BlockNumber>> {
			DataSharing::grants_of(&owner, state, after, limit)
		}

		fn grants_on(
			owner: AccountId,
			dataset: DatasetId,
			state: Option<GrantState>,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<GrantEntry<AccountId, Balance, BlockNumber>> {
			DataSharing::grants_on(&owner, dataset, state, after, limit)
		}

		fn verdict_of(
			consumer: AccountId,
			owner: AccountId,
			scope: Scope,
			code: PurposeCode,
			term: BlockNumber,
			offer: Balance,
			firm: bool,
		) -> Verdict {
			DataSharing::verdict_of(&consumer, &owner, &scope, code, &term, &offer, firm)
		}

		fn embargoes(
			owner: AccountId,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<EmbargoEntry> {
			DataSharing::embargoes(&owner, after, limit)
		}

		fn overdue_since() -> Option<BlockNumber> {
			DataSharing::overdue_since()
		}

		fn grants_to(
			grantee: AccountId,
			state: Option<GrantState>,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<GrantEntry<AccountId, Balance, BlockNumber>> {
			DataSharing::grants_to(&grantee, state, after, limit)
		}
	}

	#[cfg(feature = "runtime-benchmarks")]
	impl frame_benchmarking::Benchmark<Block> for Runtime {
		fn benchmark_metadata(
			extra: bool,
		) -> (Vec<frame_benchmarking::BenchmarkList>, Vec<frame_support::traits::StorageInfo>) {
			use crate::*;
			use frame_benchmarking::BenchmarkList;
			use frame_support::traits::StorageInfoTrait;
			let mut list = Vec::<BenchmarkList>::new();
			list_benchmarks!(list, extra);
			(list, AllPalletsWithSystem::storage_info())
		}

		fn dispatch_benchmark(
			config: frame_benchmarking::BenchmarkConfig,
		) -> Result<Vec<frame_benchmarking::BenchmarkBatch>, alloc::string::String> {
			use crate::*;
			use frame_benchmarking::BenchmarkBatch;
			use frame_support::traits::WhitelistedStorageKeys;
			let whitelist = AllPalletsWithSystem::whitelisted_storage_keys();
			let mut batches = Vec::<BenchmarkBatch>::new();
			let params = (&config, &whitelist);
			add_benchmarks!(params, batches);
			Ok(batches)
		}
	}
}
