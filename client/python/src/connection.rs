// SPDX-License-Identifier: Apache-2.0
//! A connection to a chain.

use crate::{
	entries::{Dataset, Grant, Record},
	error::{raised, raised_by_file, Raised},
	per_process::PerProcess,
	runtime::wait,
	told::Told,
};
use isthmus_sdk::{
	envelope::key_file::KeyFile, every, from_typed_hex, key_name, names, parse_account, to_hex,
	AccountId, Balance, Budget, Call, Client, Error, Identity, Included, Names, Pending,
	RecordEntry, RecordKey, Trust,
};
use pyo3::{
	exceptions::{PyPermissionError, PyValueError},
	prelude::*,
};
use std::{
	collections::{BTreeMap, HashMap},
	fmt::Display,
	future::Future,
	path::{Path, PathBuf},
	sync::Arc,
	time::Duration,
};
use zeroize::Zeroizing;

/// What a connection is made with.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Options {
	/// The nodes' addresses, in the order in which they are tried.
	urls: Vec<String>,
	/// A key file, or a development account such as `//Alice`.
	key: Option<String>,
	passphrase: Option<String>,
	/// For how many seconds a node may be silent.
	timeout: u64,
	/// The hash of the chain's first block.
	genesis: Option<String>,
	/// The folder in which chains are remembered.
	memory: Option<PathBuf>,
	trust_node: bool,
	post_quantum_only: bool,
	/// Whether to wait until transactions are finalized.
	finalized: bool,
	/// The most that all transactions of this process may cost together.
	max_cost: Option<Balance>,
	/// The function that is called with what the user should know.
	tell: Py<PyAny>,
}

/// A connection to a chain, and the account to act as.
#[pyclass(frozen, module = "isthmus._native")]
pub(crate) struct Connection {
	urls: Vec<String>,
	silence: Duration,
	trust: Trust,
	post_quantum_only: bool,
	finalized: bool,
	budget: Budget,
	tell: Arc<Py<PyAny>>,
	identity: Option<Identity>,
	clients: PerProcess<Client>,
}

#[pymethods]
impl Connection {
	#[new]
	fn new(py: Python<'_>, options: Options) -> PyResult<Self> {
		let genesis = options.genesis.map(|text| block_hash(&text));
		let passphrase = options.passphrase.map(Zeroizing::new);
		let key = options.key;
		let identity = key.as_deref().map(|key| identity(py, key, passphrase));
		let connection = Self {
			urls: options.urls,
			silence: Duration::from_secs(options.timeout),
			trust: Trust {
				genesis: genesis.transpose()?,
				memory: options.memory,
				node: options.trust_node,
			},
			post_quantum_only: options.post_quantum_only,
			finalized: options.finalized,
			budget: Budget {
				most: options.max_cost,
				dry_run: false,
			},
			tell: Arc::new(options.tell),
			identity: identity.transpose()?,
			clients: PerProcess::new(),
		};
		connection.check_use_of(py, key.as_deref())?;
		Ok(connection)
	}

	/// Returns the account's address; `None` without a key.
	fn account(&self) -> Option<String> {
		self.identity
			.as_ref()
			.map(|identity| identity.id().to_string())
	}

	/// Returns the hash of the chain's first block.
	fn genesis(&self, py: Python<'_>) -> PyResult<String> {
		self.ask(py, async |client| Ok(to_hex(&client.genesis())))
	}

	/// Returns how many requests this process has sent so far, by method.
	fn requests_sent(&self, py: Python<'_>) -> PyResult<BTreeMap<String, u64>> {
		self.ask(py, async |client| Ok(client.requests()))
	}

	/// Returns an owner's datasets.
	fn datasets(&self, py: Python<'_>, owner: &str) -> PyResult<Vec<Dataset>> {
		let owner = account(owner)?;
		let entries = self.ask(py, async |client| {
			let best = client.best().await?;
			every(|after| best.datasets(&owner, after)).await
		})?;
		Ok(entries.into_iter().map(Dataset::from).collect())
	}

	/// Returns an owner's records, with the names that this account may see.
	fn records(&self, py: Python<'_>, owner: &str) -> PyResult<Vec<Record>> {
		let owner = account(owner)?;
		let reader = self.identity.as_ref();
		let (entries, shown) = self.ask(py, async |client| {
			let best = client.best().await?;
			let entries = every(|after| best.records(&owner, after)).await?;
			let shown = names_of(&client, reader, &owner, &entries).await?;
			Ok((entries, shown))
		})?;
		let record = |entry: RecordEntry| {
			let name = shown.get(&entry.key.0).map(key_name);
			Record::of(entry, name)
		};
		Ok(entries.into_iter().map(record).collect())
	}

	/// Returns the grants that an account gave, or that it received.
	fn grants(&self, py: Python<'_>, of: &str, received: bool) -> PyResult<Vec<Grant>> {
		let of = account(of)?;
		let entries = self.ask(py, async |client| {
			let best = client.best().await?;
			match received {
				true => every(|after| best.grants_to(&of, None, after)).await,
				false => every(|after| best.grants_of(&of, None, after)).await,
			}
		})?;
		Ok(entries.into_iter().map(Grant::from).collect())
	}
}

/// Returns the names that an account may see of records that hide theirs, by key.
async fn names_of(
	client: &Client,
	reader: Option<&Identity>,
	owner: &AccountId,
	entries: &[RecordEntry],
) -> Result<HashMap<[u8; 32], RecordKey>, Error> {
	let Some(reader) = reader else {
		return Ok(HashMap::new());
	};
	if reader.id() == owner {
		let names = Names::new(client, reader);
		let shown = |entry: &RecordEntry| Some((entry.key.0, names.name(&entry.key)?));
		return Ok(entries.iter().filter_map(shown).collect());
	}
	match names::readable(client, reader, owner).await {
		// A grant that the account cannot open shows no names.
		Err(Error::Grant(_) | Error::NotPostQuantum) => Ok(HashMap::new()),
		shown => Ok(shown?
			.into_iter()
			.map(|(key, name)| (key.0, name))
			.collect()),
	}
}

impl Connection {
	/// Returns the account to act as.
	pub(crate) fn identity(&self) -> PyResult<&Identity> {
		let missing = "this needs a key: connect with key=, or set ISTHMUS_KEY";
		let identity = self.identity.as_ref();
		identity.ok_or_else(|| PyPermissionError::new_err(missing))
	}

	/// Checks that an account may be used on the chain: everyone has the secrets of a development account.
	fn check_use_of(&self, py: Python<'_>, name: Option<&str>) -> PyResult<()> {
		let is_public = name.is_some_and(|name| name.starts_with("//"));
		let is_safe = self.ask(py, async |client| {
			Ok(!is_public || client.is_development().await?)
		})?;
		match is_safe {
			true => Ok(()),
			false => Err(PyValueError::new_err(
				"a development account works only on development chains, because its secrets are public",
			)),
		}
	}

	/// Reads the address of an account that gets keys or money.
	pub(crate) fn receiver(&self, py: Python<'_>, text: &str) -> PyResult<AccountId> {
		let account = account(text)?;
		self.check_use_of(py, Some(text))?;
		Ok(account)
	}

	/// Asks the chain something, over this process's connection.
	pub(crate) fn ask<Value, Asked>(
		&self,
		py: Python<'_>,
		ask: impl FnOnce(Client) -> Asked + Send,
	) -> PyResult<Value>
	where
		Value: Send,
		Asked: Future<Output = Result<Value, Error>>,
	{
		wait(py, || async move {
			let client = self.client().await.map_err(raised)?;
			ask(client.clone()).await.map_err(raised)
		})
	}

	/// Does something as the account, over this process's connection. It ends if the function that is told of the
	/// progress raises an exception.
	pub(crate) fn act<Value, Acted>(
		&self,
		py: Python<'_>,
		told: &Told,
		act: impl FnOnce(Client, Identity) -> Acted + Send,
	) -> PyResult<Value>
	where
		Value: Send,
		Acted: Future<Output = Result<Value, Raised>>,
	{
		let identity = self.identity()?.clone();
		wait(py, || async move {
			let client = self.client().await.map_err(raised)?;
			told.unless_raised(act(client, identity)).await
		})
	}

	/// Does the same with the account if there is one, which is not needed.
	pub(crate) fn look<Value: Send>(
		&self,
		py: Python<'_>,
		told: &Told,
		look: impl AsyncFnOnce(Client, Option<&Identity>) -> Result<Value, Raised> + Send,
	) -> PyResult<Value> {
		wait(py, || async move {
			let client = self.client().await.map_err(raised)?;
			told.unless_raised(look(client, self.identity.as_ref()))
				.await
		})
	}

	/// Signs and sends a call, and waits for its block.
	pub(crate) async fn send(
		&self,
		client: &Client,
		identity: &Identity,
		call: &Call,
	) -> Result<Included, Error> {
		let pending = client.submit(&identity.account, call).await?;
		self.included(pending).await
	}

	/// Waits until a transaction is in a block, or in a finalized one if that was chosen.
	pub(crate) async fn included(&self, mut pending: Pending) -> Result<Included, Error> {
		match self.finalized {
			true => pending.finalized().await,
			false => pending.included().await,
		}
	}

	/// Returns whether to wait until transactions are finalized.
	pub(crate) fn is_finalized(&self) -> bool {
		self.finalized
	}

	/// Returns this process's connection.
	pub(crate) async fn client(&self) -> Result<Client, Error> {
		if let Some(client) = self.clients.get() {
			return Ok(client.clone());
		}
		let client = Client::connect_with(&self.urls, self.silence, self.trust.clone()).await?;
		let tell = self.tell.clone();
		client.on_notice(move |notice| call(&tell, notice));
		let tell = self.tell.clone();
		client.on_wait(move |waiting| call(&tell, waiting));
		if self.post_quantum_only {
			client.post_quantum_only();
		}
		client.set_budget(self.budget);
		// If the node does not prove it now, what is read with proofs says why.
		let _ = client.know_chain().await;
		Ok(self.clients.keep(client.clone()).cloned().unwrap_or(client))
	}
}

/// Reads an account's address.
pub(crate) fn account(text: &str) -> PyResult<AccountId> {
	parse_account(text).map_err(raised)
}

/// Reads the hash of a block.
pub(crate) fn block_hash(text: &str) -> PyResult<[u8; 32]> {
	let expected = "expected the hash of a block: 0x and 64 hexadecimal digits";
	from_typed_hex(text).ok_or_else(|| PyValueError::new_err(expected))
}

/// Calls a function with a sentence. While Python ends, no function is called.
fn call(tell: &Py<PyAny>, what: &impl Display) {
	Python::try_attach(|py| {
		if let Err(error) = tell.call1(py, (what.to_string(),)) {
			error.write_unraisable(py, None);
		}
	});
}

/// Returns the identity of a key file or a development account.
fn identity(
	py: Python<'_>,
	key: &str,
	passphrase: Option<Zeroizing<String>>,
) -> PyResult<Identity> {
	if key.starts_with("//") {
		return Identity::development(key).map_err(raised);
	}
	let path = Path::new(key);
	let file = py.detach(|| KeyFile::read(path));
	let file = file.map_err(|error| raised_by_file(path, error))?;
	let missing = "a key file needs its passphrase: pass passphrase=, or set ISTHMUS_PASSPHRASE";
	let passphrase = passphrase.ok_or_else(|| PyPermissionError::new_err(missing))?;
	let secrets = py.detach(|| file.open(&passphrase));
	let secrets = secrets.map_err(|error| raised_by_file(path, error))?;
	Identity::of_key_file(path, &secrets).map_err(raised)
}
