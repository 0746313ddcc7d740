// SPDX-License-Identifier: Apache-2.0
//! `isthmus key`: manages key files, and an account's encryption key on the chain.

use crate::{
	context::Context, error::Error, key_file, options::Options, passphrase, report::Report,
};
use isthmus_sdk::{
	envelope::{KeyFile, Secrets},
	Account, AccountId, BlockNumber, Identity,
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
  isthmus key publish --key company.key")]
pub(crate) struct Opts {
	#[command(subcommand)]
	command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
	/// Create an account and all its secrets in a new key file
	///
	/// The file is encrypted under a passphrase. Without the file and its passphrase no one can read the
	/// account's data: keep a copy.
	Generate {
		/// New file
		file: PathBuf,
	},
	/// Create a key file for an existing account
	///
	/// Asks for the account's secret phrase or its seed in hexadecimal, or reads it from stdin. The other
	/// secrets are new.
	Import {
		/// New file
		file: PathBuf,
	},
	/// Show the address and the public encryption key in a key file, without its passphrase
	Inspect {
		/// Key file
		file: PathBuf,
	},
	/// Register the account's encryption key on the chain, so that others can grant it access
	Publish,
	/// Remove the account's encryption key from the chain, and get its deposit back
	///
	/// The account can be granted nothing until it publishes a key again. The key file does not change.
	Withdraw,
	/// Replace the encryption key by a new one, and register that
	///
	/// The file keeps the old key, because earlier grants are sealed to it.
	Rotate,
}

/// What a key file shows without its passphrase.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
	account: String,
	encryption_key: String,
}

impl From<KeyFile> for Shown {
	fn from(file: KeyFile) -> Self {
		Self {
			account: file.account().to_owned(),
			encryption_key: file.encryption_key().to_owned(),
		}
	}
}

impl fmt::Display for Shown {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		writeln!(f, "account         {}", self.account)?;
		write!(f, "encryption key  {}", self.encryption_key)
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
			Box::new(create(&file, &Secrets::generate().map_err(Error::failed)?)?)
		}
		Command::Import { file } => {
			key_file::check_new(&file)?;
			let secret = passphrase::secret()?;
			Account::from_uri(&secret).map_err(Error::usage)?;
			let secrets = Secrets::for_account(secret).map_err(Error::failed)?;
			Box::new(create(&file, &secrets)?)
		}
		Command::Inspect { file } => Box::new(Shown::from(key_file::read(&file)?)),
		Command::Publish => {
			let context = Context::connect(options).await?;
			let identity = context.identity().await?;
			Box::new(publish(&context, &identity).await?)
		}
		Command::Withdraw => Box::new(withdraw(options).await?),
		Command::Rotate => Box::new(rotate(options).await?),
	})
}

fn create(file: &Path, secrets: &Secrets) -> Result<Shown, Error> {
	let passphrase = passphrase::new()?;
	Ok(key_file::create(file, secrets, &passphrase)?.into())
}

async fn publish(context: &Context, identity: &Identity) -> Result<Changed, Error> {
	let key = identity.encryption[0].public_key();
	let account = *identity.id();
	let best = context.client.best().await?;
	if best.encryption_key(&account).await?.as_ref() == Some(&key) {
		return Ok(Changed {
			account,
			block: None,
			published: true,
		});
	}
	let call = context.client.set_encryption_key(&key).await?;
	Ok(Changed {
		account,
		block: Some(context.send(identity, &call).await?.number()),
		published: true,
	})
}

async fn withdraw(options: Options) -> Result<Changed, Error> {
	let context = Context::connect(options).await?;
	let identity = context.identity().await?;
	let account = *identity.id();
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
	let key = options.key()?;
	if key.starts_with("//") {
		return Err(
			Error::usage("the keys of a development account cannot be changed")
				.hint("use a key file: isthmus key generate FILE"),
		);
	}
	let context = Context::connect(options).await?;
	// Write the file first: if the new key were only on the chain, grants sealed to it could never be opened.
	// Hold the lock until the key is on the chain, so that the chain's key is the file's current one.
	let (identity, _lock) = key_file::rotate(Path::new(&key))?;
	publish(&context, &identity).await
}
