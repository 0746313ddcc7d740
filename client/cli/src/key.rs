//! `isthmus key`: key files.

use crate::{
	context::Options,
	error::Error,
	keyfile::{self, Secrets},
};
use isthmus_sdk::envelope::EncryptionKeyPair;
use std::{
	io::{BufRead, IsTerminal},
	path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// What the command is given.
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
	/// Makes a new account with all its secrets, in a new file, locked with a passphrase. Whoever has
	/// neither file nor passphrase cannot read the account's data, nor can anybody bring them back.
	Generate {
		/// The new file.
		file: PathBuf,
	},
	/// As generate, for an account that there is already: its phrase, or its seed in hex, is asked for
	/// or read from stdin. The other secrets are new.
	Import {
		/// The new file.
		file: PathBuf,
	},
	/// Shows the public side of a key file: its address and its encryption key. Needs no passphrase.
	Inspect {
		/// The file.
		file: PathBuf,
	},
	/// Registers the encryption key on the chain, so that grants can be sealed to it.
	Publish,
	/// Takes the encryption key back from the chain: nothing can be granted to the account any more. Its
	/// deposit comes back, and the file stays as it is.
	Withdraw,
	/// Makes a new encryption key pair and registers it. The old one stays in the file, as grants that
	/// were sealed to it still are.
	Rotate,
}

/// Does what the command says.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<(), Error> {
	match opts.command {
		Command::Generate { file } => create(&file, None, options.json),
		Command::Import { file } => {
			let account = Zeroizing::new(secret()?);
			isthmus_sdk::Account::from_uri(&account).map_err(Error::usage)?;
			create(&file, Some(account), options.json)
		}
		Command::Inspect { file } => show(&file, options.json),
		Command::Publish => {
			let context = options.connect().await?;
			let identity = context.identity().await?;
			publish(&context, &identity).await
		}
		Command::Withdraw => {
			let context = options.connect().await?;
			let identity = context.identity().await?;
			let call = context.client.remove_encryption_key().await?;
			let block = context.send(&identity, &call).await?.number();
			context.answer(
				format!("block {block}: nothing can be granted to {}", identity.id()),
				serde_json::json!({"block": block, "account": identity.id()}),
			);
			Ok(())
		}
		Command::Rotate => {
			let key = options.key()?;
			if key.starts_with("//") {
				return Err(Error::usage("a development account's keys are fixed"));
			}
			let context = options.connect().await?;
			// Held until the new key is on the chain: the last one there is then the file's current one.
			let (secrets, _held) = keyfile::update(Path::new(&key), |secrets| {
				let pair = EncryptionKeyPair::generate().map_err(Error::failed)?;
				secrets.encryption.insert(0, pair);
				Ok(())
			})?;
			// In the file first: a key on the chain that nobody has would lose what is sealed to it.
			publish(&context, &secrets.identity()?).await
		}
	}
}

/// Reads an account's secret without showing it.
fn secret() -> Result<String, Error> {
	if std::io::stdin().is_terminal() {
		return rpassword::prompt_password("Phrase or seed: ").map_err(Error::failed);
	}
	let mut line = String::new();
	std::io::stdin()
		.lock()
		.read_line(&mut line)
		.map_err(Error::failed)?;
	Ok(line.trim().to_owned())
}

fn create(file: &Path, account: Option<Zeroizing<String>>, json: bool) -> Result<(), Error> {
	if file.exists() {
		return Err(
			Error::failed(format!("{} is there already", file.display()))
				.hint("a key file is never written over: take another name"),
		);
	}
	let passphrase = keyfile::new_passphrase()?;
	keyfile::write(file, &Secrets::generate(account)?, &passphrase, false)?;
	show(file, json)
}

fn show(file: &Path, json: bool) -> Result<(), Error> {
	let label = keyfile::inspect(file)?;
	match json {
		true => println!(
			"{}",
			serde_json::json!({"account": label.account, "encryptionKey": label.encryption_key})
		),
		false => println!(
			"account         {}\nencryption key  {}",
			label.account, label.encryption_key
		),
	}
	Ok(())
}

async fn publish(
	context: &crate::context::Context,
	identity: &isthmus_sdk::Identity,
) -> Result<(), Error> {
	let key = identity.encryption[0].public_key();
	let call = context.client.set_encryption_key(&key).await?;
	let block = context.send(identity, &call).await?.number();
	context.answer(
		format!(
			"block {block}: grants to {} can be sealed now",
			identity.id()
		),
		serde_json::json!({"block": block, "account": identity.id()}),
	);
	Ok(())
}
