// SPDX-License-Identifier: Apache-2.0
//! What a client believes of a node, and what it remembers of chains between two runs: which chain an address
//! led to, and the newest finalized block of each chain.
//!
//! The first use of an address decides which chain it leads to, unless the user names the chain by the hash of
//! its first block. From then on, another chain at that address is refused, and at those that are given with it.

use crate::{
	file,
	layout::Difference,
	text::{from_hex, io_words, to_hex},
	wait::Standstill,
};
use isthmus_envelope::paths::ShowPath;
use isthmus_envelope::{
	input,
	key_file::is_utf16,
	newer::{is_newer, NewerFile},
};
use isthmus_light::{genesis_hash, BlockNumber, Finality};
use isthmus_objects::Trouble;

pub use isthmus_light::{FinalityError, ProofError};
use std::{
	fmt, fs,
	io::{self, Read, Write},
	path::{Path, PathBuf},
	time::Duration,
};
use subxt::utils::H256;

/// The file of the chains that addresses led to: an address and a hash on each line, like `known_hosts` of SSH.
const KNOWN_CHAINS: &str = "known-chains";
/// What the first line of such a file in a newer format begins with. This format has no such line.
const NEWER_CHAINS: (&str, u32) = ("isthmus-known-chains-", 1);
/// What happens without it.
const LOST: &str = "the node at each address is believed again about which chain it is on";
/// How old the newest finalized block may be before the user is told.
pub(crate) const OLD: Duration = Duration::from_secs(15 * 60);

/// What a client believes of its node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
	/// The hash of the chain's first block. Without it, the client believes the node the first time, and what it
	/// remembers after that.
	pub genesis: Option<[u8; 32]>,
	/// The folder in which the client remembers chains. Without it, the client remembers nothing.
	pub memory: Option<PathBuf>,
	/// Whether to believe the node without proofs. Only for a node on the same machine.
	pub node: bool,
}

impl Trust {
	/// Returns an address at which the client remembers this chain, if it remembers one.
	///
	/// # Errors
	///
	/// Returns an error if the memory cannot be read.
	pub fn address_of(&self, genesis: &[u8; 32]) -> io::Result<Option<String>> {
		let memory = self.memory.as_deref().map(Memory::in_folder);
		memory.map_or(Ok(None), |memory| memory.address_of(genesis))
	}
}

/// Why the client does not believe what a node says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unproven {
	/// The node has another chain than the one that was chosen, and no other address leads to a node of the right one.
	#[error("WrongGenesis: {node}{others}")]
	WrongGenesis {
		/// The node.
		node: Box<OtherChain>,
		/// What is wrong with each of the other addresses, after `; `. Empty if there are none.
		others: String,
	},
	/// Two addresses led to different chains before: each address, and the hash of its chain's first block.
	#[error("WrongGenesis: {} led to the chain that begins with block {}, and {} to the one that begins with {}", .0[0].0, to_hex(&.0[0].1), .0[1].0, to_hex(&.0[1].1))]
	TwoChains(Box<[(String, [u8; 32]); 2]>),
	/// The finalized block is not proven.
	#[error(transparent)]
	Finality(#[from] FinalityError),
	/// An entry of the state is not proven.
	#[error(transparent)]
	Proof(#[from] ProofError),
	/// The chain keeps its data in a way that this program does not know.
	#[error("the chain keeps {kept} in version {found}, and this program knows version {known}")]
	UnknownStorage {
		/// What is kept in that version.
		kept: &'static str,
		/// The chain's version.
		found: u16,
		/// The version that this program knows.
		known: u16,
	},
	/// What the node showed is not in the finalized state.
	#[error("Forged: {0}, as the node showed it, is not in the chain's finalized state")]
	Forged(String),
	/// The node's metadata gives what would be signed another layout than this program knows, and the finalized state has no
	/// other runtime that could explain it. Nothing was signed. Connect again, to another node: a [`Client`](crate::Client)
	/// keeps the metadata that it has. If only the transaction version differs, an upgrade may not be final yet.
	#[error("FalseMetadata: nothing was signed, because the node's metadata has for {}{}", .0, .0.unless())]
	FalseMetadata(Box<Difference>),
	/// The node is not on the same machine.
	#[error("only a node on this machine can be trusted without proofs")]
	NotLocal,
}

/// A node that has another chain than the one that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherChain {
	/// The node's address.
	pub url: String,
	/// How the chain was chosen.
	pub chosen: Chosen,
	/// The hash of the chosen chain's first block.
	pub expected: [u8; 32],
	/// The hash of the node's first block.
	pub found: [u8; 32],
}

impl fmt::Display for OtherChain {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(
			f,
			"the chain at {} begins with block {}, but the one that was {} begins with {}",
			self.url,
			to_hex(&self.found),
			self.chosen,
			to_hex(&self.expected)
		)
	}
}

/// How a chain was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
	/// By the caller.
	Named,
	/// By the first use of this address, or of another one that was given with it.
	Remembered,
	/// By the first node that answered.
	Reached,
}

impl fmt::Display for Chosen {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::Named => "named",
			Self::Remembered => "used before",
			Self::Reached => "reached first",
		})
	}
}

/// What a client tells its user about the trust in a node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
	/// The address was used for the first time. From now on it must lead to this chain.
	FirstUse {
		/// The address.
		url: String,
		/// The hash of the chain's first block.
		genesis: [u8; 32],
	},
	/// The newest finalized block that the node proves is old.
	OldHead {
		/// The block's number.
		number: BlockNumber,
		/// How old it is.
		age: Duration,
	},
	/// A node lies or lags, and another one is asked instead.
	Left {
		/// The node's address.
		url: String,
		/// What is wrong with what it says.
		reason: String,
	},
	/// A node has another chain than the one that was chosen, and another node is asked instead.
	OtherChain(OtherChain),
	/// No node can be used at an address, and why. Another node is asked instead.
	PassedOver(String),
	/// What was learned about the chain cannot be kept on the disk, and why.
	NotRemembered(String),
	/// Only development accounts vote on the chain, and the node is not on this machine.
	Development {
		/// The address.
		url: String,
	},
	/// The node has not answered a request for this time.
	NoAnswer(Duration),
	/// Blocks come, but none is finalized.
	Standstill(Standstill),
	/// After that, blocks are finalized again, up to this one.
	FinalizedAgain(BlockNumber),
	/// The connection was lost, and why. What was asked goes on over a new one.
	Reconnecting(String),
	/// The folder that objects go to has nothing in it, and the dataset has objects: a disk may not be mounted.
	EmptyLocation {
		/// The location's address.
		url: String,
		/// How many objects the dataset has.
		objects: u32,
	},
	/// The store of a location has not answered properly for a while, and is asked again.
	AskedAgain {
		/// The location's address.
		url: String,
		/// What is wrong with its answers.
		trouble: Trouble,
	},
	/// An upload that was interrupted is not resumed, because the machine was started again since: what was noted last may be lost.
	BeginsAgain,
	/// Programs of this user that use the same account, or fetch to the same output, do not take turns.
	NoTurns {
		/// Why.
		reason: String,
		/// Whether the disk of the lock files is full.
		is_full: bool,
	},
}

impl Notice {
	/// Returns what to tell of a chain on which only development accounts vote. Nothing if the node is on this machine,
	/// where such chains belong.
	pub(crate) fn of_development(url: &str) -> Option<Self> {
		let url = url.to_owned();
		(!is_local(&url)).then_some(Self::Development { url })
	}
}

impl fmt::Display for Notice {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::FirstUse { url, genesis } => write!(
				f,
				"{url} leads to the chain that begins with block {}. From now on, another chain at this address is refused",
				to_hex(genesis)
			),
			Self::OldHead { number, age } => write!(
				f,
				"warning: the newest finalized block that the node proves is {number}, {} minutes old by this machine's clock. What came later is not seen",
				age.as_secs() / 60
			),
			Self::Left { url, reason } => {
				write!(f, "warning: {url} is left for another node: {reason}")
			}
			Self::OtherChain(node) => write!(
				f,
				"warning: another node is asked: {node}. Leave that address out or, if its chain is the right one, name that chain by the hash of its first block"
			),
			Self::PassedOver(reason) => write!(f, "warning: another node is asked: {reason}"),
			Self::NotRemembered(reason) => write!(
				f,
				"warning: the chain cannot be remembered, so the next command believes the node again: {reason}"
			),
			Self::Development { url } => write!(
				f,
				"warning: only development accounts vote on the chain at {url}. Their secrets are public, so any server there can prove anything"
			),
			Self::EmptyLocation { url, objects } => write!(
				f,
				"warning: there is nothing at {url}, although the dataset has objects ({objects}): is its disk mounted?"
			),
			Self::AskedAgain { url, trouble } => {
				write!(f, "{url} {trouble}: it is asked again")
			}
			Self::NoAnswer(since) => {
				write!(
					f,
					"the node has not answered for {} s: it may be busy, or limit how often it is called (`--rpc-rate-limit`)",
					since.as_secs()
				)
			}
			Self::Standstill(standstill) => write!(f, "{standstill}"),
			Self::FinalizedAgain(number) => {
				write!(f, "blocks are finalized again, up to block {number}")
			}
			Self::Reconnecting(reason) => write!(f, "{reason}; reconnecting"),
			Self::BeginsAgain => f.write_str(
				"the machine was restarted after this upload was interrupted, and its disk may lack what was noted last: the upload begins again, and what arrived before is deleted",
			),
			Self::NoTurns { reason, is_full } => {
				let remedy = match is_full {
					true => "free some space on that disk",
					false => "let this user write to $HOME/.local/state/isthmus on a disk with locks",
				};
				write!(
					f,
					"warning: {reason}, so programs with the same account or output do not take turns. Run one after the other, or {remedy}"
				)
			}
		}
	}
}

/// Checks that the node at an address has the chain that was chosen, if one was.
pub(crate) fn check_chain(
	url: &str,
	found: &[u8; 32],
	chosen: Option<(Chosen, [u8; 32])>,
) -> Result<(), Unproven> {
	match chosen {
		Some((chosen, expected)) if expected != *found => {
			let node = OtherChain {
				url: url.to_owned(),
				chosen,
				expected,
				found: *found,
			};
			Err(Unproven::WrongGenesis {
				node: Box::new(node),
				others: String::new(),
			})
		}
		_ => Ok(()),
	}
}

/// Receives what the user should know.
pub(crate) type TellNotice = Box<dyn Fn(&Notice) + Send + Sync>;

/// What is remembered of chains, in a folder of the user's.
pub(crate) struct Memory(PathBuf);

impl Memory {
	pub(crate) fn in_folder(folder: &Path) -> Self {
		Self(folder.to_owned())
	}

	/// Creates the folder, unless it is there.
	fn make(&self) -> io::Result<()> {
		fs::create_dir_all(&self.0).map_err(|error| unusable(&self.0, &error))
	}

	/// Returns the text of the file of known chains, which is empty if there is none.
	fn known_chains(&self) -> io::Result<String> {
		let path = self.0.join(KNOWN_CHAINS);
		let bytes = read(&path)?.unwrap_or_default();
		let (label, known) = NEWER_CHAINS;
		if is_newer(&bytes, label, known) {
			return Err(NewerFile::new(&path, LOST).into());
		}
		String::from_utf8(bytes).map_err(|_| unusable(&path, &"it is not text"))
	}

	/// Returns an address that led to the chain with this first block.
	fn address_of(&self, genesis: &[u8; 32]) -> io::Result<Option<String>> {
		let text = self.known_chains()?;
		// The first line of an address counts.
		for (address, known) in text.lines().filter_map(|line| line.split_once(' ')) {
			if from_hex(known) == Some(*genesis) && self.chain_at(address)? == Some(*genesis) {
				return Ok(Some(address.to_owned()));
			}
		}
		Ok(None)
	}

	/// Returns the hash of the first block of the chain that an address led to.
	pub(crate) fn chain_at(&self, url: &str) -> io::Result<Option<[u8; 32]>> {
		let text = self.known_chains()?;
		let genesis = text.lines().find_map(|line| {
			let (known, genesis) = line.split_once(' ')?;
			(known == url).then_some(genesis)
		});
		let read = |genesis: &str| {
			let path = self.0.join(KNOWN_CHAINS);
			let malformed = || unusable(&path, &format!("`{genesis}` is no hash"));
			from_hex(genesis).ok_or_else(malformed)
		};
		genesis.map(read).transpose()
	}

	/// Remembers which chain an address leads to.
	pub(crate) fn set_chain_at(&self, url: &str, genesis: &[u8; 32]) -> io::Result<()> {
		self.make()?;
		let path = self.0.join(KNOWN_CHAINS);
		let mut options = fs::File::options();
		let file = input::open_as(&path, options.append(true).create(true));
		let mut file = file.map_err(|error| unusable(&path, &error))?;
		// An editor may have left the last line without an end.
		let known = self.known_chains()?;
		let end = match known.is_empty() || known.ends_with('\n') {
			true => "",
			false => "\n",
		};
		// In one write, because other programs may add lines, too.
		file.write_all(format!("{end}{url} {}\n", to_hex(genesis)).as_bytes())
	}

	fn finality_of(&self, genesis: &[u8; 32]) -> PathBuf {
		self.0.join(format!("final-{}", hex::encode(genesis)))
	}

	/// Returns what was proven of a chain's finality before. A file that cannot be read as that is an error: to
	/// begin again could go back.
	pub(crate) fn finality(&self, genesis: H256) -> io::Result<Option<Finality>> {
		let path = self.finality_of(&genesis.0);
		let Some(bytes) = read(&path)? else {
			return Ok(None);
		};
		let malformed = |error: FinalityError| {
			io::Error::other(format!(
				"{} is damaged, or a newer release wrote it: {error}. Use that release, or remove it to begin again at the chain's first block",
				path.shown()
			))
		};
		Finality::restore(genesis, &bytes)
			.map(Some)
			.map_err(malformed)
	}

	/// Remembers what is proven of a chain's finality, unless another program has come further.
	pub(crate) fn set_finality(&self, finality: &Finality) -> io::Result<()> {
		let genesis = finality.genesis();
		let known = self.finality(genesis)?;
		if known.is_some_and(|known| known.head().number >= finality.head().number) {
			return Ok(());
		}
		self.make()?;
		file::replace(&self.finality_of(&genesis.0), &finality.to_bytes())
			.map_err(|error| unusable(&self.0, &error))
	}
}

/// Reads a file of the memory; `None` if there is none. Nothing but a regular file is opened: to open a FIFO waits for
/// another program.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
	use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
	match fs::metadata(path) {
		Ok(there) if !there.is_file() => Err(unusable(path, &"it is not a regular file")),
		Ok(_) => {
			let mut bytes = Vec::new();
			let opened = input::open(path);
			let read = opened.and_then(|mut file| file.read_to_end(&mut bytes));
			read.map(|_| Some(bytes))
				.map_err(|error| unusable(path, &error))
		}
		Err(error) if error.kind() == NotFound && path.is_symlink() => {
			Err(unusable(path, &"a link that leads to nothing, as when its disk is not mounted"))
		}
		// Where no folder can be, nothing is remembered. To write there will fail, and the user is told.
		Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(None),
		// There may be a chain in it, and another one must not take its place without a word.
		Err(error) if error.kind() == PermissionDenied => Err(io::Error::other(format!(
			"this user may not enter a folder above {}: permit that, or name another folder for settings with $XDG_CONFIG_HOME",
			path.shown()
		))),
		Err(error) => Err(unusable(path, &error)),
	}
}

/// Returns the error of a part of the memory that cannot be used: its path, and what to do.
fn unusable(path: &Path, reason: &impl fmt::Display) -> io::Error {
	io::Error::other(format!(
		"{}: {}. Mend or remove it, or name another folder with $XDG_CONFIG_HOME",
		path.shown(),
		io_words(reason)
	))
}

/// Why a file is not a specification that names a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
	/// It is text, but in UTF-16, as a shell of Windows writes it.
	#[error("this is UTF-16: save it as UTF-8")]
	Utf16,
	/// It is not a specification in JSON.
	#[error("this is no chain specification")]
	NoSpec,
	/// The state of the first block is not in it, or only in a form that a runtime has to read.
	#[error("this chain specification is not a raw one")]
	NotRaw,
}

/// Returns the hash of the first block of the chain with this raw specification.
///
/// # Errors
///
/// Returns [`SpecError`] if the bytes are not a raw specification.
pub fn genesis_of(spec: &[u8]) -> Result<[u8; 32], SpecError> {
	// Some editors write a mark first (RFC 8259, section 8.1).
	let spec = spec.strip_prefix(b"\xef\xbb\xbf").unwrap_or(spec);
	if is_utf16(spec) {
		return Err(SpecError::Utf16);
	}
	let spec: serde_json::Value = serde_json::from_slice(spec).map_err(|_| SpecError::NoSpec)?;
	let genesis = spec.get("genesis").ok_or(SpecError::NoSpec)?;
	let raw = genesis.get("raw").ok_or(SpecError::NotRaw)?;
	let children = raw
		.get("childrenDefault")
		.and_then(|children| children.as_object());
	if children.is_some_and(|children| !children.is_empty()) {
		return Err(SpecError::NoSpec);
	}
	let top = raw.get("top").and_then(|top| top.as_object());
	let bytes = |text: &str| hex::decode(text.strip_prefix("0x")?).ok();
	let entry =
		|(key, value): (&String, &serde_json::Value)| Some((bytes(key)?, bytes(value.as_str()?)?));
	let entries: Option<Vec<_>> = top.ok_or(SpecError::NoSpec)?.iter().map(entry).collect();
	Ok(genesis_hash(entries.ok_or(SpecError::NoSpec)?).0)
}

/// Returns whether an address leads to the same machine.
pub(crate) fn is_local(url: &str) -> bool {
	let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
	let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
	let host = rest[..end].rsplit('@').next().unwrap_or_default();
	let host = match host.strip_prefix('[') {
		Some(v6) => v6.split(']').next().unwrap_or_default(),
		None => host.split(':').next().unwrap_or_default(),
	};
	host == "localhost"
		|| host
			.parse::<std::net::IpAddr>()
			.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_specification_in_utf_16_is_called_so() {
		let text = r#"{"genesis":{"raw":{"top":{}}}}"#;
		let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
		for spec in [[b"\xff\xfe", &wide[..]].concat(), wide] {
			assert_eq!(genesis_of(&spec), Err(SpecError::Utf16));
		}
		assert!(genesis_of(text.as_bytes()).is_ok());
		assert_eq!(genesis_of(b""), Err(SpecError::NoSpec));
	}

	#[cfg(unix)]
	#[test]
	fn a_memory_that_cannot_be_used_is_named_and_nothing_but_a_file_is_opened() {
		let folder = tempfile::tempdir().unwrap();
		let at = folder.path().join("isthmus");
		let memory = Memory::in_folder(&at);
		let path = at.join(KNOWN_CHAINS);
		let shown = |error: io::Error| {
			let text = error.to_string();
			assert!(text.contains("isthmus"), "{text}");
			assert!(text.ends_with("with $XDG_CONFIG_HOME"), "{text}");
			text
		};
		// A file is where the folder has to be: nothing is remembered there.
		fs::write(&at, "").unwrap();
		assert_eq!(memory.chain_at("ws://a").unwrap(), None);
		shown(memory.set_chain_at("ws://a", &[1; 32]).unwrap_err());
		fs::remove_file(&at).unwrap();
		fs::create_dir_all(&path).unwrap();
		assert!(shown(memory.chain_at("ws://a").unwrap_err()).contains("not a regular file"));
		shown(memory.set_chain_at("ws://a", &[1; 32]).unwrap_err());
		fs::remove_dir(&path).unwrap();
		let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR);
		rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
		assert!(shown(memory.chain_at("ws://a").unwrap_err()).contains("not a regular file"));
		fs::remove_file(&path).unwrap();
		fs::write(&path, [0xff, 0xfe]).unwrap();
		assert!(shown(memory.chain_at("ws://a").unwrap_err()).contains("not text"));
		fs::write(&path, "ws://a 0x12\n").unwrap();
		assert!(shown(memory.chain_at("ws://a").unwrap_err()).contains("no hash"));
	}

	#[test]
	fn a_local_address_is_a_loopback_one() {
		for (url, expected) in [
			("ws://127.0.0.1:9944", true),
			("ws://127.9.9.9/rpc", true),
			("ws://[::1]:9944", true),
			("ws://user:p@localhost:1", true),
			("wss://node.org", false),
			("ws://127.0.0.1.node.org:9944", false),
			("ws://localhost@node.org", false),
			("ws://10.0.0.1:9944", false),
			("ws://node.org/@127.0.0.1", false),
		] {
			assert_eq!(is_local(url), expected, "{url}");
		}
	}

	#[test]
	fn what_helps_programs_to_take_turns_fits_the_cause() {
		let told = |is_full| {
			let reason = "a.lock cannot be written".into();
			Notice::NoTurns { reason, is_full }.to_string()
		};
		assert!(told(false).ends_with("on a disk with locks"));
		assert!(told(true).starts_with("warning: a.lock cannot be written, so"));
		assert!(told(true).ends_with("or free some space on that disk"));
	}

	#[test]
	fn a_store_that_is_asked_again_is_named_with_the_reason() {
		let told = |trouble| {
			let url = "s3://grades/2026".to_owned();
			Notice::AskedAgain { url, trouble }.to_string()
		};
		assert_eq!(
			told(Trouble::Unavailable(503)),
			"s3://grades/2026 does not answer properly now (503): it is asked again"
		);
		assert_eq!(
			told(Trouble::Unreachable),
			"s3://grades/2026 cannot be reached now, or breaks the connection off: it is asked again"
		);
	}

	#[test]
	fn a_development_chain_of_another_machine_is_warned_of() {
		assert_eq!(Notice::of_development("ws://127.0.0.1:9944"), None);
		let url = "wss://node.org".to_owned();
		let notice = Notice::of_development(&url);
		assert_eq!(notice, Some(Notice::Development { url }));
		let text = notice.map(|notice| notice.to_string());
		assert!(text.is_some_and(|text| text.contains("at wss://node.org. Their secrets")));
	}

	#[test]
	fn the_first_chain_at_an_address_is_remembered() {
		let folder = tempfile::tempdir().unwrap();
		let memory = Memory::in_folder(&folder.path().join("isthmus"));
		assert_eq!(memory.chain_at("ws://a").unwrap(), None);
		memory.set_chain_at("ws://a", &[1; 32]).unwrap();
		memory.set_chain_at("ws://ab", &[2; 32]).unwrap();
		memory.set_chain_at("ws://a", &[3; 32]).unwrap();
		assert_eq!(memory.chain_at("ws://a").unwrap(), Some([1; 32]));
		assert_eq!(memory.chain_at("ws://ab").unwrap(), Some([2; 32]));
		assert_eq!(memory.chain_at("ws://b").unwrap(), None);
		let address = |byte| memory.address_of(&[byte; 32]).unwrap();
		assert_eq!(address(1).as_deref(), Some("ws://a"));
		assert_eq!(address(2).as_deref(), Some("ws://ab"));
		assert_eq!(address(3), None, "the first line of ws://a counts");
		let path = folder.path().join("isthmus/known-chains");
		let text = fs::read_to_string(&path).unwrap();
		fs::write(&path, text.trim_end()).unwrap();
		memory.set_chain_at("ws://c", &[4; 32]).unwrap();
		assert_eq!(memory.chain_at("ws://c").unwrap(), Some([4; 32]));
		assert_eq!(memory.chain_at("ws://a").unwrap(), Some([1; 32]));
		fs::write(folder.path().join("isthmus/known-chains"), "ws://a 0x12").unwrap();
		assert!(memory.chain_at("ws://a").is_err());
		let newer = format!("isthmus-known-chains-2\n{text}");
		fs::write(&path, &newer).unwrap();
		for refused in [
			memory.chain_at("ws://a").map(drop),
			memory.set_chain_at("ws://d", &[5; 32]),
		] {
			assert!(NewerFile::in_error(&refused.unwrap_err()).is_some());
		}
		assert_eq!(fs::read_to_string(&path).unwrap(), newer);
	}
}
