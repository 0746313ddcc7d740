//! Who acts: an account that signs, and an identity, which holds an account's other secrets too.

use crate::{error::Error, types::AccountId};
use isthmus_envelope::{random_bytes, EncryptionKeyPair, MasterSecret};
use std::{str::FromStr, sync::Arc};
use subxt::config::{substrate::BlakeTwo256, Hasher};
use subxt_signer::{sr25519::Keypair, SecretUri};
use zeroize::Zeroizing;

/// An account that can sign. Cheap to clone.
#[derive(Clone)]
pub struct Account {
	pair: Arc<Keypair>,
	id: AccountId,
}

impl std::fmt::Debug for Account {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		write!(f, "Account({})", self.id)
	}
}

impl Account {
	/// The account of an sr25519 seed.
	///
	/// # Errors
	///
	/// [`Error::Secret`], which does not happen for 32 bytes.
	pub fn from_seed(seed: [u8; 32]) -> Result<Self, Error> {
		let pair = Keypair::from_secret_key(seed).map_err(|_| Error::Secret("the seed"))?;
		Ok(Self::new(pair))
	}

	/// The account of a secret as wallets write it: a phrase of words or a seed in hex, then derivations
	/// as `//hard` and `/soft`, then `///` and a password. With nothing before it a derivation is from
	/// the phrase that every development chain uses: `//Alice`.
	///
	/// # Errors
	///
	/// [`Error::Secret`] for anything else.
	pub fn from_uri(uri: &str) -> Result<Self, Error> {
		let refused = || Error::Secret("what was given");
		let uri = SecretUri::from_str(uri).map_err(|_| refused())?;
		let pair = Keypair::from_uri(&uri).map_err(|_| refused())?;
		Ok(Self::new(pair))
	}

	fn new(pair: Keypair) -> Self {
		let id = pair.public_key().to_account_id();
		Self {
			pair: Arc::new(pair),
			id,
		}
	}

	/// The account's address.
	pub fn id(&self) -> &AccountId {
		&self.id
	}

	/// The sr25519 signature of a message.
	pub fn sign(&self, message: &[u8]) -> [u8; 64] {
		self.pair.sign(message).0
	}

	pub(crate) fn pair(&self) -> &Keypair {
		&self.pair
	}
}

/// An account with its other secrets: the master secret, from which follow the keys of everything that
/// it stores, and the pairs that grants to it are sealed to.
#[derive(Clone, Debug)]
pub struct Identity {
	/// What signs.
	pub account: Account,
	/// What its own records are encrypted under.
	pub master: MasterSecret,
	/// What grants to it are sealed to: the current pair first, then those before it, which old grants
	/// stay sealed to.
	pub encryption: Vec<EncryptionKeyPair>,
}

impl Identity {
	/// New secrets, and the account's seed, from the system's source of randomness.
	///
	/// # Errors
	///
	/// [`Error::Random`] where that fails.
	pub fn generate() -> Result<(Self, Zeroizing<[u8; 32]>), Error> {
		let seed = Zeroizing::new(random_bytes()?);
		let identity = Self {
			account: Account::from_seed(*seed)?,
			master: MasterSecret::generate()?,
			encryption: vec![EncryptionKeyPair::generate()?],
		};
		Ok((identity, seed))
	}

	/// The identity of a development account, `//Alice` say. All its secrets follow from its name and
	/// are known to everybody: it protects nothing.
	///
	/// # Errors
	///
	/// [`Error::Secret`] for what is not such a name.
	pub fn development(uri: &str) -> Result<Self, Error> {
		if !uri.starts_with("//") {
			return Err(Error::Secret("what was given"));
		}
		let secret = |label: &str| {
			BlakeTwo256
				.hash(&[label.as_bytes(), uri.as_bytes()].concat())
				.0
		};
		Ok(Self {
			account: Account::from_uri(uri)?,
			master: MasterSecret::from_bytes(secret("isthmus/development/master/")),
			encryption: vec![EncryptionKeyPair::from_seed(secret(
				"isthmus/development/encryption/",
			))],
		})
	}

	/// The account's address.
	pub fn id(&self) -> &AccountId {
		self.account.id()
	}
}
