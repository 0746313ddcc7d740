// SPDX-License-Identifier: Apache-2.0
//! `isthmus key`: manages key files, and an account's encryption key on the chain.

use crate::{
	context::Context,
	error::{Error, Kind},
	key_file,
	options::Options,
	recovery,
	report::Report,
	secret,
	text::count,
	uses::{Uses, NODE, OPENS, SENDS_AND_ENDS},
};
use isthmus_sdk::envelope::paths::ShowPath;
use isthmus_sdk::{
	envelope::Secrets, sharing, AccountId, BlockNumber, GrantState, Identity, OpeningGrant,
};
use serde::Serialize;
use std::{
	fmt,
	path::{Path, PathBuf},
};

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  isthmus key generate school.key
  isthmus key inspect school.key
  isthmus key publish --key company.key
  isthmus key restore school.key
  isthmus key split school.key --of 5 --need 3")]
pub(crate) struct Opts {
	#[command(subcommand)]
	command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
	/// Create an account and all its secrets in a new key file
	///
	/// All secrets come from one seed. It is shown in 24 words: write them down, because without the file and the
	/// words no one can read what the account stored or was granted. Some of the words are asked for, to see that they are
	/// written down. If $ISTHMUS_PASSPHRASE is set, nothing is shown or asked: see the words with `isthmus key words`.
	///
	/// The file is encrypted under a passphrase.
	Generate {
		/// New file
		#[arg(value_parser = secret::path())]
		file: PathBuf,
	},
	/// Create a key file for an existing account
	///
	/// Asks for the account's secret phrase or its seed in hexadecimal, or reads it from stdin. The other
	/// secrets come from a new seed, which is shown in 24 words, as by `isthmus key generate`. To bring back an imported
	/// account, both are needed: its own secret and the 24 words.
	Import {
		/// New file
		#[arg(value_parser = secret::path())]
		file: PathBuf,
	},
	/// Show the address and the seed's fingerprint in a key file, without its passphrase
	Inspect {
		/// Key file
		#[arg(value_parser = secret::path())]
		file: PathBuf,
	},
	/// Show the 24 words of a key file's seed
	Words {
		/// Key file
		#[arg(value_parser = secret::path())]
		file: PathBuf,
	},
	/// Make a key file from the 24 words of its seed
	///
	/// Asks for the words, or reads them from a line of stdin. They bring back the account, unless it was imported, all
	/// its records and all grants that it was given.
	Restore {
		/// New file
		#[arg(value_parser = secret::path())]
		file: PathBuf,

		/// Restore an imported account: ask for its own secret, too, or read it from the next line of stdin
		#[arg(long)]
		imported: bool,
	},
	/// Change the passphrase of a key file
	///
	/// A script passes the new passphrase in $ISTHMUS_NEW_PASSPHRASE.
	Passphrase {
		/// Key file
		#[arg(value_parser = secret::path())]
		file: PathBuf,
	},
	/// Check that a key file, for example a backup, opens what the chain has for the account
	Verify {
		/// Key file
		#[arg(value_parser = secret::path())]
		file: PathBuf,
	},
	/// Split a key file's seed among several people
	///
	/// Prints one share a line. Fewer shares than are needed tell nothing about the seed.
	Split {
		/// Key file
		#[arg(value_parser = secret::path())]
		file: PathBuf,

		/// Number of shares to make
		#[arg(long, value_name = "NUMBER")]
		of: u8,

		/// Number of shares that bring the seed back
		#[arg(long, value_name = "NUMBER")]
		need: u8,
	},
	/// Make a key file from the shares of its seed
	///
	/// Reads the shares from stdin, one a line, or asks for them.
	Join {
		/// New file
		#[arg(value_parser = secret::path())]
		file: PathBuf,

		/// Restore an imported account: ask for its own secret, too, or read it from the line after the shares
		#[arg(long)]
		imported: bool,
	},
	/// Register the account's encryption key on the chain, so that others can grant it access
	Publish,
	/// Remove the account's encryption key from the chain, and get its deposit back
	///
	/// The account can be granted nothing until it publishes a key again. The key file does not change.
	Withdraw,
	/// Register a new encryption key on the chain in the place of the old one
	///
	/// The key file does not change: every key comes from its seed, so earlier grants stay readable.
	Rotate,
}

impl Opts {
	/// Returns what the command does.
	pub(crate) fn uses(&self) -> Uses {
		use Command::{Publish, Rotate, Verify, Withdraw};
		match self.command {
			Publish | Withdraw | Rotate => SENDS_AND_ENDS,
			Verify { .. } => NODE | OPENS,
			_ => 0,
		}
	}
}

/// An encryption key that was registered or removed.
#[derive(Serialize)]
struct Changed {
	account: AccountId,
	/// The block; `None` if the chain had the key already and nothing was sent.
	block: Option<BlockNumber>,
	#[serde(skip)]
	published: bool,
}

impl fmt::Display for Changed {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self { account, .. } = self;
		match (self.block, self.published) {
			(Some(block), true) => write!(f, "block {block}: {account} can be granted access"),
			(None, true) => write!(f, "{account} can be granted access already, with this key"),
			(Some(block), false) => {
				write!(
					f,
					"block {block}: {account} can no longer be granted access"
				)
			}
			(None, false) => write!(f, "{account} can be granted no access"),
		}
	}
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Box<dyn Report>, Error> {
	Ok(match opts.command {
		Command::Generate { file } => {
			key_file::check_new(&file)?;
			Box::new(recovery::create(
				&file,
				&Secrets::generate().map_err(Error::failed)?,
			)?)
		}
		Command::Import { file } => Box::new(recovery::import(&file)?),
		Command::Inspect { file } => Box::new(key_file::Shown::from(key_file::read(&file)?)),
		Command::Words { file } => Box::new(recovery::words(&file)?),
		Command::Restore { file, imported } => Box::new(recovery::restore(&file, imported)?),
		Command::Passphrase { file } => Box::new(recovery::passphrase(&file)?),
		Command::Verify { file } => Box::new(verify(&file, options).await?),
		Command::Split { file, of, need } => Box::new(recovery::split(&file, of, need)?),
		Command::Join { file, imported } => Box::new(recovery::join(&file, imported)?),
		Command::Publish => {
			let context = Context::connect_with_key(options).await?;
			let identity = context.identity().await?;
			Box::new(publish(&context, &identity, false).await?)
		}
		Command::Withdraw => Box::new(withdraw(options).await?),
		Command::Rotate => Box::new(rotate(options).await?),
	})
}

/// Registers a key of the account, unless one is registered already and need not be `new`.
async fn publish(context: &Context, identity: &Identity, new: bool) -> Result<Changed, Error> {
	let client = &context.client;
	let call = match new {
		true => {
			let pair = identity.encryption.fresh().map_err(Error::failed)?;
			Some(client.set_encryption_key(&pair.public_key()).await?)
		}
		false => sharing::publish(client, identity).await?,
	};
	let block = match call {
		Some(call) => Some(context.send(identity, &call).await?.number()),
		None => None,
	};
	Ok(Changed {
		account: *identity.account.id(),
		block,
		published: true,
	})
}

async fn withdraw(options: Options) -> Result<Changed, Error> {
	let context = Context::connect_with_key(options).await?;
	let identity = context.identity().await?;
	let account = *identity.account.id();
	let best = context.client.best().await?;
	if best.encryption_key(&account).await?.is_none() {
		return Err(Error::refused(format!(
			"{account} has no encryption key on the chain"
		)));
	}
	let call = context.client.remove_encryption_key().await?;
	Ok(Changed {
		account,
		block: Some(context.send(&identity, &call).await?.number()),
		published: false,
	})
}

async fn rotate(options: Options) -> Result<Changed, Error> {
	let context = Context::connect_with_key(options).await?;
	let identity = context.identity().await?;
	publish(&context, &identity, true).await
}

/// What of the chain a key file opens.
#[derive(Serialize)]
struct Verified {
	account: AccountId,
	/// The finalized block whose state was looked at.
	block: BlockNumber,
	/// How many of the grants that the account was given open.
	grants: usize,
	/// Whether the account has registered a key, which comes from the file.
	registered: bool,
}

impl fmt::Display for Verified {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			account,
			block,
			grants,
			registered,
		} = self;
		let grants = count(*grants as u64, "grant");
		write!(
			f,
			"at finalized block {block}, the file opens {grants} of {account}"
		)?;
		f.write_str(match registered {
			true => ", and has the key that is registered",
			false => ". No key of the account is registered there",
		})
	}
}

async fn verify(file: &Path, options: Options) -> Result<Verified, Error> {
	key_file::check_there(file)?;
	let context = Context::connect(options).await?;
	let identity = key_file::open(file)?;
	let (client, account) = (&context.client, *identity.account.id());
	let proven = client.proven().await?;
	let registered = proven.encryption_key(&account).await?;
	let registered = registered.map(|key| identity.encryption.pair_of(&key).is_some());
	let active = Some(GrantState::Active);
	let (mut grants, mut lost) = (0, 0usize);
	for entry in proven.grants_to(&account, active).await? {
		let grant = entry.grant;
		let opening = OpeningGrant {
			grant: entry.id,
			scope: grant.scope,
			expiry: grant.expiry,
			until: grant.until,
			sealed_keys: grant.sealed_keys,
		};
		match sharing::open(client, &identity, &grant.owner, &opening) {
			Ok(_) => grants += 1,
			Err(_) => lost += 1,
		}
	}
	if registered == Some(false) || lost > 0 {
		let what = match lost {
			0 => "what is sealed to the key that the account has registered".to_owned(),
			count => format!("{count} of the account's grants"),
		};
		return Err(Error::new(
			Kind::NotAuthentic,
			format!("{} does not open {what}", file.shown()),
		)
		.hint("it belongs to another seed: use the words, the shares or a copy of the file that the account uses"));
	}
	Ok(Verified {
		account,
		block: proven.block().number,
		grants,
		registered: registered.is_some(),
	})
}
