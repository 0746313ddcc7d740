// SPDX-License-Identifier: Apache-2.0
//! Accounts, which can sign, and identities, which also hold an account's other secrets.

use crate::{
	error::{Error, OperatorError},
	types::{AccountId, Leaf},
};
use isthmus_envelope::{
	EncryptionSecret, EpochId, EpochKeys, ErasableError, ErasableFile, ErasableTree, MasterSecret,
	Secrets, Seed,
};
use std::{path::Path, str::FromStr, sync::Arc};
use subxt::config::{substrate::BlakeTwo256, Hasher};
use subxt_signer::{sr25519::Keypair, SecretUri};
use zeroize::Zeroizing;

/// An account that can sign. It is cheap to clone.
#[derive(Clone)]
pub struct Account {
	pair: Arc<Keypair>,
	id: AccountId,
	/// The account as the owner of whose datasets this one acts, and by which right; `None` if it is this one.
	acts_for: Option<(AccountId, Right)>,
}

/// The right by which an account acts for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
	/// It took over a dataset: it derives the keys, and has the deposits.
	Controller,
	/// The owner named it as a proxy of the kind [`ProxyKind::Sharing`](crate::ProxyKind::Sharing), and gave it keys.
	Operator,
}

impl std::fmt::Debug for Account {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		write!(f, "Account({})", self.id)
	}
}

impl Account {
	/// Creates the account for an sr25519 seed.
	///
	/// # Errors
	///
	/// Returns [`Error::InvalidSecret`] if the seed is invalid. This does not happen in practice, because any
	/// 32 bytes are a valid seed.
	pub fn from_seed(seed: [u8; 32]) -> Result<Self, Error> {
		let pair = Keypair::from_secret_key(seed).map_err(|_| Error::InvalidSecret)?;
		Ok(Self::new(pair))
	}

	/// Creates the account for a secret as wallets write it: a phrase of words or a seed in hexadecimal
	/// digits, then derivations such as `//hard` and `/soft`, then `///` and a password. A derivation with
	/// nothing before it, such as `//Alice`, starts from the phrase that every development chain uses.
	///
	/// ```
	/// let alice = isthmus_sdk::Account::from_uri("//Alice")?;
	/// assert_eq!(alice.id().to_string(), "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY");
	/// # Ok::<(), isthmus_sdk::Error>(())
	/// ```
	///
	/// # Errors
	///
	/// Returns [`Error::InvalidSecret`] if the text is not such a secret.
	pub fn from_uri(uri: &str) -> Result<Self, Error> {
		let uri = secret_uri(uri);
		let uri = SecretUri::from_str(&uri).map_err(|_| Error::InvalidSecret)?;
		let pair = Keypair::from_uri(&uri).map_err(|_| Error::InvalidSecret)?;
		Ok(Self::new(pair))
	}

	fn new(pair: Keypair) -> Self {
		let id = pair.public_key().to_account_id();
		Self {
			pair: Arc::new(pair),
			id,
			acts_for: None,
		}
	}

	/// Returns the account as the owner of whose datasets this one acts, if that is another one, and by which right.
	pub(crate) fn acts_for(&self) -> Option<(&AccountId, Right)> {
		self.acts_for.as_ref().map(|(owner, right)| (owner, *right))
	}

	/// Returns whether this account acts as an [operator](crate::operator).
	pub fn is_operator(&self) -> bool {
		matches!(self.acts_for, Some((_, Right::Operator)))
	}

	/// Returns the account as one that acts for no other: what is sent with it takes effect for the account itself, as what
	/// a reader sends has to.
	#[must_use]
	pub fn itself(&self) -> Self {
		Self {
			acts_for: None,
			..self.clone()
		}
	}

	/// Returns the account's address: the one that signs and pays, and to which grants are given.
	pub fn id(&self) -> &AccountId {
		&self.id
	}

	/// Signs a message with sr25519.
	pub fn sign(&self, message: &[u8]) -> [u8; 64] {
		self.pair.sign(message).0
	}

	pub(crate) fn pair(&self) -> &Keypair {
		&self.pair
	}
}

/// Reads an account's address. A development account may also be named by its derivation, such as `//Alice`.
///
/// # Errors
///
/// Returns [`Error::InvalidAccount`] or [`Error::InvalidSecret`] if the text is neither.
pub fn parse_account(text: &str) -> Result<AccountId, Error> {
	match text.starts_with("//") {
		true => Ok(*Account::from_uri(text)?.id()),
		false => AccountId::from_str(text).map_err(|_| Error::InvalidAccount),
	}
}

/// The least number of words in a phrase.
const LEAST_WORDS: usize = 12;

/// Returns a secret in the form in which wallets of this kind of chain write it: other programs write a seed without `0x`, with
/// `0X` or with spaces around it, or a phrase with capitals, and some editors write a byte order mark first.
pub fn secret_uri(secret: &str) -> Zeroizing<String> {
	let secret = secret.strip_prefix('\u{feff}').unwrap_or(secret);
	let (seed, path) = secret.split_at(secret.find('/').unwrap_or(secret.len()));
	let seed = seed.trim();
	let small = seed.strip_prefix("0x");
	let seed = small.or(seed.strip_prefix("0X")).unwrap_or(seed);
	let is_seed = seed.len() == 64 && seed.bytes().all(|digit| digit.is_ascii_hexdigit());
	let is_phrase = secret.split_whitespace().count() >= LEAST_WORDS
		&& secret
			.chars()
			.all(|letter| letter.is_ascii_alphabetic() || letter.is_whitespace());
	Zeroizing::new(match (is_seed, is_phrase) {
		(true, _) => format!("0x{seed}{path}"),
		(_, true) => secret.to_ascii_lowercase(),
		_ => secret.to_owned(),
	})
}

/// An account with its other secrets: the master secret, from which the keys of all its records are derived,
/// and the secret of the key pairs to which its grants are sealed.
#[derive(Clone, Debug)]
pub struct Identity {
	/// The account, which signs.
	pub account: Account,
	/// The secret from which the keys of the account's own records are derived.
	pub master: MasterSecret,
	/// The secret from which the key pairs are derived to which grants to the account are sealed.
	pub encryption: EncryptionSecret,
	/// Where the keys of the account's erasable epochs are kept; `None` if it can have no such epochs.
	pub erasable: Option<ErasableFile>,
}

impl Identity {
	/// Generates an identity and returns the seed from which it can be made again.
	///
	/// # Errors
	///
	/// Returns [`Error::Random`] if the system provides no randomness.
	pub fn generate() -> Result<(Self, Seed), Error> {
		let seed = Seed::generate()?;
		Ok((Self::from_seed(&seed)?, seed))
	}

	/// Creates the identity of a seed.
	///
	/// # Errors
	///
	/// Returns [`Error::InvalidSecret`] like [`Account::from_seed`].
	pub fn from_seed(seed: &Seed) -> Result<Self, Error> {
		Ok(Self {
			account: Account::from_seed(*seed.account())?,
			master: seed.master(),
			encryption: seed.encryption(),
			erasable: None,
		})
	}

	/// Creates the identity of a key file's secrets. The keys of its erasable epochs are kept beside that file.
	///
	/// # Errors
	///
	/// Returns [`Error::InvalidSecret`] if the secret of an imported account is invalid.
	pub fn of_key_file(path: &Path, secrets: &Secrets) -> Result<Self, Error> {
		let account = Account::from_uri(&secrets.account())?;
		let master = secrets.seed.master();
		let erasable = ErasableFile::beside(path, &master, account.id().0);
		Ok(Self {
			account,
			master,
			encryption: secrets.seed.encryption(),
			erasable: Some(erasable),
		})
	}

	/// Creates the identity of a development account, for example `//Alice`. All its secrets are derived from
	/// its name, so anyone can create it, and it protects nothing.
	///
	/// # Errors
	///
	/// Returns [`Error::InvalidDevelopmentAccount`] if the name is not a derivation.
	pub fn development(uri: &str) -> Result<Self, Error> {
		if !uri.starts_with("//") {
			return Err(Error::InvalidDevelopmentAccount);
		}
		let secret = |label: &str| {
			BlakeTwo256
				.hash(&[label.as_bytes(), uri.as_bytes()].concat())
				.0
		};
		Ok(Self {
			account: Account::from_uri(uri)?,
			master: MasterSecret::from_bytes(secret("isthmus/development/master/")),
			encryption: EncryptionSecret::from_bytes(secret("isthmus/development/encryption/")),
			erasable: None,
		})
	}

	/// Returns the account's address or, if the identity [acts for](Self::acting_for) another account, that one's: the
	/// account in the addresses of the identity's datasets. Who signs, pays and reads is `account.id()`.
	pub fn id(&self) -> &AccountId {
		match self.account.acts_for() {
			Some((owner, _)) => owner,
			None => self.account.id(),
		}
	}

	/// Returns the identity that acts as the owner of datasets of `owner` that this account took over. All calls that are
	/// sent with it are carried out for that owner, signed and paid by this account. It keeps no erasable epochs.
	#[must_use]
	pub fn acting_for(mut self, owner: AccountId) -> Self {
		if owner != *self.account.id() {
			self.account.acts_for = Some((owner, Right::Controller));
			self.erasable = None;
		}
		self
	}

	/// Returns the identity that acts for an owner as its [operator](crate::operator): what is sent with it is carried out as
	/// the owner's, and paid by this account. It grants with the keys that the owner granted to it.
	#[must_use]
	pub fn operating_for(self, owner: AccountId) -> Self {
		let mut identity = self.acting_for(owner);
		if let Some((_, right)) = &mut identity.account.acts_for {
			*right = Right::Operator;
		}
		identity
	}

	/// Returns the keys of an epoch of the account's own: from the file of erasable keys, if the epoch is erasable, and
	/// otherwise from the master secret.
	///
	/// # Errors
	///
	/// Returns [`Error::Erasable`] if the epoch is erasable and its keys are not in that file, or if the file cannot be
	/// read, and [`Error::Operator`] if the identity acts as an operator, whose secret is not the one of the owner's records.
	pub fn epoch_keys(&self, id: &EpochId) -> Result<EpochKeys, Error> {
		if let Some((owner, Right::Operator)) = self.account.acts_for() {
			return Err(OperatorError::NoSecret { owner: *owner }.into());
		}
		let tree = match &self.erasable {
			Some(file) => file.keys(id)?,
			None => None,
		};
		Ok(match tree {
			Some(tree) => EpochKeys::Erasable(tree),
			None => EpochKeys::Derived(self.master.epoch_root(id)),
		})
	}

	/// Returns which leaves of an epoch of the account's own were erased. If the epoch has no keys yet, none was.
	///
	/// # Errors
	///
	/// Returns [`Error::Erasable`] if the file of erasable keys cannot be read.
	pub(crate) fn erased_leaves(&self, id: &EpochId) -> Result<Erased, Error> {
		match self.erasable.as_ref().map(|file| file.keys(id)) {
			None | Some(Err(ErasableError::Missing { .. })) => Ok(Erased(None)),
			Some(tree) => Ok(Erased(tree?)),
		}
	}

	/// Returns the file of erasable keys.
	///
	/// # Errors
	///
	/// Returns [`Error::Erasable`] if the identity has none.
	pub fn erasable_file(&self) -> Result<&ErasableFile, Error> {
		Ok(self.erasable.as_ref().ok_or(ErasableError::NoFile)?)
	}

	/// Draws the keys of an epoch that has no records yet, if it is erasable.
	pub(crate) fn start_epoch(&self, id: &EpochId) -> Result<(), Error> {
		match &self.erasable {
			Some(file) => Ok(file.start(id)?),
			None => Ok(()),
		}
	}
}

/// Which leaves of an epoch were erased.
pub(crate) struct Erased(Option<ErasableTree>);

impl Erased {
	/// Returns whether a leaf was erased.
	pub(crate) fn has(&self, leaf: Leaf) -> bool {
		self.0
			.as_ref()
			.is_some_and(|tree| tree.leaf_key(leaf).is_err())
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn an_identity_that_acts_for_an_owner_pays_and_reads_as_itself() {
		let id = |name: &str| *Account::from_uri(name).unwrap().id();
		let bob = Identity::development("//Bob").unwrap();
		let acting = bob.acting_for(id("//Alice"));
		assert_eq!(
			(*acting.id(), *acting.account.id()),
			(id("//Alice"), id("//Bob"))
		);
		let (alice, right) = (&id("//Alice"), Right::Controller);
		assert_eq!(acting.account.acts_for(), Some((alice, right)));
		assert!(!acting.account.is_operator());
		let itself = acting.account.itself();
		assert_eq!((*itself.id(), itself.acts_for()), (id("//Bob"), None));
		// An account that acts for itself needs no other's call.
		let own = Identity::development("//Bob")
			.unwrap()
			.acting_for(id("//Bob"));
		assert_eq!((own.id(), own.account.acts_for()), (&id("//Bob"), None));
	}

	#[test]
	fn an_operator_acts_for_an_owner_and_none_for_itself() {
		let bob = Identity::development("//Bob").unwrap();
		let (alice, own) = (
			*Account::from_uri("//Alice").unwrap().id(),
			*bob.account.id(),
		);
		let operator = bob.clone().operating_for(alice);
		assert_eq!((operator.id(), operator.account.id()), (&alice, &own));
		assert_eq!(operator.account.acts_for(), Some((&alice, Right::Operator)));
		assert!(operator.account.is_operator());
		// Keys of its own secret would open nothing of the owner's.
		let id = EpochId {
			genesis: [1; 32],
			owner: alice.0,
			dataset: 0,
			epoch: 0,
		};
		let refused = operator.epoch_keys(&id).unwrap_err();
		assert!(
			matches!(refused, Error::Operator(OperatorError::NoSecret { owner }) if owner == alice),
			"{refused:?}"
		);
		assert!(bob.epoch_keys(&id).is_ok());
		assert!(!bob.operating_for(own).account.is_operator());
	}

	#[test]
	fn a_secret_may_be_in_the_form_of_another_program() {
		let id = |secret: &str| Account::from_uri(secret).map(|account| *account.id());
		let seed = "e5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a";
		let expected = id(&format!("0x{seed}")).unwrap();
		let upper = seed.to_uppercase();
		for same in [
			seed,
			&upper,
			&format!(" {seed}\n"),
			&format!("\u{feff}0x{seed}"),
			&format!("  0X{upper} \r\n"),
			&format!(" 0x{seed} "),
		] {
			assert_eq!(id(same).unwrap(), expected, "{same:?}");
			assert_eq!(secret_uri(same).to_lowercase(), format!("0x{seed}"));
		}
		let derived = id(&format!("0x{seed}//hard///pass word ")).unwrap();
		let other = format!(" 0X{upper}//hard///pass word ");
		assert_eq!(id(&other).unwrap(), derived);
		let phrase = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
		let expected = id(phrase).unwrap();
		for same in [
			phrase.to_uppercase(),
			phrase.replace("bottom", "Bottom"),
			format!("\u{feff}{phrase}"),
		] {
			assert_eq!(id(&same).unwrap(), expected, "{same:?}");
		}
		// A derivation's capitals and a password's are its own.
		assert_ne!(id("//Alice").unwrap(), id("//alice").unwrap());
		let secret = |password| id(&format!("{phrase}///{password}")).unwrap();
		assert_ne!(secret("A"), secret("a"));
		for wrong in [&seed[1..], "0x", &format!("{seed}00"), "Bottom drive"] {
			assert!(matches!(id(wrong), Err(Error::InvalidSecret)), "{wrong:?}");
		}
	}
}
