// SPDX-License-Identifier: Apache-2.0
//! The built-in chain specifications. A chain specification contains a chain's name and its genesis state.
//! A consortium writes its own: see docs/operations.md.

use crate::{
	changes::{self, Extensions, FaultyChanges},
	files::{announce, read_at_most},
};
use isthmus_primitives::AccountId;
use isthmus_runtime::{genesis::Leftover, MAX_VERIFIERS, WASM_BINARY};
use polkadot_sdk::*;
use sc_executor_common::runtime_blob::RuntimeBlob;
use sc_service::{ChainType, Properties};
use serde::{
	de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
	Deserialize, Deserializer,
};
use serde_json::Value;
use sp_core::crypto::Ss58Codec;
use std::{
	collections::{BTreeMap, BTreeSet},
	fmt, io,
};

/// A chain specification of this node.
pub type ChainSpec = sc_service::GenericChainSpec<Extensions>;

/// The maximum size of a specification's file, in bytes. A raw one has some millions, most of them the runtime, and about
/// 300 for each account in its genesis.
const MAX_SIZE: u64 = 128 * 1024 * 1024;

/// More bytes than any address has.
const LONGEST_ADDRESS: usize = 128;

/// The mark that some editors write at the start of a text in UTF-8. JSON may follow it (RFC 8259, section 8.1).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The same of UTF-16, in one of its two byte orders.
const UTF_16: &[u8] = b"\xff\xfe";

/// The fields of a plain genesis that name accounts.
const BALANCES: &str = "balances.balances";
const SESSION_KEYS: &str = "session.keys";
const SUPERUSER: &str = "sudo.key";

/// Why there is no chain specification to use.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
	/// The command line names no chain.
	#[error(
		"no chain is given: add `--chain FILE` with the specification of your chain, `--dev` for a development \
		 chain of one node, or `--chain local` for the built-in test network, whose keys are public"
	)]
	NotGiven,
	/// There is no such name and no such file.
	#[error(
		"there is no chain specification {0:?}: expected `dev`, `local` or the path of a file"
	)]
	NotFound(String),
	/// The file cannot be read.
	#[error("the chain specification {path} cannot be read: {error}")]
	Unreadable {
		/// The file.
		path: String,
		/// The operating system's error.
		error: io::Error,
	},
	/// The file is larger than any chain specification.
	#[error(
		"{0} is larger than {limit} MiB, and so it is not a chain specification: give `--chain` the file that \
		 `export-chain-spec` wrote", limit = MAX_SIZE / (1024 * 1024)
	)]
	TooLarge(String),
	/// The file is not a chain specification.
	#[error("the file {path} is not a chain specification: {reason}")]
	Malformed {
		/// The file.
		path: String,
		/// What is wrong with it.
		reason: String,
	},
	/// A chain needs at least one verifier, and has room for some.
	#[error(
		"the chain specification {path} names {count} verifiers in `session.keys`: expected 1 to {MAX_VERIFIERS}"
	)]
	Verifiers {
		/// The file.
		path: String,
		/// How many it names.
		count: usize,
	},
	/// The same verifier is named twice.
	#[error("the chain specification {path} names the account or vote key {key} twice in `session.keys`")]
	RepeatedVerifier {
		/// The file.
		path: String,
		/// The account or the vote key.
		key: String,
	},
	/// What is named as an account or a vote key is none. The runtime would not say which.
	#[error(
		"the chain specification {path} names {named:?} in `{field}`, which is not an address: it was mistyped or cut off, or is \
		 in another form. Compare it with the one that its owner gave"
	)]
	Address {
		/// The file.
		path: String,
		/// The field that names it.
		field: &'static str,
		/// What is named.
		named: String,
	},
	/// The same account has two amounts.
	#[error("the chain specification {path} names the account {account} twice in `{BALANCES}`")]
	RepeatedBalance {
		/// The file.
		path: String,
		/// The account.
		account: String,
	},
	/// A change of the rules by height is refused.
	#[error("the chain specification {path}: {error}")]
	Changes {
		/// The file.
		path: String,
		/// What is wrong with it.
		error: FaultyChanges,
	},
	/// A real chain names a superuser.
	#[error(
		"the chain specification {0} is of the type `Live` and names a superuser, whose one key could replace every \
		 rule: set `sudo.key` to null, as the verifiers upgrade a chain, or give a test network another `chainType`"
	)]
	Superuser(String),
	/// The node was built without the built-in specifications' runtime.
	#[error(
		"this node was built without its Wasm runtime: build it again without SKIP_WASM_BUILD, or give the file of a \
		 chain specification"
	)]
	NoRuntime,
	/// The runtime lacks a genesis preset.
	#[error("the runtime has no genesis preset {0}")]
	NoPreset(&'static str),
}

/// Loads a built-in specification by name (`dev` or `local`), or any other from the file at this path.
///
/// # Errors
///
/// Returns an error if the name is empty, if the node was built without its Wasm runtime, if the file
/// cannot be read, if it names no verifier or too many of them, if an account in it is not an address, if a change of its rules is
/// faulty, or if it is a real chain with a superuser.
pub fn load(id: &str) -> Result<ChainSpec, SpecError> {
	match id {
		"" => Err(SpecError::NotGiven),
		"dev" => development(),
		"local" => local(),
		path => from_file(path),
	}
}

/// Returns a warning about the values of a real chain that are those of the presets for development, and can never be changed;
/// `None` if it has none. `state` returns an entry of the chain's state.
pub fn leftovers(state: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<String> {
	let found: Vec<_> = isthmus_runtime::genesis::leftovers(state)
		.into_iter()
		.map(|left| {
			let Leftover {
				field,
				value,
				default,
			} = left;
			format!("`{field}` {value} (by default {default})")
		})
		.collect();
	(!found.is_empty()).then(|| {
		format!(
			"this chain is of the type `Live`, and has values for development, too small for a real chain, which can never be \
			 changed once it has started: {}. Set them in its specification, or leave the fields out, and make the raw \
			 specification again (docs/operations.md)",
			found.join(", ")
		)
	})
}

/// Returns the warning of [`leftovers`] about a raw specification.
pub fn raw_leftovers(spec: &str) -> Option<String> {
	let spec: Value = serde_json::from_str(spec).ok()?;
	let top = &spec["genesis"]["raw"]["top"];
	leftovers(|key| {
		let entry = top.get(format!("0x{}", hex::encode(key)))?;
		hex::decode(entry.as_str()?.strip_prefix("0x")?).ok()
	})
}

/// The parts of a specification's file that are checked before the runtime builds the genesis state, where a
/// fault would be a panic. Those that are only named here are read by `sc_chain_spec`, which passes over all others: a
/// misspelt `plannedChanges` would leave the chain without them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Outline {
	chain_type: Option<ChainType>,
	genesis: Genesis,
	#[serde(default)]
	planned_changes: Vec<Value>,
	#[serde(rename = "name")]
	_name: Option<IgnoredAny>,
	#[serde(rename = "id")]
	_id: Option<IgnoredAny>,
	#[serde(rename = "bootNodes")]
	_boot_nodes: Option<IgnoredAny>,
	#[serde(rename = "telemetryEndpoints")]
	_telemetry_endpoints: Option<IgnoredAny>,
	#[serde(rename = "protocolId")]
	_protocol_id: Option<IgnoredAny>,
	#[serde(rename = "forkId")]
	_fork_id: Option<IgnoredAny>,
	#[serde(rename = "properties")]
	_properties: Option<IgnoredAny>,
	#[serde(rename = "consensusEngine")]
	_consensus_engine: Option<IgnoredAny>,
	#[serde(rename = "codeSubstitutes")]
	_code_substitutes: Option<IgnoredAny>,
}

/// A genesis in its plain or in its raw form. A hash of its state is left to `sc_chain_spec`, which refuses it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Genesis {
	runtime_genesis: Option<RuntimeGenesis>,
	raw: Option<RawGenesis>,
	#[serde(rename = "stateRootHash")]
	_state_root_hash: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct RawGenesis {
	/// The entries.
	#[serde(deserialize_with = "raw_entries")]
	top: BTreeMap<String, String>,
	/// Those below the entries of the state, which are only checked.
	#[serde(rename = "childrenDefault", default, deserialize_with = "raw_children")]
	_children: (),
}

impl RawGenesis {
	/// Returns the value of an entry, whose key may have digits of either case.
	fn entry(&self, key: impl AsRef<[u8]>) -> Option<&String> {
		let key = format!("0x{}", hex::encode(key));
		let mut entries = self.top.iter();
		let found = entries.find(|(other, _)| other.eq_ignore_ascii_case(&key));
		found.map(|(_, value)| value)
	}
}

/// Reads the entries of a raw genesis. The framework would add a digit that is missing, which makes another chain.
fn raw_entries<'de, D: Deserializer<'de>>(
	deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
	let entries = BTreeMap::<String, String>::deserialize(deserializer)?;
	let mut seen = BTreeSet::new();
	for (key, value) in &entries {
		check_entry::<D::Error>("top", key, &[key, value])?;
		if !seen.insert(key.to_ascii_lowercase()) {
			// Only one of them would count.
			return Err(D::Error::custom(format!(
				"it is damaged. {AGAIN}. `genesis.raw.top` has the entry {key} twice, with digits in different cases"
			)));
		}
	}
	Ok(entries)
}

/// Reads the entries of a raw genesis that are below others.
fn raw_children<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
	const FIELD: &str = "childrenDefault";
	let children = BTreeMap::<String, BTreeMap<String, String>>::deserialize(deserializer)?;
	for (child, entries) in &children {
		check_entry::<D::Error>(FIELD, child, &[child])?;
		for (key, value) in entries {
			check_entry::<D::Error>(FIELD, key, &[key, value])?;
		}
	}
	Ok(())
}

/// Checks that the texts of an entry are whole bytes in hexadecimal digits.
fn check_entry<E: serde::de::Error>(field: &str, key: &str, texts: &[&String]) -> Result<(), E> {
	let is_whole = |text: &&String| {
		let digits = text.strip_prefix("0x");
		digits.is_some_and(|digits| hex::decode(digits).is_ok())
	};
	match texts.iter().all(is_whole) {
		true => Ok(()),
		false => Err(E::custom(format!(
			"it is damaged. {AGAIN}. Expected 0x and two hexadecimal digits for each byte in the entry {key} of `genesis.raw.{field}`"
		))),
	}
}

/// What to do about a specification that is damaged.
const AGAIN: &str =
	"Get the file again from who made it, or make it again with `export-chain-spec`";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuntimeGenesis {
	patch: Option<Config>,
	config: Option<Config>,
	code: Option<String>,
}

/// What the runtime makes a state of. It refuses what it does not know.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
	balances: Option<Balances>,
	proof_of_work: Option<ProofOfWork>,
	session: Option<Session>,
	sudo: Option<Sudo>,
}

#[derive(Deserialize)]
struct ProofOfWork {
	parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
	#[serde(default)]
	changes: Vec<Value>,
	#[serde(rename = "genesisDifficulty")]
	_genesis_difficulty: Option<Hexadecimal>,
	#[serde(rename = "minimumDifficulty")]
	_minimum_difficulty: Option<Hexadecimal>,
}

/// A number that the runtime takes for a hexadecimal one, even if it is written as a decimal one.
struct Hexadecimal;

impl<'de> Deserialize<'de> for Hexadecimal {
	fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
		let value = Value::deserialize(deserializer)?;
		match changes::not_hexadecimal(&value) {
			Some(fault) => Err(D::Error::custom(fault)),
			None => Ok(Self),
		}
	}
}

#[derive(Deserialize)]
struct Balances {
	balances: Option<Vec<(String, Amount)>>,
}

/// An amount, which the runtime takes only as a number. It would not say which one is in quotes.
struct Amount;

impl<'de> Deserialize<'de> for Amount {
	fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
		let value = Value::deserialize(deserializer)?;
		match value.is_number() {
			true => Ok(Self),
			false => Err(D::Error::custom(format!(
				"expected an amount in digits without quotes, in the smallest unit, and found {value}"
			))),
		}
	}
}

#[derive(Deserialize)]
struct Sudo {
	key: Option<String>,
}

#[derive(Deserialize)]
struct Session {
	keys: Option<Vec<(String, String, SessionKeys)>>,
}

/// The runtime would pass over other keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionKeys {
	grandpa: String,
}

fn from_file(path: &str) -> Result<ChainSpec, SpecError> {
	let text = match read(path) {
		Ok(text) => text,
		Err(error) if error.kind() == io::ErrorKind::NotFound => {
			return Err(SpecError::NotFound(path.into()))
		}
		Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
			return Err(SpecError::TooLarge(path.into()))
		}
		Err(error) => {
			return Err(SpecError::Unreadable {
				path: path.into(),
				error,
			})
		}
	};
	let malformed = |reason| SpecError::Malformed {
		path: path.into(),
		reason,
	};
	if [UTF_16, &[UTF_16[1], UTF_16[0]]]
		.iter()
		.any(|mark| text.starts_with(mark))
	{
		return Err(malformed("it is UTF-16: save it as UTF-8".into()));
	}
	let text = match text.strip_prefix(BYTE_ORDER_MARK) {
		Some(rest) => rest.to_vec(),
		None => text,
	};
	if matches!(text.trim_ascii_start().first(), Some(b'"' | b'[')) {
		// The library would repeat what is in it.
		let words = "expected an object in JSON, and not a text or a list";
		return Err(malformed(words.into()));
	}
	let outline: Outline =
		serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
	check_forms(&outline).map_err(malformed)?;
	check_code(&outline).map_err(malformed)?;
	check_numbers(&text).map_err(malformed)?;
	check_superuser(path, &outline)?;
	check_changes(path, &outline)?;
	check_accounts(path, &outline)?;
	check_verifiers(path, outline)?;
	ChainSpec::from_json_bytes(text).map_err(malformed)
}

/// Reads the file of a specification.
fn read(path: &str) -> io::Result<Vec<u8>> {
	announce("the chain specification", path.as_ref());
	read_at_most(path, MAX_SIZE)
}

impl Genesis {
	/// Returns the values of a plain genesis.
	fn config(&self) -> Option<&Config> {
		let plain = self.runtime_genesis.as_ref()?;
		plain.patch.as_ref().or(plain.config.as_ref())
	}
}

/// Checks that a genesis has one form. Of several, other code might take another one than the checks here.
fn check_forms(Outline { genesis, .. }: &Outline) -> Result<(), String> {
	let plain = genesis.runtime_genesis.as_ref();
	let forms = match plain {
		Some(_) if genesis.raw.is_some() => "`runtimeGenesis` and `raw`",
		Some(plain) if plain.patch.is_some() && plain.config.is_some() => "`patch` and `config`",
		_ => return Ok(()),
	};
	Err(format!(
		"its genesis has both {forms}: leave one of them out"
	))
}

/// Checks that a raw genesis has a runtime, and that the runtime can be read. The framework would name neither file nor field.
fn check_code(Outline { genesis, .. }: &Outline) -> Result<(), String> {
	const CODE: &[u8] = b":code";
	let (code, place) = match (&genesis.raw, &genesis.runtime_genesis) {
		(Some(raw), _) => {
			let place = format!("the entry 0x{} of `raw.top`", hex::encode(CODE));
			let Some(code) = raw.entry(CODE) else {
				return Err(format!(
					"its genesis has no runtime, which is {place}. {AGAIN}"
				));
			};
			(code, place)
		}
		(
			None,
			Some(RuntimeGenesis {
				code: Some(code), ..
			}),
		) => (code, "`runtimeGenesis.code`".into()),
		_ => return Ok(()),
	};
	let digits = code.strip_prefix("0x").unwrap_or(code);
	let is_runtime = |code: Vec<u8>| RuntimeBlob::uncompress_if_needed(&code).is_ok();
	match hex::decode(digits).is_ok_and(is_runtime) {
		true => Ok(()),
		false => Err(format!(
			"the runtime of its genesis, which is {place}, is damaged: it cannot be decompressed, or is not WebAssembly. {AGAIN}"
		)),
	}
}

/// Checks that the numbers of a plain genesis are whole, as the runtime needs them. A program that takes every number for a
/// floating-point one writes large ones with an exponent.
fn check_numbers(text: &[u8]) -> Result<(), String> {
	let Err(error) = serde_json::from_slice::<Numbers>(text) else {
		return Ok(());
	};
	let said = error.to_string();
	let number = said.split(' ').next().unwrap_or_default();
	let hint = match number.contains(['e', 'E']) {
		true => {
			". A program that rewrote the file, as jq 1.6 does, has written a large number with an exponent: write its digits \
			 again, as in the file before, and change the file with an editor or another program"
		}
		false => "",
	};
	Err(format!(
		"expected a whole number in digits, and found {said}{hint}"
	))
}

/// The numbers of a specification that are checked.
#[derive(Deserialize)]
struct Numbers {
	#[serde(rename = "genesis")]
	_genesis: GenesisNumbers,
}

#[derive(Deserialize)]
struct GenesisNumbers {
	#[serde(rename = "runtimeGenesis")]
	_runtime_genesis: Option<RuntimeNumbers>,
}

#[derive(Deserialize)]
struct RuntimeNumbers {
	#[serde(rename = "patch")]
	_patch: Option<Whole>,
	#[serde(rename = "config")]
	_config: Option<Whole>,
}

/// A value in which every number is whole. Otherwise its error is the number.
struct Whole;

impl<'de> Deserialize<'de> for Whole {
	fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
		deserializer.deserialize_any(Self)
	}
}

impl<'de> Visitor<'de> for Whole {
	type Value = Self;

	fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
		f.write_str("a value with whole numbers")
	}

	fn visit_unit<E>(self) -> Result<Self, E> {
		Ok(self)
	}

	fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
		Ok(self)
	}

	fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
		Ok(self)
	}

	fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
		Ok(self)
	}

	fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Self, E> {
		Err(E::custom(format!("{number:e}")))
	}

	fn visit_str<E>(self, _: &str) -> Result<Self, E> {
		Ok(self)
	}

	fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
		while items.next_element::<Self>()?.is_some() {}
		Ok(self)
	}

	fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self, A::Error> {
		while let Some(field) = fields.next_key::<String>()? {
			if field != NUMBER {
				fields.next_value::<Self>()?;
				continue;
			}
			let number: String = fields.next_value()?;
			if number.contains(['.', 'e', 'E']) {
				return Err(A::Error::custom(number));
			}
		}
		Ok(self)
	}
}

/// The name of the only field of what `serde_json` makes of a number that 64 bits cannot hold.
const NUMBER: &str = "$serde_json::private::Number";

/// Checks the changes of the rules. Those of a raw genesis are checked when its chain is opened.
fn check_changes(path: &str, outline: &Outline) -> Result<(), SpecError> {
	let pow = outline
		.genesis
		.config()
		.and_then(|config| config.proof_of_work.as_ref());
	let parameters = pow.and_then(|pow| pow.parameters.as_ref());
	let genesis = parameters.map_or(&[][..], |parameters| &parameters.changes);
	changes::check(genesis, &outline.planned_changes).map_err(|error| SpecError::Changes {
		path: path.into(),
		error,
	})
}

/// Checks that a real chain has no superuser.
fn check_superuser(
	path: &str,
	Outline {
		chain_type,
		genesis,
		..
	}: &Outline,
) -> Result<(), SpecError> {
	let sudo = genesis.config().and_then(|config| config.sudo.as_ref());
	let named = sudo.is_some_and(|sudo| sudo.key.is_some());
	let raw = genesis.raw.as_ref();
	let superuser = isthmus_runtime::genesis::superuser_key();
	let stored = raw.is_some_and(|raw| raw.entry(superuser).is_some());
	match chain_type {
		// The type `Live` is the default of a specification that names none.
		Some(ChainType::Live) | None if named || stored => Err(SpecError::Superuser(path.into())),
		_ => Ok(()),
	}
}

/// Checks the accounts of a plain specification that have funds or are the superuser: the runtime does not say which of them is
/// mistyped, nor which is named twice.
fn check_accounts(path: &str, Outline { genesis, .. }: &Outline) -> Result<(), SpecError> {
	let Some(config) = genesis.config() else {
		return Ok(());
	};
	if let Some(key) = config.sudo.as_ref().and_then(|sudo| sudo.key.as_ref()) {
		check_address(path, SUPERUSER, key)?;
	}
	let balances = config.balances.as_ref();
	let funded = balances.and_then(|balances| balances.balances.as_ref());
	let mut seen = BTreeSet::new();
	for (account, _) in funded.into_iter().flatten() {
		check_address(path, BALANCES, account)?;
		if !seen.insert(account) {
			return Err(SpecError::RepeatedBalance {
				path: path.into(),
				account: account.clone(),
			});
		}
	}
	Ok(())
}

/// Checks that a text is an address, of an account or a vote key.
fn check_address(path: &str, field: &'static str, named: &str) -> Result<(), SpecError> {
	// To decode a text takes the square of its length.
	let is_short = named.len() <= LONGEST_ADDRESS;
	match is_short && AccountId::from_ss58check(named).is_ok() {
		true => Ok(()),
		false => Err(SpecError::Address {
			path: path.into(),
			field,
			named: named.into(),
		}),
	}
}

/// Checks the verifiers of a plain specification. Those of a raw one are checked when its chain is opened.
fn check_verifiers(path: &str, outline: Outline) -> Result<(), SpecError> {
	let genesis = outline.genesis.runtime_genesis;
	let config = genesis.and_then(|genesis| genesis.patch.or(genesis.config));
	let session = config.and_then(|config| config.session);
	let Some(keys) = session.and_then(|session| session.keys) else {
		return Ok(());
	};
	if !(1..=MAX_VERIFIERS as usize).contains(&keys.len()) {
		return Err(SpecError::Verifiers {
			path: path.into(),
			count: keys.len(),
		});
	}
	let mut seen = BTreeSet::new();
	for (account, verifier, keys) in keys {
		// Both are the same account.
		check_address(path, SESSION_KEYS, &verifier)?;
		for key in [account, keys.grandpa] {
			check_address(path, SESSION_KEYS, &key)?;
			if let Some(key) = seen.replace(key) {
				return Err(SpecError::RepeatedVerifier {
					path: path.into(),
					key,
				});
			}
		}
	}
	Ok(())
}

/// The development chain: one verifier, Alice, and blocks on demand.
fn development() -> Result<ChainSpec, SpecError> {
	build(
		"Isthmus Development",
		"isthmus_dev",
		ChainType::Development,
		sp_genesis_builder::DEV_RUNTIME_PRESET,
	)
}

/// The local test network: four verifiers, Alice to Dave, on one machine.
fn local() -> Result<ChainSpec, SpecError> {
	build(
		"Isthmus Local Network",
		"isthmus_local",
		ChainType::Local,
		sp_genesis_builder::LOCAL_TESTNET_RUNTIME_PRESET,
	)
}

fn build(
	name: &str,
	id: &str,
	kind: ChainType,
	preset: &'static str,
) -> Result<ChainSpec, SpecError> {
	let wasm = WASM_BINARY.ok_or(SpecError::NoRuntime)?;
	// The native runtime returns the preset at once. The Wasm runtime would first have to be compiled.
	let genesis = isthmus_runtime::genesis::preset(&preset.into())
		.and_then(|json| serde_json::from_slice(&json).ok())
		.ok_or(SpecError::NoPreset(preset))?;
	let mut properties = Properties::new();
	properties.insert("tokenSymbol".into(), "IST".into());
	properties.insert("tokenDecimals".into(), isthmus_primitives::DECIMALS.into());
	properties.insert("ss58Format".into(), 42.into());
	Ok(ChainSpec::builder(wasm, Extensions::default())
		.with_name(name)
		.with_id(id)
		.with_chain_type(kind)
		.with_protocol_id("isthmus")
		.with_properties(properties)
		.with_genesis_config_patch(genesis)
		.build())
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_number_with_an_exponent_is_found() {
		let spec = |number: &str| {
			format!(
				"{{\n\"properties\": {{\"a\": 0.5}},\n\"genesis\": {{\"runtimeGenesis\": {{\"patch\": {{\n\"balances\": [[\"x\", \
				 null, {number}]]}}}}}}}}"
			)
		};
		let check = |number| check_numbers(spec(number).as_bytes());
		for whole in [
			"1",
			"-1",
			"1000000000000000000",
			"5000000000000000000000",
			"true",
		] {
			assert_eq!(check(whole), Ok(()));
		}
		for exponent in ["1e+18", "1E18"] {
			let said = check(exponent).unwrap_err();
			assert!(
				said.contains("found 1")
					&& said.contains(" at line 4 column ")
					&& said.contains("jq 1.6"),
				"{said}"
			);
		}
		let said = check("0.5").unwrap_err();
		assert!(
			said.contains(" at line 4 ") && !said.contains("jq"),
			"{said}"
		);
	}
}
