// SPDX-License-Identifier: Apache-2.0
//! The genesis presets. Their accounts' keys are public, so they are for development only: a real chain
//! defines its own genesis.

use crate::{
	BalancesConfig, DataSharingConfig, KeepersConfig, ProofOfWorkConfig, Runtime,
	RuntimeGenesisConfig, SessionConfig, SessionKeys, SudoConfig, VerifiersConfig,
};
use alloc::{vec, vec::Vec};
use codec::Decode;
use frame_support::{build_struct_json_patch, traits::Get};
use isthmus_primitives::{
	params::{ChainParameters, DifficultyRule, EthashSizes, DEFAULT_MINIMUM_DIFFICULTY},
	Balance, BlockNumber, UNIT,
};
use isthmus_sharing::terms::{DISPUTE_WINDOW, LONGEST_DISPUTE_WINDOW};
use pallet_verifiers::GovernmentDelays;
use polkadot_sdk::*;
use serde_json::Value;
use sp_genesis_builder::{PresetId, DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

/// The balance of each development account.
const ENDOWMENT: Balance = 1_000_000 * UNIT;
/// The difficulty (H_d) of every block of the development preset, low enough that a seal is found at once.
const DEVELOPMENT_DIFFICULTY: u64 = 1024;
/// The difficulty (H_d) of the local preset's genesis block: a few seconds of work for a few threads. Later
/// blocks adjust it up or down, but not below the minimum, D_0.
const LOCAL_GENESIS_DIFFICULTY: u64 = 4 * DEFAULT_MINIMUM_DIFFICULTY;
/// The gas limit (H_l) of the genesis block. It equals the static limit on a block's weight.
const GENESIS_GAS_LIMIT: u64 = 20_000_000;
/// The number of blocks in a session of the development preset.
const DEVELOPMENT_SESSION_BLOCKS: BlockNumber = 50;
/// The number of blocks in a session of the local preset. There are few, so that a change of verifiers
/// takes effect soon.
const LOCAL_SESSION_BLOCKS: BlockNumber = 10;
/// The delay of every decision of the verifiers, in blocks. A real chain has the pallet's defaults, from two hours to a
/// week.
const GOVERNMENT_DELAY: BlockNumber = 20;
/// The number of blocks in a period, in which keepers prove once. A real chain has the runtime's default of two hours.
const KEEPERS_PERIOD: BlockNumber = 20;

/// Returns the names of the presets.
pub fn preset_names() -> Vec<PresetId> {
	vec![
		PresetId::from(DEV_RUNTIME_PRESET),
		PresetId::from(LOCAL_TESTNET_RUNTIME_PRESET),
	]
}

/// Returns the preset with this name, as JSON.
pub fn preset(id: &PresetId) -> Option<Vec<u8>> {
	let patch = match id.as_ref() {
		DEV_RUNTIME_PRESET => development(),
		LOCAL_TESTNET_RUNTIME_PRESET => local(),
		_ => return None,
	};
	serde_json::to_vec(&patch).ok()
}

/// Returns the key of the superuser's entry in the state.
pub fn superuser_key() -> [u8; 32] {
	pallet_sudo::Key::<Runtime>::hashed_key()
}

/// A value that a preset for development gave a chain.
pub struct Leftover {
	/// The field of the specification.
	pub field: &'static str,
	/// What the chain has.
	pub value: u32,
	/// The value of a chain whose specification lacks the field.
	pub default: u32,
}

/// Returns the values of a chain that the presets chose for quick tests, and that cannot be changed after genesis. `state` returns
/// an entry of the chain's state.
pub fn leftovers(state: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Vec<Leftover> {
	let number = |key: [u8; 32]| u32::decode(&mut &state(&key)?[..]).ok();
	let delays = || {
		let stored = state(&pallet_verifiers::Delays::<Runtime>::hashed_key())?;
		GovernmentDelays::<BlockNumber>::decode(&mut &stored[..]).ok()
	};
	let (delays, usual) = (delays(), GovernmentDelays::<BlockNumber>::default());
	let delay = |of: fn(&GovernmentDelays<BlockNumber>) -> BlockNumber| {
		(delays.as_ref().map(of), GOVERNMENT_DELAY, of(&usual))
	};
	let fields = [
		(
			"verifiers.sessionBlocks",
			(
				number(pallet_verifiers::SessionLength::<Runtime>::hashed_key()),
				LOCAL_SESSION_BLOCKS,
				DEVELOPMENT_SESSION_BLOCKS,
			),
		),
		("verifiers.upgradeDelay", delay(|delays| delays.upgrade)),
		("verifiers.stalledBlocks", delay(|delays| delays.stalled)),
		("verifiers.restartDelay", delay(|delays| delays.restart)),
		("verifiers.forcedDelay", delay(|delays| delays.forced)),
		(
			"dataSharing.longestWindow",
			(
				number(pallet_data_sharing::LongestWindow::<Runtime>::hashed_key()),
				DISPUTE_WINDOW,
				LONGEST_DISPUTE_WINDOW,
			),
		),
		(
			"keepers.periodLength",
			(
				number(pallet_keepers::PeriodLength::<Runtime>::hashed_key()),
				KEEPERS_PERIOD,
				<Runtime as pallet_keepers::Config>::DefaultPeriod::get(),
			),
		),
	];
	fields
		.into_iter()
		.filter_map(|(field, (value, development, default))| {
			let value = value.filter(|value| *value == development)?;
			Some(Leftover {
				field,
				value,
				default,
			})
		})
		.collect()
}

/// Returns the development preset: one verifier, Alice, and the same small difficulty in every block.
fn development() -> Value {
	let parameters = ChainParameters {
		ethash: EthashSizes::Development,
		difficulty_rule: DifficultyRule::Fixed,
		minimum_difficulty: DEVELOPMENT_DIFFICULTY.into(),
		genesis_difficulty: DEVELOPMENT_DIFFICULTY.into(),
		genesis_gas_limit: GENESIS_GAS_LIMIT,
		..Default::default()
	};
	genesis(
		parameters,
		DEVELOPMENT_SESSION_BLOCKS,
		&[(Sr25519Keyring::Alice, Ed25519Keyring::Alice)],
	)
}

/// Returns the local preset: four verifiers, Alice to Dave, of which one may be offline, and Homestead's
/// difficulty.
fn local() -> Value {
	let parameters = ChainParameters {
		ethash: EthashSizes::Development,
		difficulty_rule: DifficultyRule::Homestead { bomb: false },
		minimum_difficulty: DEFAULT_MINIMUM_DIFFICULTY.into(),
		genesis_difficulty: LOCAL_GENESIS_DIFFICULTY.into(),
		genesis_gas_limit: GENESIS_GAS_LIMIT,
		..Default::default()
	};
	genesis(
		parameters,
		LOCAL_SESSION_BLOCKS,
		&[
			(Sr25519Keyring::Alice, Ed25519Keyring::Alice),
			(Sr25519Keyring::Bob, Ed25519Keyring::Bob),
			(Sr25519Keyring::Charlie, Ed25519Keyring::Charlie),
			(Sr25519Keyring::Dave, Ed25519Keyring::Dave),
		],
	)
}

/// Returns a genesis with all development accounts endowed, Alice as the superuser, sessions of
/// `session_blocks` blocks, and these verifiers' accounts and GRANDPA keys.
fn genesis(
	parameters: ChainParameters,
	session_blocks: BlockNumber,
	verifiers: &[(Sr25519Keyring, Ed25519Keyring)],
) -> Value {
	build_struct_json_patch!(RuntimeGenesisConfig {
		balances: BalancesConfig {
			balances: Sr25519Keyring::well_known()
				.map(|account| (account.to_account_id(), ENDOWMENT))
				.collect(),
		},
		data_sharing: DataSharingConfig {
			longest_window: DISPUTE_WINDOW
		},
		keepers: KeepersConfig {
			period_length: KEEPERS_PERIOD
		},
		proof_of_work: ProofOfWorkConfig { parameters },
		session: SessionConfig {
			keys: verifiers
				.iter()
				.map(|(account, voter)| {
					let account = account.to_account_id();
					(
						account.clone(),
						account,
						SessionKeys {
							grandpa: voter.public().into(),
						},
					)
				})
				.collect(),
		},
		sudo: SudoConfig {
			key: Some(Sr25519Keyring::Alice.to_account_id())
		},
		verifiers: VerifiersConfig {
			session_blocks,
			upgrade_delay: GOVERNMENT_DELAY,
			stalled_blocks: GOVERNMENT_DELAY,
			restart_delay: GOVERNMENT_DELAY,
			forced_delay: GOVERNMENT_DELAY,
		},
	})
}
