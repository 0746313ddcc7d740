// SPDX-License-Identifier: Apache-2.0
//! The subcommand `key`. The framework's commands serve, except those of network keys: the one that makes a key would
//! replace any file, and let every user of the machine read the key, and the other would read a device for ever. The one that
//! inspects a secret would succeed without one.

use crate::{
	files::{announce, check_home, read_at_most, take_at_most, without_path},
	output,
};
use clap::{ArgMatches, Args, FromArgMatches, Subcommand};
use polkadot_sdk::*;
use sc_cli::{
	utils::{print_from_uri, read_uri},
	with_crypto_scheme, Error, GenerateCmd, InsertKeyCmd, InspectKeyCmd, KeystoreParams,
	NetworkParams, SubstrateCli,
};
use sc_network::{
	config::{
		ed25519::{Keypair, SecretKey},
		NodeKeyConfig, Secret,
	},
	Multiaddr,
};
use sc_service::{BasePath, Configuration};
use sp_core::crypto::{ExposeSecret, SecretString, Ss58Codec};
use std::{
	fs::{self, File, OpenOptions},
	io::{self, Write},
	os::unix::fs::OpenOptionsExt,
	path::{Path, PathBuf},
};

/// The file of a node's network key, in the folder of its chain, as the framework reads it.
const NODE_KEY: &str = "network/secret_ed25519";
/// The folder of a node's keystore, in the folder of its chain, as the framework names it.
const KEYSTORE: &str = "keystore";
/// The longest network key that is read, in bytes: 64 digits, with white space around them.
const LONGEST_NODE_KEY: u64 = 1024;
/// The longest file of a password that is read, in bytes.
const LONGEST_PASSWORD: u64 = 4096;
/// The length of a network key in bytes.
const NODE_KEY_LENGTH: usize = 32;
/// What to say of a `--node-key` that is not valid.
const NO_NODE_KEY: &str =
	"Invalid node key: `--node-key` takes 32 bytes, which are 64 hexadecimal digits. Make a key with \
	`isthmus-node key generate-node-key --file FILE`, and pass `--node-key-file FILE`";

/// The subcommands of `key`.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
	/// Generate a random network key, and write it to a file or standard output, and its peer id to standard error.
	GenerateNodeKey(GenerateNodeKeyCmd),

	/// Generate a random account.
	Generate(GenerateCmd),

	/// Print the public key and the SS58 address of a secret URI.
	Inspect(InspectCmd),

	/// Print the peer id of a network key, from a file or standard input.
	InspectNodeKey(InspectNodeKeyCmd),

	/// Insert a key into the keystore of a node.
	Insert(InsertCmd),
}

/// The subcommand `key generate-node-key`.
#[derive(Clone, Debug, Args)]
pub struct GenerateNodeKeyCmd {
	/// Write the key to this file, which must not exist. Without this option or a base path it is printed.
	#[arg(long)]
	file: Option<PathBuf>,

	/// Write the key as 32 bytes instead of 64 hexadecimal digits.
	#[arg(long)]
	bin: bool,

	/// The chain of the node.
	#[arg(long, value_name = "CHAIN")]
	chain: Option<String>,

	/// Write the key to the chain's folder in this base path.
	#[arg(long, value_name = "PATH", requires = "chain", conflicts_with_all = ["file", "default_base_path"])]
	base_path: Option<PathBuf>,

	/// Write the key to the chain's folder in the default base path.
	#[arg(long, requires = "chain", conflicts_with_all = ["base_path", "file"])]
	default_base_path: bool,
}

/// The options of a node's network key, held back from the framework: it would read or make the key before anything else is
/// checked, wait for a device for ever, and refuse digits with a line end.
pub(crate) struct NodeKeyOptions {
	file: Option<PathBuf>,
	/// Whether a verifier's node may make a key, too.
	may_make: bool,
	/// The framework adds the key's certificate to some of these addresses.
	public: Vec<Multiaddr>,
}

impl NodeKeyOptions {
	/// Takes the options from a command line, and leaves a key there that is used for nothing. Returns `None` if the command line
	/// has the key itself.
	///
	/// # Errors
	///
	/// Returns an error, which does not repeat the key, if it has another length or other digits.
	pub(crate) fn take(params: &mut NetworkParams, is_dev: bool) -> sc_cli::Result<Option<Self>> {
		let key = &mut params.node_key_params;
		if let Some(given) = &key.node_key {
			let digits = given.strip_prefix("0x").unwrap_or(given);
			let is_key = hex::decode(digits).is_ok_and(|bytes| bytes.len() == NODE_KEY_LENGTH);
			return match is_key {
				true => Ok(None),
				false => Err(Error::Input(NO_NODE_KEY.into())),
			};
		}
		key.node_key = Some(hex::encode([1u8; NODE_KEY_LENGTH]));
		Ok(Some(Self {
			file: key.node_key_file.take(),
			may_make: is_dev || key.unsafe_force_node_key_generation,
			public: params.public_addr.clone(),
		}))
	}

	/// Puts the key's file into the configuration that was made meanwhile.
	///
	/// # Errors
	///
	/// Returns an error if a verifier's node has no key.
	pub(crate) fn put_back(self, config: &mut Configuration) -> sc_cli::Result<()> {
		let path = self.file.unwrap_or_else(|| config.data_path.join(NODE_KEY));
		if config.role.is_authority() && !self.may_make && !path.exists() {
			return Err(Error::NetworkKeyNotFound(path));
		}
		config.network.node_key = NodeKeyConfig::Ed25519(Secret::File(path));
		config.network.public_addresses = self.public;
		Ok(())
	}
}

/// Reads the password of a keystore from the file that is named, and puts it into the options, as if it had been written there.
/// The framework takes the line end for a part of it, names no file in its errors, and reads none to show or make a key.
///
/// # Errors
///
/// Returns an error that names the file.
pub(crate) fn read_password(params: &mut KeystoreParams) -> sc_cli::Result<()> {
	let Some(path) = params.password_filename.take() else {
		return Ok(());
	};
	announce("the password", &path);
	let password = read_at_most(&path, LONGEST_PASSWORD).and_then(password_of);
	let password = password.map_err(|error| {
		Error::Input(format!(
			"the password cannot be read from `--password-filename {}`: {error}",
			path.display()
		))
	})?;
	params.password = Some(SecretString::new(password));
	Ok(())
}

/// Returns the password in a file, without the line end that an editor or a shell writes.
fn password_of(content: Vec<u8>) -> io::Result<String> {
	let text = String::from_utf8(content)
		.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not text in UTF-8"))?;
	let line = text.strip_suffix('\n').unwrap_or(&text);
	match line.strip_suffix('\r').unwrap_or(line) {
		"" => Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty")),
		password => Ok(password.to_owned()),
	}
}

impl KeyCommand {
	/// Reads the password, if a file of it is named.
	///
	/// # Errors
	///
	/// Returns the error of [`read_password`].
	pub(crate) fn read_password(&mut self) -> sc_cli::Result<()> {
		match self {
			Self::Generate(cmd) => read_password(&mut cmd.keystore_params),
			Self::Inspect(cmd) => read_password(&mut cmd.framework.keystore_params),
			Self::Insert(cmd) => read_password(&mut cmd.framework.keystore_params),
			Self::GenerateNodeKey(_) | Self::InspectNodeKey(_) => Ok(()),
		}
	}

	/// Returns the file that a network key is written to or read from, if it may be a standard stream.
	pub(crate) fn file_mut(&mut self) -> Option<&mut Option<PathBuf>> {
		match self {
			Self::GenerateNodeKey(cmd) => Some(&mut cmd.file),
			Self::InspectNodeKey(cmd) => Some(&mut cmd.file),
			Self::Generate(_) | Self::Inspect(_) | Self::Insert(_) => None,
		}
	}

	/// Returns whether the subcommand serves only to print something.
	pub(crate) fn prints(&self) -> bool {
		match self {
			Self::GenerateNodeKey(cmd) => {
				cmd.file.is_none() && cmd.base_path.is_none() && !cmd.default_base_path
			}
			Self::Generate(_) | Self::Inspect(_) | Self::InspectNodeKey(_) => true,
			Self::Insert(_) => false,
		}
	}

	/// Returns whether the subcommand asks for a password.
	fn asks_for_password(&self) -> bool {
		match self {
			Self::Generate(cmd) => cmd.keystore_params.password_interactive,
			Self::Inspect(cmd) => cmd.framework.keystore_params.password_interactive,
			Self::Insert(cmd) => cmd.framework.keystore_params.password_interactive,
			Self::GenerateNodeKey(_) | Self::InspectNodeKey(_) => false,
		}
	}

	/// Runs the subcommand.
	///
	/// # Errors
	///
	/// Returns the subcommand's error.
	pub(crate) fn run<C: SubstrateCli>(&self, cli: &C) -> sc_cli::Result<()> {
		if self.asks_for_password() && terminal().is_err() {
			return Err(Error::Input(NO_TERMINAL.into()));
		}
		let done = match self {
			Self::GenerateNodeKey(cmd) => cmd.run(cli),
			Self::Generate(cmd) => cmd.run(),
			Self::Inspect(cmd) => cmd.run(),
			Self::InspectNodeKey(cmd) => cmd.run(),
			Self::Insert(cmd) => {
				check_secret(cmd.uri.as_ref())?;
				check_home(|| cmd.framework.shared_params.base_path())?;
				insert(cmd, cli)
			}
		};
		done.map_err(|error| match no_terminal(&error) {
			true => Error::Input(NO_TERMINAL.into()),
			false => error,
		})
	}
}

/// What is said if a secret or a password is not given, and cannot be asked for.
const NO_TERMINAL: &str = "cannot ask for the secret or the password: there is no terminal. Give the secret, or the path of a \
	file with it, with `--suri` to `key insert`, and as the argument of `key inspect`; and a password with `--password-filename`";

/// Opens the terminal on which the framework asks for secrets and passwords.
fn terminal() -> io::Result<File> {
	OpenOptions::new().read(true).write(true).open("/dev/tty")
}

/// Returns whether a subcommand failed because it could not ask for a secret: the framework does not tell before whether one
/// is given.
fn no_terminal(error: &Error) -> bool {
	match (error, terminal()) {
		(Error::Io(failed), Err(none)) => failed.raw_os_error() == none.raw_os_error(),
		_ => false,
	}
}

/// Inserts a key, and says where it is.
fn insert<C: SubstrateCli>(cmd: &InsertCmd, cli: &C) -> sc_cli::Result<()> {
	let keystore = keystore_of(&cmd.framework, cli)?;
	let mut cmd = cmd.with_secret()?;
	// The specification may be a pipe, which is read once. A keystore that is named needs none.
	cmd.shared_params.chain = Some("dev".into());
	cmd.keystore_params.keystore_path = Some(keystore.clone());
	cmd.run(cli)
		.map_err(|error| not_inserted(&keystore, error))?;
	// The key is there, whether this can be written or not.
	let _ = writeln!(
		io::stderr(),
		"the key is in the keystore {}. A node that runs votes with a vote key from its next round on: restart it if no \
		 round ends without that vote, or for another key",
		keystore.display()
	);
	Ok(())
}

/// Names the keystore in the error of one that cannot be written, and the system's reason, which the framework leaves out.
fn not_inserted(keystore: &Path, error: Error) -> Error {
	if !matches!(error, Error::KeystoreOperation | Error::KeyStorage(_)) {
		return error;
	}
	let reason = match try_to_write(keystore) {
		Err(reason) if reason.kind() == io::ErrorKind::AlreadyExists => "it is not a folder".into(),
		Err(reason) => reason.to_string(),
		Ok(()) => "the file of this key there cannot be replaced".into(),
	};
	Error::Input(format!(
		"the key cannot be written to the keystore {}: {reason}. It has to be a folder that this user may write to: `keystore` \
		 in the chain's folder below `--base-path`, or the folder of `--keystore-path`",
		keystore.display()
	))
}

/// Tries to write a file in a folder, which is made if there is none, to learn why none can be written.
fn try_to_write(folder: &Path) -> io::Result<()> {
	fs::create_dir_all(folder)?;
	// It has no name, so that nothing is left of it, and nothing there can have its name.
	let mut file = tempfile::tempfile_in(folder).map_err(without_path)?;
	file.write_all(b"-")?;
	file.sync_all()
}

/// Returns the folder of the keystore that a key is inserted into.
fn keystore_of<C: SubstrateCli>(cmd: &InsertKeyCmd, cli: &C) -> sc_cli::Result<PathBuf> {
	let shared = &cmd.shared_params;
	let spec = cli.load_spec(&shared.chain_id(shared.is_dev()))?;
	if let Some(path) = &cmd.keystore_params.keystore_path {
		return Ok(path.clone());
	}
	let base = match &shared.base_path {
		Some(path) => BasePath::new(path),
		None if shared.is_dev() => {
			return Err(Error::Input(
				"with `--dev` alone, the keystore would be in a new folder that no node uses: give the node's folder with \
				 `--base-path`"
					.into(),
			))
		}
		None => BasePath::from_project("", "", &C::executable_name()),
	};
	Ok(base.config_dir(spec.id()).join(KEYSTORE))
}

/// The subcommand `key inspect`: the framework's, which prints that a secret is not valid as if it were a result.
pub type InspectCmd = Wrapped<InspectKeyCmd>;

/// The subcommand `key insert`: the framework's, which takes a path where no file is for the derivation of a key that is public.
pub type InsertCmd = Wrapped<InsertKeyCmd>;

/// A command of the framework's, with those of its options that it keeps to itself.
#[derive(Clone, Debug)]
pub struct Wrapped<T> {
	framework: T,
	/// The secret, or the file with it.
	uri: Option<String>,
	/// Whether this is a public key.
	is_public: bool,
}

impl<T: Args> Args for Wrapped<T> {
	fn augment_args(command: clap::Command) -> clap::Command {
		T::augment_args(command)
	}

	fn augment_args_for_update(command: clap::Command) -> clap::Command {
		T::augment_args_for_update(command)
	}
}

impl<T: FromArgMatches> FromArgMatches for Wrapped<T> {
	fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
		// Neither command has all of these.
		let text = |name| matches.try_get_one::<String>(name).ok().flatten();
		let flag = matches.try_get_one::<bool>("public").ok().flatten();
		Ok(Self {
			framework: T::from_arg_matches(matches)?,
			uri: text("uri").or(text("suri")).cloned(),
			is_public: flag == Some(&true),
		})
	}

	fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
		*self = Self::from_arg_matches(matches)?;
		Ok(())
	}
}

impl InsertCmd {
	/// Returns the framework's command with a secret, which is asked for if none is given. The framework would take any text that
	/// is typed.
	fn with_secret(&self) -> sc_cli::Result<InsertKeyCmd> {
		let mut cmd = self.framework.clone();
		if self.uri.is_some() {
			return Ok(cmd);
		}
		let typed = ask_secret()?;
		let options = InsertKeyCmd::augment_args_for_update(clap::Command::new("insert"));
		let matches =
			options.try_get_matches_from(["insert".to_owned(), format!("--suri={typed}")]);
		let updated = matches.and_then(|matches| cmd.update_from_arg_matches(&matches));
		// The error would show the secret.
		updated.map_err(|_| Error::Input(NO_SECRET.into()))?;
		// An update sets flags that are not given to false.
		cmd.shared_params = self.framework.shared_params.clone();
		cmd.keystore_params = self.framework.keystore_params.clone();
		Ok(cmd)
	}
}

/// Asks for a secret, or the path of a file with one.
fn ask_secret() -> sc_cli::Result<String> {
	let typed = read_uri(None)?;
	check_secret(Some(&typed))?;
	Ok(typed)
}

/// Refuses the path of a file that is not there, and what is empty. The framework takes both for a derivation from the phrase of
/// the development accounts, which everyone knows.
fn check_secret(uri: Option<&String>) -> sc_cli::Result<()> {
	let Some(uri) = uri else {
		return Ok(());
	};
	if uri.starts_with('/') && !uri.starts_with("//") && !Path::new(uri).is_file() {
		// A password may follow three slashes.
		let path = uri.split("///").next().unwrap_or_default();
		return Err(Error::Input(format!(
			"there is no regular file at {path}, from which a secret could be read. Name one, or give the secret itself"
		)));
	}
	match read_uri(Some(uri))?.trim().is_empty() {
		true => Err(Error::Input(
			"the secret is empty: give a phrase, or the path of a file with one".into(),
		)),
		false => Ok(()),
	}
}

impl InspectCmd {
	fn run(&self) -> sc_cli::Result<()> {
		let cmd = &self.framework;
		check_secret(self.uri.as_ref())?;
		// Those are errors of the framework's, too. One of them shows the secret.
		if self.is_public || cmd.expect_public.is_some() {
			return cmd.run().map_err(|error| {
				let shows =
					matches!(&error, Error::Input(text) if text.starts_with("Invalid secret uri"));
				match shows {
					true => Error::Input(NO_SECRET.into()),
					false => error,
				}
			});
		}
		let uri = match &self.uri {
			Some(uri) => read_uri(Some(uri))?,
			None => read_uri(Some(&ask_secret()?))?,
		};
		let password = cmd.keystore_params.read_password()?;
		let scheme = cmd.crypto_scheme.scheme;
		let secret = password
			.as_ref()
			.map(|password| password.expose_secret().as_str());
		if !with_crypto_scheme!(scheme, is_valid(&uri, secret)) {
			return Err(Error::Input(NO_SECRET.into()));
		}
		let (network, output) = (cmd.network_scheme.network, cmd.output_scheme.output_type);
		with_crypto_scheme!(scheme, print_from_uri(&uri, password, network, output));
		Ok(())
	}
}

/// What is said of a text that is not a valid secret. It is not shown, as it may be one with a mistake.
const NO_SECRET: &str = "the secret is not valid: expected a phrase of 12 to 24 words, 0x and 64 hexadecimal digits, a path like \
	//Alice, which may follow the others, the path of a file with one of these, or an SS58 address. A public key in hexadecimal \
	digits needs `--public`";

/// Returns whether the framework can print something of a text.
fn is_valid<Pair: sp_core::Pair>(uri: &str, password: Option<&str>) -> bool {
	Pair::from_phrase(uri, password).is_ok()
		|| Pair::from_string_with_seed(uri, password).is_ok()
		|| Pair::Public::from_string_with_version(uri).is_ok()
}

/// The subcommand `key inspect-node-key`.
#[derive(Clone, Debug, Args)]
pub struct InspectNodeKeyCmd {
	/// Read the key from this file. Without this option it is read from standard input.
	#[arg(long)]
	file: Option<PathBuf>,

	/// The key is written as 32 bytes instead of 64 hexadecimal digits.
	#[arg(long)]
	bin: bool,
}

impl InspectNodeKeyCmd {
	fn run(&self) -> sc_cli::Result<()> {
		if let Some(path) = &self.file {
			announce("the network key", path);
		}
		let (read, from) = match &self.file {
			Some(path) => (
				read_at_most(path, LONGEST_NODE_KEY),
				path.display().to_string(),
			),
			None => (
				take_at_most(io::stdin().lock(), LONGEST_NODE_KEY),
				"standard input (`--file` names a file)".to_owned(),
			),
		};
		let refused = |reason: &dyn std::fmt::Display| {
			Error::Input(format!(
				"the network key cannot be read from {from}: {reason}. Expected 64 hexadecimal digits, or 32 bytes with \
				 `--bin`; `key generate-node-key` makes one"
			))
		};
		let mut key = read.map_err(|error| refused(&error))?;
		if !self.bin {
			key = from_digits(&key).map_err(|error| refused(&error))?;
		}
		let secret = SecretKey::try_from_bytes(key).map_err(|error| refused(&error))?;
		let peer = Keypair::from(secret).public().to_peer_id();
		output::print(format!("{peer}\n"))
	}
}

impl GenerateNodeKeyCmd {
	fn run<C: SubstrateCli>(&self, cli: &C) -> sc_cli::Result<()> {
		let key = NodeKeyConfig::Ed25519(Secret::New).into_keypair()?;
		let secret = key.secret();
		let text = if self.bin {
			secret.as_ref().to_vec()
		} else {
			hex::encode(secret.as_ref()).into_bytes()
		};
		match self.path(cli)? {
			Some(path) => write_secret(&path, &text)?,
			None => output::print(&text)?,
		}
		eprintln!("{}", key.public().to_peer_id());
		Ok(())
	}

	/// Returns the file to write, or `None` if the key is printed. Creates the folder of a chain.
	fn path<C: SubstrateCli>(&self, cli: &C) -> sc_cli::Result<Option<PathBuf>> {
		if let Some(chain) = self
			.chain
			.as_ref()
			.filter(|_| self.base_path.is_some() || self.default_base_path)
		{
			let spec = cli.load_spec(chain)?;
			let base = match &self.base_path {
				Some(path) => BasePath::new(path),
				None => {
					check_home(|| Ok(None))?;
					BasePath::from_project("", "", &C::executable_name())
				}
			};
			let path = base.config_dir(spec.id()).join(NODE_KEY);
			if let Some(folder) = path.parent() {
				fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
			}
			return Ok(Some(path));
		}
		Ok(self.file.clone())
	}
}

/// Reads a node's network key from its file: 32 bytes, or 64 hexadecimal digits, as an editor or a shell writes them, with a line
/// end or without.
///
/// # Errors
///
/// Returns the system's error, [`io::ErrorKind::FileTooLarge`], or [`io::ErrorKind::InvalidData`] if the file has no key.
pub(crate) fn node_key(path: &Path) -> io::Result<SecretKey> {
	node_key_of(read_at_most(path, LONGEST_NODE_KEY)?)
}

fn node_key_of(mut content: Vec<u8>) -> io::Result<SecretKey> {
	if content.len() != NODE_KEY_LENGTH {
		let read = from_digits(&content);
		content = read.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
	}
	let secret = SecretKey::try_from_bytes(content);
	secret.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Reads hexadecimal digits with white space around them.
fn from_digits(text: &[u8]) -> Result<Vec<u8>, hex::FromHexError> {
	let digits = String::from_utf8_lossy(text);
	let digits = digits.trim();
	let small = digits.strip_prefix("0x");
	hex::decode(small.or(digits.strip_prefix("0X")).unwrap_or(digits))
}

/// Writes a secret to a new file that only its owner can read. What exists stays, also behind a link.
fn write_secret(path: &Path, secret: &[u8]) -> sc_cli::Result<()> {
	let mut options = File::options();
	let created = options.write(true).create_new(true).mode(0o600).open(path);
	let mut file = match created {
		Ok(file) => file,
		Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
			return Err(Error::KeyAlreadyExistsInPath(path.into()))
		}
		Err(error) => return Err(unwritable(path, &error)),
	};
	let written = file.write_all(secret).and_then(|()| file.sync_all());
	written.map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
	Error::Input(format!(
		"the network key cannot be written to {}: {error}",
		path.display()
	))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_trial_leaves_nothing_in_a_keystore_and_minds_nothing_there() {
		let folder = tempfile::tempdir().unwrap();
		// As an earlier release left it when it was killed.
		let left = folder.path().join(format!("try-{}", std::process::id()));
		fs::write(&left, "-").unwrap();
		try_to_write(folder.path()).unwrap();
		assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
		let refused = try_to_write(&left).unwrap_err();
		assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
	}

	#[test]
	fn the_line_end_is_no_part_of_a_password() {
		let read = |content: &str| password_of(content.into()).ok();
		for content in ["a b", "a b\n", "a b\r\n"] {
			assert_eq!(read(content).as_deref(), Some("a b"), "{content:?}");
		}
		assert_eq!(read(" a\n\n").as_deref(), Some(" a\n"));
		assert_eq!(read("\n"), None);
		assert!(password_of(vec![0xff]).is_err());
	}

	#[test]
	fn what_is_no_secret_is_an_error() {
		let run = |args: &[&str]| {
			let command = InspectCmd::augment_args(clap::Command::new("inspect"));
			let args = [&["inspect"][..], args].concat();
			let matches = command.try_get_matches_from(args).unwrap();
			InspectCmd::from_arg_matches(&matches).unwrap().run()
		};
		let address = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
		for valid in ["//Alice", address] {
			assert!(run(&[valid]).is_ok(), "{valid}");
		}
		for scheme in ["sr25519", "ed25519", "ecdsa"] {
			for wrong in ["-", "hello", "0x12"] {
				let refused = run(&["--scheme", scheme, "--", wrong]).unwrap_err();
				let refused = refused.to_string();
				assert!(refused.ends_with(NO_SECRET), "{scheme} {wrong}: {refused}");
			}
		}
		assert!(run(&["--public", "hello"]).is_err());
		let wrong = "0x12";
		let refused = run(&["--expect-public", address, wrong]).unwrap_err();
		assert!(refused.to_string().ends_with(NO_SECRET), "{refused}");
		// Not a key that is derived from the phrase of the development accounts.
		let empty = run(&[""]).unwrap_err().to_string();
		assert!(empty.contains("the secret is empty"), "{empty}");
		for absent in ["/no-such-folder/secret", "/dev/null"] {
			let refused = run(&[absent]).unwrap_err().to_string();
			assert!(
				refused.contains("there is no regular file at /"),
				"{refused}"
			);
		}
	}

	#[test]
	fn a_wrapped_command_has_the_secret_that_the_frameworks_keeps_to_itself() {
		let command = InsertCmd::augment_args(clap::Command::new("insert"));
		let args = ["insert", "--key-type", "gran", "--scheme", "ed25519"];
		let parse = |more: &[&str]| {
			let matches = command
				.clone()
				.try_get_matches_from([&args[..], more].concat());
			InsertCmd::from_arg_matches(&matches.unwrap()).unwrap()
		};
		assert_eq!(parse(&[]).uri, None);
		let inserts = parse(&["--suri", "//Alice"]);
		assert_eq!(inserts.uri.as_deref(), Some("//Alice"));
		assert!(!inserts.is_public);
	}

	#[test]
	fn a_network_key_may_end_with_a_line_end() {
		let read = |content: &[u8]| node_key_of(content.to_vec());
		let bytes = [0xab; NODE_KEY_LENGTH];
		let digits = hex::encode(bytes);
		assert_eq!(read(&bytes).unwrap().as_ref(), bytes);
		for (before, after) in [
			("", ""),
			("", "\n"),
			("", "\r\n"),
			("0x", "\n"),
			(" 0X", "\n"),
			(" ", "  \n\n"),
		] {
			let text = format!("{before}{digits}{after}");
			assert_eq!(read(text.as_bytes()).unwrap().as_ref(), bytes, "{text:?}");
		}
		let half = &digits[..NODE_KEY_LENGTH + 2];
		for text in [
			"",
			"abc",
			half,
			&format!("{digits}ab"),
			&format!("{half} {half}"),
		] {
			let refused = read(text.as_bytes()).unwrap_err();
			assert_eq!(refused.kind(), io::ErrorKind::InvalidData, "{text:?}");
		}
	}
}
