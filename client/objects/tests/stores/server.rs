// SPDX-License-Identifier: Apache-2.0
//! S3 servers, which this project did not write.

use http_body_util::{BodyExt, Full};
use hyper::{body::Bytes, Method, Request};
use hyper_util::{
	client::legacy::{connect::HttpConnector, Client},
	rt::TokioExecutor,
};
use isthmus_objects::{Location, Settings};
use std::{
	io::{BufRead, BufReader},
	net::SocketAddr,
	path::PathBuf,
	process::Stdio,
};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// The bucket that tests use.
pub(crate) const BUCKET: &str = "grades";

/// The servers, which this project did not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
	/// `moto`, in Python. It keeps what it has in memory, and takes any credentials.
	Moto,
	/// `s3s-fs`, in Rust. It keeps what it has in a folder, and checks signatures.
	S3sFs,
}

impl Kind {
	/// Returns the servers to test with: `s3s-fs` takes minutes to compile, so it is for the long tests.
	pub(crate) fn all() -> Vec<Self> {
		match std::env::var_os("ISTHMUS_LONG") {
			Some(_) => vec![Self::Moto, Self::S3sFs],
			None => vec![Self::Moto],
		}
	}
}

/// A running server. It ends with its test.
pub(crate) struct Server {
	_child: Child,
	pub(crate) address: SocketAddr,
	kind: Kind,
	folder: TempDir,
	http: Client<HttpConnector, Full<Bytes>>,
}

impl Server {
	/// Starts `moto`.
	pub(crate) async fn start() -> Self {
		Self::of(Kind::Moto).await
	}

	/// Starts a server on a free port, with a bucket.
	pub(crate) async fn of(kind: Kind) -> Self {
		let stores = std::env::var_os("ISTHMUS_STORES").expect(
			"set ISTHMUS_STORES to the folder that scripts/stores prints: these tests need a store",
		);
		let folder = tempfile::tempdir().unwrap();
		std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
		let name = match kind {
			Kind::Moto => "bin/moto_server",
			Kind::S3sFs => "bin/s3s-fs",
		};
		let mut command = Command::new(PathBuf::from(stores).join(name));
		command.args(["--host", "127.0.0.1", "--port", "0"]);
		if kind == Kind::S3sFs {
			command.args(["--access-key", "test", "--secret-key", "test"]);
			command.arg(folder.path());
		}
		let (read, write) = std::io::pipe().unwrap();
		let mut child = command
			.env("RUST_LOG", "info")
			.stdin(Stdio::null())
			.stdout(write.try_clone().unwrap())
			.stderr(write)
			.kill_on_drop(true)
			.spawn()
			.unwrap();
		drop(command);
		let (tell, told) = tokio::sync::oneshot::channel();
		// It says something about each request, and stops if that is not read.
		std::thread::spawn(move || {
			let mut tell = Some(tell);
			for line in BufReader::new(read).lines().map_while(Result::ok) {
				let found = line
					.split_once(" at http://")
					.or(line.split_once(" on http://"));
				if let (Some((_, address)), Some(tell)) = (found, tell.take_if(|_| found.is_some()))
				{
					let _ = tell.send(address.trim().parse().unwrap());
				}
			}
		});
		let address = tokio::select! {
			address = told => address.expect("the store says its address"),
			ended = child.wait() => panic!("the store ended: {ended:?}"),
		};
		let http = Client::builder(TokioExecutor::new()).build_http();
		let server = Self {
			_child: child,
			address,
			kind,
			folder,
			http,
		};
		if kind == Kind::Moto {
			server.ask(Method::PUT, &format!("/{BUCKET}")).await;
		}
		server
	}

	/// Asks the server something that needs no credentials. Returns the answer's body.
	async fn ask(&self, method: Method, path: &str) -> String {
		let uri = format!("http://{}{path}", self.address);
		let request = Request::builder().method(method).uri(uri);
		let request = request.body(Full::default()).unwrap();
		let answer = self.http.request(request).await.unwrap();
		assert!(answer.status().is_success(), "{}", answer.status());
		let body = answer.into_body().collect().await.unwrap();
		String::from_utf8(body.to_bytes().to_vec()).unwrap()
	}

	/// Returns how many uploads are unfinished.
	pub(crate) async fn unfinished(&self) -> usize {
		if self.kind == Kind::S3sFs {
			let names = std::fs::read_dir(self.folder.path()).unwrap();
			let names = names.map(|entry| entry.unwrap().file_name());
			let is_upload =
				|name: &std::ffi::OsString| name.to_string_lossy().starts_with(".upload-");
			return names.filter(is_upload).count();
		}
		let listed = self.ask(Method::GET, &format!("/{BUCKET}?uploads")).await;
		listed.matches("<UploadId>").count()
	}

	/// Opens a folder of the bucket.
	pub(crate) fn folder(&self, name: &str) -> Location {
		folder(self.address, name)
	}
}

/// Opens a folder of the bucket of the store at an address.
pub(crate) fn folder(address: SocketAddr, name: &str) -> Location {
	let url = format!("s3://{BUCKET}/{name}");
	Location::open_with(&url, &settings(address, &[])).unwrap()
}

/// Returns the settings for a store at an address, with more of them or others.
pub(crate) fn settings(address: SocketAddr, more: &[(&str, &str)]) -> Settings {
	let endpoint = format!("http://{address}");
	let all = [
		("AWS_ACCESS_KEY_ID", "test"),
		("AWS_SECRET_ACCESS_KEY", "test"),
		("AWS_REGION", "us-east-1"),
		("AWS_ENDPOINT_URL", &endpoint),
		("AWS_ALLOW_HTTP", "true"),
	];
	let all = all.iter().chain(more);
	all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
		.collect()
}
