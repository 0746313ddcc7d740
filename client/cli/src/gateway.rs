// SPDX-License-Identifier: Apache-2.0
//! `isthmus gateway`: lets programs that speak S3, Delta Sharing or HTTP read what an account may read.

use crate::{
	context::Context,
	error::{os, Error},
	metrics::{counter, Metric, MetricsFile},
	options::{if_empty, settings, variable, Options},
	output::{check_folder, check_not_stdout},
	report::{Lines, Output},
	secret,
	service::Service,
	stderr::tell,
	stop::on_signals,
	text::{bytes, json_path, path, shown},
};
use isthmus_gateway::{
	bucket, Chain, Credentials, CredentialsError, Dataset, Event, Gateway, Read, Refused, Settings,
	Source, Totals, Watch,
};
use isthmus_sdk::envelope::paths::ShowPath;
use isthmus_sdk::{now, to_hex, AccountId, DatasetId, Seconds};
use serde::Serialize;
use std::{
	cell::RefCell,
	convert::Infallible,
	fmt, io,
	net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
	path::{Path, PathBuf},
	rc::Rc,
	time::Duration,
};
use tokio::{net::TcpListener, task::LocalSet};

/// How often metrics are written, if there are new ones.
const SECOND: Duration = Duration::from_secs(1);
/// Of how many requests without credentials that were refused a line is printed each second.
const TOLD: u64 = 5;

/// The variables that replace the file of credentials.
const VARIABLES: [&str; 3] = [
	"ISTHMUS_GATEWAY_ACCESS_KEY",
	"ISTHMUS_GATEWAY_SECRET_KEY",
	"ISTHMUS_GATEWAY_TOKEN",
];

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
Buckets are datasets, and objects are records and the files of stored folders. Programs show the
access key and its secret to S3, or the token to plain HTTP: GET /OWNER/DATASET/PATH with the header
`Authorization: Bearer TOKEN`. They are made at the first start, in a file that programs of AWS read.
The variables ISTHMUS_GATEWAY_ACCESS_KEY, _SECRET_KEY and _TOKEN, all three, replace the file.

Programs of Delta Sharing read a profile, which --profile writes. Owners are shares, datasets are
schemas, and each folder of Parquet files is a table.

Each read asks the chain whether the grant is still good. What is decrypted is kept in memory only.
Who has the credentials reads all that the account may read, over HTTP without encryption: for
another machine, let a proxy with TLS ask the gateway on this one.

Reads are logged on stdout, and requests that were refused on stderr. The command runs until SIGINT
or SIGTERM ends it: it takes no more requests, and answers those that it has; a second one ends it
at once.

Example:
  isthmus gateway --key company.key
  export AWS_SHARED_CREDENTIALS_FILE=~/.config/isthmus/gateway AWS_PROFILE=isthmus
  aws s3 ls --endpoint-url http://127.0.0.1:9800
  isthmus gateway --key company.key --profile isthmus.share")]
pub(crate) struct Opts {
	/// Address to listen at. With port 0, the system chooses a free one
	#[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9800", value_parser = socket)]
	listen: SocketAddr,

	/// Listen at an address that other machines reach, without encryption
	#[arg(long)]
	allow_remote: bool,

	/// Another name under which the gateway is asked, such as that of a proxy; may be repeated
	#[arg(long, value_name = "NAME", value_parser = host)]
	host: Vec<String>,

	/// File with the access key, its secret and the token [default: gateway in the folder of settings,
	/// ~/.config/isthmus]
	#[arg(long, value_name = "FILE", value_parser = secret::path())]
	credentials: Option<PathBuf>,

	/// Write a profile for programs of Delta Sharing to this file: the address and the token
	#[arg(long, value_name = "FILE")]
	profile: Option<PathBuf>,

	/// Keep at most this much decrypted data in memory, in MiB
	#[arg(long, value_name = "MIB", default_value_t = 64)]
	#[arg(value_parser = clap::value_parser!(u64).range(0..=1 << 20))]
	cache: u64,

	/// Write metrics to this file, in the text format of Prometheus, at most once a second
	#[arg(long, value_name = "FILE")]
	metrics: Option<PathBuf>,
}

/// Reads an address and a port to listen at.
fn socket(text: &str) -> Result<SocketAddr, &'static str> {
	let expected = "expected an IP address and a port, such as 127.0.0.1:9800 or [::1]:9800";
	text.trim().parse().map_err(|_| expected)
}

/// Reads the name of a host as requests name it, without a port.
fn host(text: &str) -> Result<String, &'static str> {
	let text = text.trim();
	let inside = text
		.strip_prefix('[')
		.and_then(|text| text.strip_suffix(']'));
	match inside.unwrap_or(text).parse() {
		Ok(IpAddr::V4(ip)) => return Ok(ip.to_string()),
		Ok(IpAddr::V6(ip)) => return Ok(format!("[{ip}]")),
		Err(_) => {}
	}
	let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
	match !text.is_empty() && text.bytes().all(is_of_name) {
		true => Ok(text.to_owned()),
		false => Err(
			"expected a name or an address without a scheme and a port, such as data.example.org",
		),
	}
}

/// Where the gateway listens.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listening {
	access_key: String,
	/// `None` if the credentials come from variables.
	#[serde(serialize_with = "json_path")]
	credentials: Option<PathBuf>,
	/// The profile for Delta Sharing.
	#[serde(serialize_with = "json_path")]
	profile: Option<PathBuf>,
	url: String,
}

impl fmt::Display for Listening {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			access_key,
			credentials,
			profile,
			url,
		} = self;
		let (access_key, url) = (shown(access_key), shown(url));
		let place = match credentials {
			Some(file) => format!("with its secret and the token in {}", path(file)),
			None => "from the environment".to_owned(),
		};
		write!(f, "listening at {url}, access key {access_key}, {place}")?;
		match profile {
			Some(path) => write!(f, "; profile for Delta Sharing in {}", path.shown()),
			None => Ok(()),
		}
	}
}

/// A dataset that can be read.
#[derive(Serialize)]
struct Bucket {
	bucket: String,
	dataset: DatasetId,
	name: String,
	owner: AccountId,
}

impl From<Dataset> for Bucket {
	fn from(dataset: Dataset) -> Self {
		Self {
			bucket: bucket::name(&dataset.place),
			dataset: dataset.place.dataset,
			name: dataset.name,
			owner: dataset.place.owner(),
		}
	}
}

impl fmt::Display for Bucket {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			bucket,
			dataset,
			name,
			owner,
		} = self;
		let name = shown(name);
		write!(f, "bucket {bucket}: dataset {dataset}, {name}, of {owner}")
	}
}

/// Bytes that were read.
#[derive(Serialize)]
struct ReadReport {
	/// When, in seconds since 1970.
	at: Seconds,
	dataset: DatasetId,
	failed: Option<String>,
	from: u64,
	key: String,
	owner: AccountId,
	path: String,
	to: u64,
	who: String,
}

impl From<Read> for ReadReport {
	fn from(read: Read) -> Self {
		Self {
			at: now(),
			dataset: read.place.dataset,
			failed: read.failed,
			from: read.bytes.start,
			key: to_hex(&read.key.0),
			owner: read.place.owner(),
			path: read.path,
			to: read.bytes.end,
			who: read.who,
		}
	}
}

impl fmt::Display for ReadReport {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			dataset,
			failed,
			from,
			owner,
			path,
			to,
			who,
			..
		} = self;
		let size = bytes(to.saturating_sub(*from));
		let (path, who) = (shown(path), shown(who));
		write!(
			f,
			"{who} read {path} in dataset {dataset} of {owner}: bytes {from} to {to} ({size})"
		)?;
		match failed {
			Some(reason) => write!(f, ", and no more: {}", shown(reason)),
			None => Ok(()),
		}
	}
}

/// Runs the command, and prints each read as it happens.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<(), Error> {
	if !opts.listen.ip().is_loopback() && !opts.allow_remote {
		return Err(Error::usage(format!(
			"{} can be reached from other machines, and the gateway sends decrypted data",
			opts.listen.ip()
		))
		.hint(
			"listen at 127.0.0.1, with a proxy for TLS before it; or, in a network that you trust, pass --allow-remote",
		));
	}
	check_files(&opts)?;
	let metrics = opts.metrics.map(|path| MetricsFile::new(path, "gateway"));
	let metrics = metrics.transpose()?;
	let (credentials, file) = credentials(opts.credentials)?;
	let service = Service::from_env().map_err(Error::usage)?;
	let context = Context::connect_with_key(options).await?;
	let identity = context.identity().await?;
	let metrics = metrics.map(|file| file.about(identity.id()));
	let listener = TcpListener::bind(opts.listen).await;
	let failed = |error| {
		let listen = opts.listen;
		Error::failed(format!("cannot listen at {listen}: {}", os(&error)))
			.hint(advice(&error, listen))
	};
	let listener = listener.map_err(failed)?;
	let address = listener.local_addr().map_err(failed)?;
	let client = context.client.clone();
	let chain = Chain::new(client.clone(), identity);
	let datasets = chain.datasets().await.map_err(Error::refused)?;
	let url = format!("http://{address}");
	if let Some(path) = &opts.profile {
		let written = credentials.write_profile(&reached(address), path);
		written.map_err(|error| of_file(path, error))?;
	}
	let listening = Listening {
		access_key: credentials.key().to_owned(),
		credentials: file,
		profile: opts.profile,
		url,
	};
	let open = datasets.into_iter().filter(|dataset| dataset.is_open);
	let buckets: Vec<Bucket> = open.map(Bucket::from).collect();
	let output = context.output;
	let log = Log {
		output,
		counts: Rc::default(),
	};
	let counts = log.counts.clone();
	let settings = Settings {
		credentials,
		hosts: opts.host,
		cache: opts.cache << 20,
	};
	let gateway = Gateway::new(chain, log, settings);
	let serving = on_signals(|stop| async move {
		announce(output, &listening, buckets)?;
		service.is_ready(&format!("listening at {}", listening.url));
		tokio::select! {
			() = gateway.serve(listener, stop.asked()) => {
				service.ends();
				Ok(())
			}
			never = service.stay_alive() => match never {},
			never = client.watch_finality() => match never {},
			never = keep_account(counts, metrics) => match never {},
		}
	});
	LocalSet::new().run_until(serving).await
}

/// Says what to do about an address that the system refuses.
fn advice(error: &io::Error, listen: SocketAddr) -> &'static str {
	use io::ErrorKind::{AddrInUse, PermissionDenied};
	if listen.is_ipv6() && !matches!(error.kind(), AddrInUse | PermissionDenied) {
		return "this machine does not have this address, or no IPv6 at all: choose one that it has with --listen, such as \
			127.0.0.1";
	}
	match error.kind() {
		io::ErrorKind::AddrNotAvailable => {
			"this machine does not have this address: choose one that it has with --listen, such as 127.0.0.1, or \
			 0.0.0.0 for all of them"
		}
		_ => "choose another port with --listen, or port 0 for any that is free",
	}
}

/// Checks the paths of files that are written once the node has answered.
fn check_files(opts: &Opts) -> Result<(), Error> {
	for file in [&opts.credentials, &opts.profile].into_iter().flatten() {
		check_not_stdout(file)?;
	}
	match &opts.profile {
		Some(profile) if !profile.exists() => check_folder(profile),
		_ => Ok(()),
	}
}

/// Says where the gateway listens, and which buckets it has.
fn announce(output: Output, listening: &Listening, buckets: Vec<Bucket>) -> Result<(), Error> {
	output.print(listening)?;
	if buckets.is_empty() {
		tell("the account has no dataset, and no grant on one, yet");
	}
	output.print(&Lines(buckets))
}

/// Returns the address at which programs of this machine reach the gateway.
fn reached(mut address: SocketAddr) -> String {
	if address.ip().is_unspecified() {
		let loopback = match address {
			SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
			SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
		};
		address.set_ip(loopback);
	}
	format!("http://{address}")
}

/// Returns the credentials of the environment, or those of a file, and the file.
fn credentials(file: Option<PathBuf>) -> Result<(Credentials, Option<PathBuf>), Error> {
	let [key, secret, token] = VARIABLES.map(variable);
	match (key, secret, token) {
		(Some(key), Some(secret), Some(token)) if file.is_none() => {
			let given = Credentials::new(key, secret, token);
			return Ok((given.map_err(Error::usage)?, None));
		}
		(None, None, None) => {}
		_ => {
			let [key, secret, token] = VARIABLES.map(|name| format!("${name}{}", if_empty(name)));
			return Err(Error::usage(format!(
				"set all of {key}, {secret} and {token} and no --credentials, or none of them"
			)));
		}
	}
	let path = match file {
		Some(path) => path,
		None => settings()
			.map(|folder| folder.join("gateway"))
			.ok_or_else(|| {
				Error::usage(
					"no folder for settings is known: pass --credentials FILE, or set $HOME",
				)
			})?,
	};
	match Credentials::in_file(&path) {
		Ok(found) => Ok((found, Some(path))),
		Err(error) => Err(of_file(&path, error)),
	}
}

/// Returns why a file gives no credentials.
fn of_file(path: &Path, error: CredentialsError) -> Error {
	match error {
		CredentialsError::Io(error) => Error::file(path, &error),
		error => Error::failed(format!("{}: {error}", path.shown())),
	}
}

/// Prints what is read, and counts it.
struct Log {
	output: Output,
	counts: Rc<RefCell<Counts>>,
}

/// What is counted since the start.
#[derive(Default)]
struct Counts {
	reads: u64,
	bytes: u64,
	failures: u64,
	refusals: u64,
	chunks: Totals,
	/// Whether there is something that was not written yet.
	is_new: bool,
	/// How many requests without credentials were refused in this second.
	unknown: u64,
}

impl Watch for Log {
	fn saw(&self, event: Event, totals: Totals) {
		let mut counts = self.counts.borrow_mut();
		match event {
			Event::Read(read) => {
				counts.reads += 1;
				counts.bytes += read.bytes.end.saturating_sub(read.bytes.start);
				counts.failures += u64::from(read.failed.is_some());
				// The bytes are sent already, so a full disk under the log does not stop the command.
				if let Err(error) = self.output.print(&ReadReport::from(read)) {
					self.output.fail(&error);
				}
			}
			Event::Refused(refused) => {
				counts.refusals += 1;
				if counts.is_told(&refused) {
					tell(words(&refused));
				}
			}
		}
		(counts.chunks, counts.is_new) = (totals, true);
	}
}

impl Counts {
	/// Returns whether a line is printed about a request that was refused. Everyone who reaches the gateway can send requests
	/// without credentials, so of those only some are told each second.
	fn is_told(&mut self, refused: &Refused) -> bool {
		if refused.who.is_some() {
			return true;
		}
		self.unknown += 1;
		self.unknown <= TOLD
	}

	/// Begins another second. Returns a line about the requests without one.
	fn begin(&mut self) -> Option<String> {
		let untold = std::mem::take(&mut self.unknown).saturating_sub(TOLD);
		(untold > 0).then(|| {
			format!("refused {untold} more requests to someone unknown: see --metrics for how many there are")
		})
	}

	fn metrics(&self) -> [Metric; 6] {
		[
			counter("reads_total", "Reads of files since the start.", self.reads),
			counter(
				"read_bytes_total",
				"Bytes that were sent since the start.",
				self.bytes,
			),
			counter(
				"failures_total",
				"Reads that broke off since the start.",
				self.failures,
			),
			counter(
				"refusals_total",
				"Requests that were refused since the start.",
				self.refusals,
			),
			counter(
				"cached_chunks_total",
				"Chunks that were in memory.",
				self.chunks.hits,
			),
			counter(
				"fetched_chunks_total",
				"Chunks that were fetched.",
				self.chunks.fetched,
			),
		]
	}
}

/// Writes what was counted, once a second if there is something new, and tells how many requests were refused without a line.
/// The file is written on another thread: the disk does not hold up programs that read.
async fn keep_account(counts: Rc<RefCell<Counts>>, mut file: Option<MetricsFile>) -> Infallible {
	loop {
		tokio::time::sleep(SECOND).await;
		if let Some(line) = counts.borrow_mut().begin() {
			tell(line);
		}
		file = write(&counts, file).await;
	}
}

/// Writes what was counted since the last time. Returns the file.
async fn write(counts: &RefCell<Counts>, file: Option<MetricsFile>) -> Option<MetricsFile> {
	let mut file = file?;
	if !std::mem::take(&mut counts.borrow_mut().is_new) {
		return Some(file);
	}
	let metrics = counts.borrow().metrics();
	let written = tokio::task::spawn_blocking(move || {
		file.write(&metrics);
		file
	});
	written.await.ok()
}

/// Returns a line about a request that was refused.
fn words(refused: &Refused) -> String {
	let Refused {
		who,
		method,
		path,
		status,
		reason,
	} = refused;
	let who = who.as_deref().unwrap_or("someone unknown");
	format!("refused {method} {path} to {who} ({status}): {reason}")
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_gateway::Place;

	#[test]
	fn what_to_do_about_a_refused_address_is_about_what_is_refused() {
		use io::ErrorKind::{AddrInUse, AddrNotAvailable, PermissionDenied, Unsupported};
		let (address, port) = ("this machine does not have", "choose another port");
		for (listen, kind, expected) in [
			("10.0.0.1:9800", AddrNotAvailable, address),
			("127.0.0.1:9800", AddrInUse, port),
			("[::1]:9800", AddrInUse, port),
			("[::1]:80", PermissionDenied, port),
			("[::1]:9800", AddrNotAvailable, address),
			("[::1]:9800", Unsupported, address),
		] {
			let listen: SocketAddr = listen.parse().unwrap();
			let said = advice(&kind.into(), listen);
			assert!(said.starts_with(expected), "{kind}: {said}");
			let names_it = said.contains("no IPv6 at all");
			assert_eq!(names_it, listen.is_ipv6() && expected == address, "{said}");
		}
	}

	fn read(failed: Option<&str>) -> Read {
		Read {
			who: "ISTHKEY".into(),
			place: Place {
				owner: [1; 32],
				dataset: 3,
			},
			path: "2025/03\u{202e}.csv".into(),
			key: [2; 32].into(),
			bytes: 5..2005,
			failed: failed.map(str::to_owned),
		}
	}

	#[test]
	fn a_read_is_told_with_who_what_and_which_bytes() {
		let owner = AccountId::from([1; 32]);
		let told = ReadReport::from(read(None)).to_string();
		let expected = format!(
			"ISTHKEY read 2025/03\\u{{202e}}.csv in dataset 3 of {owner}: bytes 5 to 2005 (2.0 kB)"
		);
		assert_eq!(told, expected);
		let broken = ReadReport::from(read(Some("the node is gone"))).to_string();
		assert_eq!(broken, format!("{expected}, and no more: the node is gone"));
	}

	#[test]
	fn a_host_is_named_as_requests_name_it() {
		for (given, expected) in [
			("data.example.org", Some("data.example.org")),
			(" nas ", Some("nas")),
			("10.0.0.5", Some("10.0.0.5")),
			("fd00::5", Some("[fd00::5]")),
			("[fd00::5]", Some("[fd00::5]")),
			("data.example.org:443", None),
			("https://data.example.org", None),
			("data.example.org/path", None),
			("[fd00::5]:443", None),
			("", None),
		] {
			assert_eq!(host(given).ok().as_deref(), expected, "{given}");
		}
	}

	#[test]
	fn a_profile_leads_to_this_machine() {
		for (listens, reached_at) in [
			("127.0.0.1:9800", "http://127.0.0.1:9800"),
			("0.0.0.0:1", "http://127.0.0.1:1"),
			("[::]:2", "http://[::1]:2"),
			("192.0.2.7:3", "http://192.0.2.7:3"),
		] {
			assert_eq!(reached(listens.parse().unwrap()), reached_at);
		}
	}

	fn refused(who: Option<&str>) -> Refused {
		Refused {
			who: who.map(str::to_owned),
			method: "GET".into(),
			path: "/".into(),
			status: 403,
			reason: "no".into(),
		}
	}

	#[test]
	fn refusals_of_someone_unknown_do_not_fill_the_log() {
		let mut counts = Counts::default();
		let told = |counts: &mut Counts| (0..20).filter(|_| counts.is_told(&refused(None))).count();
		assert_eq!(told(&mut counts), 5);
		// Who has the credentials is told each time.
		assert!(counts.is_told(&refused(Some("ISTHKEY"))));
		let line = counts.begin().unwrap();
		assert!(line.contains("refused 15 more"), "{line}");
		assert_eq!((counts.begin(), told(&mut counts)), (None, 5));
	}

	#[tokio::test]
	async fn what_happens_is_counted() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("isthmus.prom");
		let file = MetricsFile::new(path.clone(), "gateway").unwrap();
		let log = Log {
			output: Output::Json,
			counts: Rc::default(),
		};
		let totals = Totals {
			hits: 4,
			fetched: 9,
		};
		log.saw(Event::Read(read(Some("gone"))), totals);
		log.saw(Event::Refused(refused(None)), totals);
		// Nothing is written while a request is answered, and nothing twice.
		assert!(std::fs::read(&path).unwrap().is_empty());
		let file = write(&log.counts, Some(file)).await;
		assert!(!log.counts.borrow().is_new && file.is_some());
		let text = std::fs::read_to_string(path).unwrap();
		for (name, value) in [
			("reads_total", 1),
			("read_bytes_total", 2000),
			("failures_total", 1),
			("refusals_total", 1),
			("cached_chunks_total", 4),
			("fetched_chunks_total", 9),
		] {
			let end = format!("}} {value}");
			let start = format!("isthmus_gateway_{name}{{");
			assert!(
				text.lines()
					.any(|line| line.starts_with(&start) && line.ends_with(&end)),
				"{text}"
			);
		}
	}
}
