// SPDX-License-Identifier: Apache-2.0
//! The configurations of the pallets: their limits, fees, deposits and connections to each other.

use crate::{
	delegation::{deposit, find_within, ProxyType, Signer},
	extensions::RootCalls,
	migrations::Migrations,
	AccountId, Balances, Block, Council, DataSharing, Facts, Grandpa, OriginCaller, PalletInfo,
	ProofOfWork, Runtime, RuntimeCall, RuntimeEvent, RuntimeFreezeReason, RuntimeHoldReason,
	RuntimeOrigin, RuntimeTask, SessionKeys, System, TransactionPayment, Verifiers, VERSION,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
	derive_impl,
	dispatch::DispatchClass,
	parameter_types,
	traits::{
		fungible::{Balanced, Credit},
		Consideration, ConstU128, ConstU32, ConstU64, ConstU8, Contains, MaybeConsideration,
		OnUnbalanced, VariantCountOf,
	},
	weights::{
		constants::{ParityDbWeight, WEIGHT_REF_TIME_PER_SECOND},
		IdentityFee, Weight, WeightToFee,
	},
	PalletId,
};
use frame_system::{
	limits::{BlockLength, BlockWeights},
	EnsureNever, EnsureRoot,
};
use isthmus_conditions::Name;
use isthmus_primitives::{
	params::{GAS_PER_BYTE, REF_TIME_PER_GAS},
	Balance, BlockNumber, Hash, Nonce, UNIT,
};
use isthmus_sharing::{
	terms::{CANCEL_NOTICE, DISPUTE_WINDOW, LONGEST_DISPUTE_WINDOW, MAX_VALUE_SIZE},
	DatasetId,
};
use pallet_collective::{EnsureMembers, Instance1, PrimeDefaultVote, WeightInfo as _};
use pallet_data_sharing::Cause;
use pallet_transaction_payment::{FungibleAdapter, Multiplier, MultiplierUpdate};
use polkadot_sdk::*;
use scale_info::TypeInfo;
use sp_runtime::{
	traits::{AccountIdLookup, BlakeTwo256, Bounded, Convert, ConvertInto, Hash as _, OpaqueKeys},
	transaction_validity::InvalidTransaction,
	DispatchError, DispatchResult, FixedPointNumber, Perbill, Perquintill, Saturating,
};
use sp_version::RuntimeVersion;

/// The maximum time, in seconds on the reference machine, that a block's transactions may take, whatever
/// its gas limit.
pub const BLOCK_WEIGHT_SECONDS: u64 = 2;
/// The maximum length of a block's extrinsics, in bytes. It leaves room in the response to a block request,
/// which carries at most 16 MiB.
pub const MAX_BLOCK_LENGTH: u32 = 8 * 1024 * 1024;
/// The share of a block that normal transactions may fill. The rest is for operational transactions.
const NORMAL_RATIO: Perbill = Perbill::from_percent(75);
/// The minimum balance of an account.
pub const EXISTENTIAL_DEPOSIT: Balance = UNIT / 1000;
/// The fee for one byte of a transaction, besides the fee for the gas that the byte is: together they are one
/// unit for a megabyte, times the multiplier.
const BYTE_FEE: Balance = UNIT / 1_000_000 - (GAS_PER_BYTE * REF_TIME_PER_GAS) as Balance;
/// The number of blocks in a week, at 12 s each.
const WEEK: BlockNumber = 7 * 24 * 3600 / 12;
/// The maximum number of verifiers, who vote on finality.
pub const MAX_VERIFIERS: u32 = 100;
/// The length of the periods in which keepers prove once, in blocks: two hours, at 12 s each.
const KEEPERS_PERIOD: BlockNumber = 600;
/// The size of a pot's entry in bytes: its key and its value.
const POT_SIZE: Balance = 124;
/// The maximum number of accounts that sign for one account together.
const MAX_SIGNATORIES: u32 = 100;
/// The maximum number of proxies of an account, and of announcements of a proxy.
const MAX_PROXIES: u32 = 32;
/// For how many sessions a former verifier's deposit stays held: about five hours, with sessions of 50 blocks.
const UNBONDING_SESSIONS: u32 = 28;
/// The maximum number of motions that one verifier has open at the same time.
pub const MOTIONS_PER_MEMBER: u32 = 3;
/// The maximum number of motions open at the same time: no verifier can take another one's places.
const MAX_MOTIONS: u32 = MOTIONS_PER_MEMBER * MAX_VERIFIERS;

parameter_types! {
	pub const Version: RuntimeVersion = VERSION;
	pub RuntimeBlockWeights: BlockWeights = BlockWeights::with_sensible_defaults(
		Weight::from_parts(BLOCK_WEIGHT_SECONDS * WEIGHT_REF_TIME_PER_SECOND, u64::MAX),
		NORMAL_RATIO,
	);
	pub RuntimeBlockLength: BlockLength = BlockLength::builder()
		.max_length(MAX_BLOCK_LENGTH)
		.modify_max_length_for_class(DispatchClass::Normal, |length| *length = NORMAL_RATIO * *length)
		.build();
	/// The account of the pots from which keepers are paid.
	pub const PotsId: PalletId = PalletId(*b"ist/pots");
}

/// Allows or rejects calls by signed accounts. It does not apply to the superuser's own calls.
pub struct CallFilter;

impl Contains<RuntimeCall> for CallFilter {
	fn contains(call: &RuntimeCall) -> bool {
		match call {
			// If verifiers could purge their keys, a set of verifiers without keys could stop the chain.
			// `Verifiers::remove_keys` removes keys that no session needs.
			RuntimeCall::Session(pallet_session::Call::purge_keys {}) => false,
			// The council only decides what only the verifiers can, so its motions are short.
			RuntimeCall::Council(pallet_collective::Call::propose { proposal, .. }) => {
				is_motion(proposal) && !has_wrong_threshold(call)
			}
			RuntimeCall::Council(pallet_collective::Call::execute { .. }) => false,
			_ => true,
		}
	}
}

/// The number with which a transaction is rejected that proposes a motion whose threshold is not the number of votes that
/// the motion needs (`Custom error: 255`).
pub const WRONG_THRESHOLD: u8 = 255;

impl RootCalls for Runtime {
	fn refusal(signer: &AccountId, call: &RuntimeCall) -> Option<InvalidTransaction> {
		find_within(&|| signer.clone(), call, &|signer, call| {
			if needs_more_than(signer, call) {
				Some(InvalidTransaction::Call)
			} else if has_wrong_threshold(call) {
				Some(InvalidTransaction::Custom(WRONG_THRESHOLD))
			} else {
				None
			}
		})
	}
}

/// Returns whether a call proposes a motion with another threshold than the votes that it needs.
///
/// The proposer could otherwise hold the place of a motion that it dislikes with a threshold that no vote reaches, or
/// that is reached too early, when closing the motion fails and uses it up. If the verifiers change, an open motion may
/// have such a threshold: then it can be proposed again, with the right one, after it was closed. One vote against is
/// enough to close a motion that needs the votes of all.
fn has_wrong_threshold(call: &RuntimeCall) -> bool {
	match call {
		RuntimeCall::Council(pallet_collective::Call::propose {
			threshold,
			proposal,
			..
		}) => match &**proposal {
			RuntimeCall::Verifiers(motion) => *threshold != Verifiers::votes_needed(motion),
			_ => false,
		},
		_ => false,
	}
}

/// Returns whether a call takes a motion of the verifiers' council.
fn is_motion(call: &RuntimeCall) -> bool {
	use pallet_verifiers::Call;
	matches!(
		call,
		RuntimeCall::Verifiers(
			Call::admit { .. }
				| Call::remove { .. }
				| Call::authorize_upgrade { .. }
				| Call::cancel_upgrade {}
				| Call::restart_finality { .. }
				| Call::cancel_restart {}
		)
	)
}

/// Returns whether a call of the council fails whenever this account signs it: only members propose and vote, and they
/// propose motions only.
fn is_closed_to(signer: Signer<'_>, call: &pallet_collective::Call<Runtime, Instance1>) -> bool {
	use pallet_collective::Call;
	let is_fit = match call {
		Call::propose { proposal, .. } => is_motion(proposal),
		Call::vote { .. } => true,
		_ => return false,
	};
	!is_fit || !Council::is_member(&signer())
}

/// Returns whether a call needs more than the signature of this account, without a look at the calls that it carries out.
fn needs_more_than(signer: Signer<'_>, call: &RuntimeCall) -> bool {
	use frame_system::Call as System;
	use pallet_balances::Call as Balances;
	use pallet_collective::Call as Council;
	use pallet_utility::Call as Utility;
	match call {
		RuntimeCall::System(call) => matches!(
			call,
			System::set_heap_pages { .. }
				| System::set_code { .. }
				| System::set_code_without_checks { .. }
				| System::set_storage { .. }
				| System::kill_storage { .. }
				| System::kill_prefix { .. }
				| System::authorize_upgrade { .. }
				| System::authorize_upgrade_without_checks { .. }
		),
		RuntimeCall::Balances(call) => matches!(
			call,
			Balances::force_transfer { .. }
				| Balances::force_unreserve { .. }
				| Balances::force_set_balance { .. }
				| Balances::force_adjust_total_issuance { .. }
		),
		RuntimeCall::Grandpa(call) => matches!(call, pallet_grandpa::Call::note_stalled { .. }),
		RuntimeCall::Council(call) => {
			is_closed_to(signer, call)
				|| matches!(
					call,
					Council::set_members { .. }
						| Council::disapprove_proposal { .. }
						| Council::kill { .. }
						| Council::execute { .. }
				)
		}
		RuntimeCall::Verifiers(_) => is_motion(call),
		RuntimeCall::Sudo(_) => pallet_sudo::Key::<Runtime>::get() != Some(signer()),
		RuntimeCall::Utility(call) => matches!(
			call,
			Utility::dispatch_as { .. }
				| Utility::dispatch_as_fallible { .. }
				| Utility::with_weight { .. }
		),
		_ => false,
	}
}

#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
	type AccountData = pallet_balances::AccountData<Balance>;
	type AccountId = AccountId;
	type BaseCallFilter = CallFilter;
	type Block = Block;
	/// The longest lifetime of a transaction, in blocks. It equals the number of unfinalized heights that
	/// the node keeps.
	type BlockHashCount = ConstU32<4096>;
	type BlockLength = RuntimeBlockLength;
	type BlockWeights = RuntimeBlockWeights;
	type DbWeight = ParityDbWeight;
	type ExtensionsWeightInfo = frame_system::SubstrateExtensionsWeight<Runtime>;
	type Hash = Hash;
	type Lookup = AccountIdLookup<AccountId, ()>;
	type Nonce = Nonce;
	/// What an upgrade changes over several blocks.
	type MultiBlockMigrator = pallet_data_sharing::migrations::Stepped<Runtime>;
	/// What an upgrade changes in the storage that earlier runtimes wrote.
	type SingleBlockMigrations = Migrations;
	/// The address prefix, Substrate's generic one.
	type SS58Prefix = frame_support::traits::ConstU16<42>;
	type SystemWeightInfo = frame_system::weights::SubstrateWeight<Runtime>;
	type Version = Version;
}

impl pallet_proof_of_work::Config for Runtime {
	type Currency = Balances;
	type WeightInfo = pallet_proof_of_work::weights::SubstrateWeight<Runtime>;
}

impl pallet_timestamp::Config for Runtime {
	type Moment = u64;
	type OnTimestampSet = ProofOfWork;
	/// The minimum time between blocks, in the inherent's milliseconds. H_s (the timestamp) increases by at
	/// least a second per block, so a minimum of one millisecond never has an effect.
	type MinimumPeriod = ConstU64<1>;
	type WeightInfo = pallet_timestamp::weights::SubstrateWeight<Runtime>;
}

impl pallet_balances::Config for Runtime {
	type AccountStore = System;
	type Balance = Balance;
	type DoneSlashHandler = ();
	/// Dust is burned.
	type DustRemoval = ();
	type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
	type FreezeIdentifier = RuntimeFreezeReason;
	type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
	/// No pallet here uses locks or named reserves. Multisig and proxy reserve without names.
	type MaxLocks = ConstU32<0>;
	type MaxReserves = ConstU32<0>;
	type ReserveIdentifier = [u8; 8];
	type RuntimeEvent = RuntimeEvent;
	type RuntimeFreezeReason = RuntimeFreezeReason;
	type RuntimeHoldReason = RuntimeHoldReason;
	type WeightInfo = pallet_balances::weights::SubstrateWeight<Runtime>;
}

/// Burns fees, and pays tips to the block's miner (EIP-1559). If a miner received the fees, it could fill its
/// own blocks for nothing.
pub struct BurnFees;

impl OnUnbalanced<Credit<AccountId, Balances>> for BurnFees {
	fn on_unbalanceds(mut fee_then_tip: impl Iterator<Item = Credit<AccountId, Balances>>) {
		// Dropping a credit burns it.
		drop(fee_then_tip.next());
		if let Some(tip) = fee_then_tip.next() {
			// A tip that is too low to open the miner's account (below the existential deposit) is returned,
			// and burned too.
			drop(Balances::resolve(&ProofOfWork::beneficiary(), tip));
		}
	}
}

/// The fee for a transaction's bytes. Like the fee for its gas, it rises and falls with the multiplier.
pub struct FeeForBytes;

impl WeightToFee for FeeForBytes {
	type Balance = Balance;

	/// The number of bytes takes the place of the time.
	fn weight_to_fee(bytes: &Weight) -> Balance {
		let fee = BYTE_FEE.saturating_mul(bytes.ref_time().into());
		TransactionPayment::next_fee_multiplier().saturating_mul_int(fee)
	}
}

/// The fullness of blocks, in gas, above which fees rise. Below it they fall, but never below the base fees.
const TARGET_FULLNESS: Perquintill = Perquintill::from_percent(25);

/// Adjusts the fees' multiplier to how full of gas a block is: of normal and of operational transactions, since both
/// carry bytes and execution that everyone pays for. At most, it is as full as normal ones alone can make it.
///
/// What fits is what the block's own gas limit (H_l) allows, or the static limit of normal transactions if that is less.
/// Otherwise miners who lower H_l would have blocks that are full and look empty, so that the price would fall while
/// transactions wait.
///
/// In blocks that are full of bytes fees double in about 120 blocks, and in empty ones they halve in about 280. The
/// formula is that of the framework's [`pallet_transaction_payment::TargetedFeeAdjustment`], which counts normal transactions only.
pub struct AdjustFees;

impl Convert<Multiplier, Multiplier> for AdjustFees {
	fn convert(previous: Multiplier) -> Multiplier {
		let limits = RuntimeBlockWeights::get();
		let normal = limits.get(DispatchClass::Normal).max_total;
		let limit = ProofOfWork::gas_limit().saturating_mul(REF_TIME_PER_GAS);
		let normal = normal.unwrap_or(limits.max_block).ref_time();
		let most = normal.min(limit).max(1);
		let block = System::block_weight();
		let used = [DispatchClass::Normal, DispatchClass::Operational]
			.map(|class| block.get(class).ref_time());
		let used = used.into_iter().fold(0, u64::saturating_add).min(most);
		let target = TARGET_FULLNESS * most;

		let previous = previous.max(Self::min());
		let diff = Multiplier::saturating_from_rational(used.abs_diff(target), most);
		let first = Self::variability().saturating_mul(diff);
		let half_square = Self::variability().saturating_mul(Self::variability())
			/ Multiplier::saturating_from_integer(2);
		let second = half_square.saturating_mul(diff.saturating_mul(diff));
		let next = if used >= target {
			previous.saturating_add(first.saturating_add(second).saturating_mul(previous))
		} else {
			previous.saturating_sub(first.saturating_sub(second).saturating_mul(previous))
		};
		next.clamp(Self::min(), Self::max())
	}
}

impl MultiplierUpdate for AdjustFees {
	fn min() -> Multiplier {
		Multiplier::from_u32(1)
	}

	fn max() -> Multiplier {
		Bounded::max_value()
	}

	fn target() -> Perquintill {
		TARGET_FULLNESS
	}

	/// How fast fees rise and fall.
	fn variability() -> Multiplier {
		Multiplier::saturating_from_rational(1, 100)
	}
}

impl pallet_transaction_payment::Config for Runtime {
	type FeeMultiplierUpdate = AdjustFees;
	type LengthToFee = FeeForBytes;
	type OnChargeTransaction = FungibleAdapter<Balances, BurnFees>;
	/// An operational call has no priority over others: anyone may sign one, and only a tip buys a place.
	type OperationalFeeMultiplier = ConstU8<0>;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = pallet_transaction_payment::weights::SubstrateWeight<Runtime>;
	/// The fee for one picosecond is the currency's smallest unit, so a full block costs two units.
	type WeightToFee = IdentityFee<Balance>;
}

/// Sessions of fixed length, set at genesis.
type Sessions =
	pallet_session::PeriodicSessions<pallet_verifiers::SessionBlocks<Runtime>, ConstU32<0>>;

impl pallet_session::Config for Runtime {
	type Currency = Balances;
	/// Never disables a verifier, because GRANDPA tolerates voters that misbehave.
	type DisablingStrategy = ();
	type KeyDeposit = ConstU128<UNIT>;
	type Keys = SessionKeys;
	type NextSessionRotation = Sessions;
	type RuntimeEvent = RuntimeEvent;
	type SessionHandler = <SessionKeys as OpaqueKeys>::KeyTypeIdProviders;
	type SessionManager = Verifiers;
	type ShouldEndSession = Sessions;
	type ValidatorId = AccountId;
	type ValidatorIdOf = ConvertInto;
	type WeightInfo = pallet_session::weights::SubstrateWeight<Runtime>;
}

/// The registered producers.
pub struct RegisteredProducers;

impl Contains<AccountId> for RegisteredProducers {
	fn contains(who: &AccountId) -> bool {
		pallet_data_sharing::Producers::<Runtime>::contains_key(who)
	}
}

#[cfg(feature = "runtime-benchmarks")]
impl pallet_verifiers::BenchmarkHelper<AccountId> for RegisteredProducers {
	fn register(who: &AccountId) {
		use isthmus_sharing::ProducerKind::Other;
		crate::DataSharing::register(
			RuntimeOrigin::signed(who.clone()),
			Other,
			b"producer".into(),
		)
		.expect("the account has funds, and is not a producer yet");
	}
}

type CouncilWeights = pallet_collective::weights::SubstrateWeight<Runtime>;

parameter_types! {
	pub CouncilChangeWeight: Weight =
		CouncilWeights::set_members(MAX_VERIFIERS, MAX_VERIFIERS, MAX_MOTIONS);
	pub MaxMotionWeight: Weight = NORMAL_RATIO * RuntimeBlockWeights::get().max_block;
}

/// The motions of the verifiers, in the council.
pub struct CouncilMotions;

impl pallet_verifiers::Motions<pallet_verifiers::Call<Runtime>, AccountId> for CouncilMotions {
	fn ayes(call: pallet_verifiers::Call<Runtime>) -> Vec<AccountId> {
		let motion = BlakeTwo256::hash_of(&RuntimeCall::Verifiers(call));
		let votes = pallet_collective::Voting::<Runtime, Instance1>::get(motion).encode();
		// The collective's index, threshold and ayes come first. It does not publish these fields.
		let votes = <Option<(u32, u32, Vec<AccountId>)>>::decode(&mut &votes[..]);
		votes
			.ok()
			.flatten()
			.map_or_else(Vec::new, |(_, _, ayes)| ayes)
	}

	/// The council keeps the entry of a motion that is closed until someone releases it. Each proposal does that first, so
	/// there are at most `MAX_MOTIONS` entries.
	fn forget_closed() {
		use pallet_collective::{CostOf, ProposalOf};
		let closed: Vec<_> = CostOf::<Runtime, Instance1>::iter_keys()
			.filter(|motion| !ProposalOf::<Runtime, Instance1>::contains_key(motion))
			.collect();
		for motion in closed {
			// It fails only for open motions.
			let released = Council::release_proposal_cost(RuntimeOrigin::root(), motion);
			debug_assert!(released.is_ok());
		}
	}
}

/// GRANDPA, for the verifiers.
pub struct Finality;

impl pallet_verifiers::Finality<BlockNumber> for Finality {
	fn current_set() -> u64 {
		Grandpa::current_set_id()
	}

	fn is_changing() -> bool {
		Grandpa::pending_change().is_some()
	}

	fn forced_after() -> Option<BlockNumber> {
		Grandpa::pending_change().and_then(|change| change.forced)
	}

	fn note_stalled(delay: BlockNumber, finalized: BlockNumber) -> DispatchResult {
		Grandpa::note_stalled(RuntimeOrigin::root(), delay, finalized)
	}
}

impl pallet_verifiers::Config for Runtime {
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = RegisteredProducers;
	type Currency = Balances;
	type Deposit = ConstU128<{ 100 * UNIT }>;
	type Finality = Finality;
	type MaxVerifiers = ConstU32<MAX_VERIFIERS>;
	type Members = Council;
	type MembersChangeWeight = CouncilChangeWeight;
	type Motion = EnsureMembers<AccountId, Instance1, 1>;
	type Motions = CouncilMotions;
	type Producers = RegisteredProducers;
	type UnbondingSessions = ConstU32<UNBONDING_SESSIONS>;
	type WeightInfo = pallet_verifiers::weights::SubstrateWeight<Runtime>;
}

/// A place among the open motions of a verifier. The council keeps it with the motion, so the places that are taken
/// are those of open motions: a motion that is closed frees its place.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct MotionPlace;

impl MotionPlace {
	/// Returns how many open motions this account has proposed.
	fn taken_by(who: &AccountId) -> usize {
		use pallet_collective::{CostOf, Proposals};
		let motions = Proposals::<Runtime, Instance1>::get();
		let proposers = motions.iter().filter_map(CostOf::<Runtime, Instance1>::get);
		proposers.filter(|(proposer, _)| proposer == who).count()
	}
}

impl Consideration<AccountId, u32> for MotionPlace {
	fn new(who: &AccountId, _: u32) -> Result<Self, DispatchError> {
		<CouncilMotions as pallet_verifiers::Motions<_, _>>::forget_closed();
		let is_free = Self::taken_by(who) < MOTIONS_PER_MEMBER as usize;
		is_free
			.then_some(Self)
			.ok_or_else(|| pallet_collective::Error::<Runtime, Instance1>::TooManyProposals.into())
	}

	fn update(self, _: &AccountId, _: u32) -> Result<Self, DispatchError> {
		Ok(self)
	}

	fn drop(self, _: &AccountId) -> DispatchResult {
		Ok(())
	}

	#[cfg(feature = "runtime-benchmarks")]
	fn ensure_successful(_: &AccountId, _: u32) {}
}

impl MaybeConsideration<AccountId, u32> for MotionPlace {
	/// The council keeps the place only if it is something.
	fn is_none(&self) -> bool {
		false
	}
}

/// The collective of the verifiers, which votes on verifiers, upgrades and the restart of finality.
impl pallet_collective::Config<Instance1> for Runtime {
	/// Motions need no deposit: only verifiers propose them, and they are few and small.
	type Consideration = MotionPlace;
	/// Counts an abstention as a vote against, since there is no prime member.
	type DefaultVote = PrimeDefaultVote;
	type DisapproveOrigin = EnsureRoot<AccountId>;
	type KillOrigin = EnsureRoot<AccountId>;
	type MaxMembers = ConstU32<MAX_VERIFIERS>;
	type MaxProposalWeight = MaxMotionWeight;
	type MaxProposals = ConstU32<MAX_MOTIONS>;
	type MotionDuration = ConstU32<WEEK>;
	type Proposal = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type RuntimeOrigin = RuntimeOrigin;
	/// Only the verifiers pallet changes the members.
	type SetMembersOrigin = EnsureNever<()>;
	type WeightInfo = CouncilWeights;
}

impl pallet_grandpa::Config for Runtime {
	/// Equivocations are reported to `pallet-verifiers`, which knows the deposits. This type accepts any evidence without
	/// looking at it, so the calls of GRANDPA's own pallet must stay closed: see `KeyOwnerProof`.
	type EquivocationReportSystem = ();
	/// A type without values: a call with such a proof does not decode. With any other type, a report without evidence
	/// would fill blocks for nothing.
	type KeyOwnerProof = sp_core::Void;
	type MaxAuthorities = ConstU32<MAX_VERIFIERS>;
	type MaxNominators = ConstU32<0>;
	type MaxSetIdSessionEntries = ConstU64<0>;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = ();
}

impl pallet_utility::Config for Runtime {
	type PalletsOrigin = OriginCaller;
	type RuntimeCall = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = pallet_utility::weights::SubstrateWeight<Runtime>;
}

impl pallet_multisig::Config for Runtime {
	type BlockNumberProvider = System;
	type Currency = Balances;
	/// One entry of 88 bytes, and 32 bytes for each approval.
	type DepositBase = ConstU128<{ deposit(1, 88) }>;
	type DepositFactor = ConstU128<{ deposit(0, 32) }>;
	type MaxSignatories = ConstU32<MAX_SIGNATORIES>;
	type RuntimeCall = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = pallet_multisig::weights::SubstrateWeight<Runtime>;
}

impl pallet_proxy::Config for Runtime {
	type AnnouncementDepositBase = ConstU128<{ deposit(1, 16) }>;
	/// An account, a hash and a block's number.
	type AnnouncementDepositFactor = ConstU128<{ deposit(0, 68) }>;
	type BlockNumberProvider = System;
	type CallHasher = BlakeTwo256;
	type Currency = Balances;
	type MaxPending = ConstU32<MAX_PROXIES>;
	type MaxProxies = ConstU32<MAX_PROXIES>;
	type ProxyDepositBase = ConstU128<{ deposit(1, 16) }>;
	/// An account, a kind and a delay.
	type ProxyDepositFactor = ConstU128<{ deposit(0, 37) }>;
	type ProxyType = ProxyType;
	type RuntimeCall = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = pallet_proxy::weights::SubstrateWeight<Runtime>;
}

impl pallet_sudo::Config for Runtime {
	type RuntimeCall = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = pallet_sudo::weights::SubstrateWeight<Runtime>;
}

impl pallet_data_sharing::Config for Runtime {
	type BlockInterval = ConstU64<12>;
	type CancelNotice = ConstU32<CANCEL_NOTICE>;
	type Carried = RuntimeCall;
	type Currency = Balances;
	type DefaultLongestWindow = ConstU32<LONGEST_DISPUTE_WINDOW>;
	type DepositPerByte = ConstU128<{ UNIT / 10_000 }>;
	type DepositPerItem = ConstU128<{ UNIT / 10 }>;
	/// As much as one entry: the deposit for a dataset has room for two.
	type DisputeSlash = ConstU128<{ UNIT / 10 }>;
	type DisputeWindow = ConstU32<DISPUTE_WINDOW>;
	type GrantMemory = ConstU32<WEEK>;
	/// A report pays for this many at once. The rest are looked at when blocks have room.
	type MaxCarriedOut = ConstU32<8>;
	type MaxEndingsPerBlock = ConstU32<32>;
	/// The maximum size of a value. A block has room for five values of this size with their calls, and a
	/// message between nodes or a Bitswap batch has room for one.
	type MaxValueSize = ConstU32<MAX_VALUE_SIZE>;
	type MaxWaiting = ConstU32<10_000>;
	type MustStay = pallet_verifiers::MustStay<Runtime>;
	type Outside = KnownFacts;
	type RequestLifetime = ConstU32<WEEK>;
	type RuntimeHoldReason = RuntimeHoldReason;
	/// The inherent's time is the block's timestamp (H_s) in milliseconds.
	type Time = pallet_timestamp::Pallet<Runtime>;
	type WeightInfo = pallet_data_sharing::weights::SubstrateWeight<Runtime>;
}

/// What the facts pallet knows, as conditions of data sharing see it.
pub struct KnownFacts;

impl pallet_data_sharing::Outside<AccountId> for KnownFacts {
	fn fact(source: &Name, topic: &Name, oldest: Option<u32>) -> pallet_data_sharing::Fact {
		let (value, until) = Facts::fact_until(source, topic, oldest);
		pallet_data_sharing::Fact { value, until }
	}

	fn credential(account: &AccountId, issuer: &AccountId, kind: &Name) -> Option<u64> {
		Facts::credential_until(account, issuer, kind)
	}

	#[cfg(feature = "runtime-benchmarks")]
	fn make_fact(source: &Name, topic: &Name, value: isthmus_conditions::Value) {
		Facts::make_fact(source, topic, &value);
	}
}

/// Carries out what waits in data sharing for a fact or a credential.
pub struct WaitingConditions;

impl pallet_facts::Watcher<AccountId> for WaitingConditions {
	fn weight() -> Weight {
		DataSharing::weight_of_change()
	}

	fn fact_changed(source: &Name, topic: &Name) -> Weight {
		DataSharing::changed(&Cause::Fact(source.clone(), topic.clone()))
	}

	fn source_changed(source: &Name) -> Weight {
		DataSharing::changed(&Cause::Source(source.clone()))
	}

	fn credential_changed(account: &AccountId, issuer: &AccountId, kind: &Name) -> Weight {
		DataSharing::changed(&Cause::Credential {
			account: account.clone(),
			issuer: issuer.clone(),
			kind: kind.clone(),
		})
	}
}

impl pallet_facts::Config for Runtime {
	/// A miner may date its block up to 15 s ahead, and a reporter's clock may differ as well.
	type ClockDrift = ConstU64<60>;
	type Currency = Balances;
	type DepositPerByte = ConstU128<{ UNIT / 10_000 }>;
	type DepositPerItem = ConstU128<{ UNIT / 10 }>;
	type MaxReporters = ConstU32<16>;
	/// The inherent's time is the block's timestamp (H_s) in milliseconds.
	type Time = pallet_timestamp::Pallet<Runtime>;
	type Watcher = WaitingConditions;
	type WeightInfo = pallet_facts::weights::SubstrateWeight<Runtime>;
}

/// The objects of data sharing, as keepers prove them.
pub struct SharedObjects;

impl pallet_keepers::Objects<AccountId> for SharedObjects {
	fn has_dataset(owner: &AccountId, dataset: DatasetId) -> bool {
		pallet_data_sharing::Datasets::<Runtime>::contains_key(owner, dataset)
	}

	fn count(owner: &AccountId, dataset: DatasetId) -> u32 {
		DataSharing::object_count(owner, dataset)
	}

	fn since(owner: &AccountId, dataset: DatasetId) -> u32 {
		DataSharing::objects_since(owner, dataset).unwrap_or_default()
	}

	fn at(owner: &AccountId, dataset: DatasetId, place: u32) -> Option<pallet_keepers::Stored> {
		let (_, object, block) = DataSharing::object_at(owner, dataset, place)?;
		Some(pallet_keepers::Stored {
			length: object.length,
			root: object.root.0,
			block,
		})
	}

	#[cfg(feature = "runtime-benchmarks")]
	fn make(owner: &AccountId, dataset: DatasetId, object: pallet_keepers::Stored) {
		use isthmus_sharing::{object, Dataset, Object, ObjectCount, Payload, Record};
		use pallet_data_sharing::{Datasets, ObjectCounts, Objects, Records};
		let (key, object_block) = (Hash::default(), object.block);
		let entry = Dataset {
			name: Default::default(),
			epoch: 0,
			leaves: 0,
			requests: 0,
			grants: 0,
			closed: false,
			deposit: 0,
		};
		let stored = Object {
			header: [0; object::HEADER_SIZE],
			length: object.length,
			root: object.root.into(),
		};
		let record = Record {
			dataset,
			epoch: 0,
			leaf: 0,
			payload: Payload::Object {
				object: stored,
				block: object_block,
				ordinal: 0,
			},
			deposit: 0,
		};
		Datasets::<Runtime>::insert(owner, dataset, entry);
		let count = ObjectCount { count: 1, since: 0 };
		ObjectCounts::<Runtime>::insert(owner, dataset, count);
		Objects::<Runtime>::insert((owner, dataset, 0), key);
		Records::<Runtime>::insert(owner, key, record);
	}
}

impl pallet_keepers::Config for Runtime {
	type Currency = Balances;
	type DefaultPeriod = ConstU32<KEEPERS_PERIOD>;
	type Deposit = ConstU128<{ 10 * UNIT }>;
	type LeastFund = ConstU128<{ deposit(1, POT_SIZE) }>;
	type MaxKeepers = ConstU32<32>;
	/// A day.
	type MaxMissed = ConstU32<12>;
	type Objects = SharedObjects;
	/// In a period of two hours a hundredth of the pot: in eight days about two thirds of it.
	type PotPeriods = ConstU32<100>;
	type PotsId = PotsId;
	type WeightInfo = pallet_keepers::weights::SubstrateWeight<Runtime>;
}
