// SPDX-License-Identifier: Apache-2.0
//! An S3 server, which this project did not write.

use http_body_util::{BodyExt, Full};
use hyper::{body::Bytes, Method, Request};
use hyper_util::{
	client::legacy::{connect::HttpConnector, Client},
	rt::TokioExecutor,
};
use isthmus_objects::{Location, Settings};
use std::{net::SocketAddr, path::PathBuf, process::Stdio};
use tokio::{
	io::{AsyncBufReadExt, BufReader},
	process::{Child, Command},
};

/// The bucket that tests use.
pub(crate) const BUCKET: &str = "grades";

/// A running server. It ends with its test.
pub(crate) struct Server {
	_child: Child,
	pub(crate) address: SocketAddr,
	http: Client<HttpConnector, Full<Bytes>>,
}

impl Server {
	/// Starts `moto` on a free port, with a bucket.
	pub(crate) async fn start() -> Self {
		let stores = std::env::var_os("ISTHMUS_STORES").expect(
			"set ISTHMUS_STORES to the folder that scripts/stores prints: these tests need a store",
		);
		let mut child = Command::new(PathBuf::from(stores).join("bin/moto_server"))
			.args(["--host", "127.0.0.1", "--port", "0"])
			.stdin(Stdio::null())
			.stdout(Stdio::null())
			.stderr(Stdio::piped())
			.kill_on_drop(true)
			.spawn()
			.unwrap();
		let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
		let address = loop {
			let line = lines.next_line().await.unwrap().expect("the store ended");
			if let Some((_, address)) = line.split_once("Running on http://") {
				break address.trim().parse().unwrap();
			}
		};
		// It says something about each request, and stops if that is not read.
		tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
		let http = Client::builder(TokioExecutor::new()).build_http();
		let server = Self {
			_child: child,
			address,
			http,
		};
		server.ask(Method::PUT, &format!("/{BUCKET}")).await;
		server
	}

	/// Asks the server something that needs no credentials. Returns the answer's body.
	pub(crate) async fn ask(&self, method: Method, path: &str) -> String {
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
