// SPDX-License-Identifier: Apache-2.0
//! Web servers that answer a HEAD with an error, although they send the file, and those that send no one anything.

use super::*;
use crate::{check, read_small, Failure};
use std::{
	fs,
	io::{self, BufRead, BufReader, Read, Write},
	net::{TcpListener, TcpStream},
	thread,
};

/// What a server does.
#[derive(Clone, Copy)]
struct Manners {
	/// How it answers a HEAD.
	head: &'static str,
	/// How it refuses everything else; `None` if it does not.
	refuses: Option<&'static str>,
	/// Whether it sends ranges. Otherwise it begins to send more than anyone can read.
	ranges: bool,
}

/// Serves a folder.
fn serve(folder: &Path, manners: Manners) -> Location {
	let listener = TcpListener::bind("127.0.0.1:0").unwrap();
	let url = format!("http://{}", listener.local_addr().unwrap());
	let folder = folder.to_owned();
	thread::spawn(move || {
		for stream in listener.incoming().flatten() {
			let folder = folder.clone();
			// The other end may close the connection at any time.
			thread::spawn(move || answer(stream, &folder, manners).is_ok());
		}
	});
	Location::open(&url).unwrap()
}

/// Answers one request.
fn answer(mut stream: TcpStream, folder: &Path, manners: Manners) -> io::Result<()> {
	let (mut request, mut range) = (String::new(), None);
	for line in BufReader::new(stream.try_clone()?).lines() {
		let line = line?.to_ascii_lowercase();
		if line.is_empty() {
			break;
		}
		if let Some(bytes) = line.strip_prefix("range: bytes=") {
			range = Some(bytes.to_owned());
		}
		if request.is_empty() {
			request = line;
		}
	}
	let mut send = |status: &str, more: &str, length: u64, bytes: &[u8]| {
		let head = format!(
			"HTTP/1.1 {status}\r\n{more}content-length: {length}\r\nconnection: close\r\n\r\n"
		);
		stream.write_all(&[head.as_bytes(), bytes].concat())
	};
	let mut words = request.split(' ');
	if words.next() == Some("head") {
		return send(manners.head, "", 0, b"");
	}
	if let Some(status) = manners.refuses {
		return send(status, "", 0, b"");
	}
	let name = words.next().unwrap_or_default().trim_start_matches('/');
	let Ok(bytes) = fs::read(folder.join(name)) else {
		return send("404 Not Found", "", 0, b"");
	};
	if !manners.ranges {
		send("200 OK", "", 1 << 40, b"begin")?;
		// Until the other end closes the connection.
		return stream.read_exact(&mut [0]);
	}
	let whole = bytes.len();
	let (from, to) = range
		.as_deref()
		.and_then(|range| range.split_once('-'))
		.unwrap_or_default();
	let (from, to): (usize, usize) = (from.parse().unwrap_or(0), to.parse().unwrap_or(whole));
	if from >= whole {
		return send("416 Range Not Satisfiable", "", 0, b"");
	}
	let to = to.min(whole - 1);
	let more = format!("content-range: bytes {from}-{to}/{whole}\r\n");
	let sent = &bytes[from..=to];
	send("206 Partial Content", &more, sent.len() as u64, sent)
}

const HEADS: [&str; 7] = [
	"400 Bad Request",
	"401 Unauthorized",
	"403 Forbidden",
	"404 Not Found",
	"405 Method Not Allowed",
	// Neither is repeated for many seconds.
	"500 Internal Server Error",
	"501 Not Implemented",
];

#[tokio::test]
async fn whatever_a_head_says_a_get_tells_whether_a_file_is_there() {
	let folder = tempfile::tempdir().unwrap();
	let at = Location::open(&folder_url(folder.path())).unwrap();
	let object = sent(&at, &value(CHUNK + 7)).await;
	fs::write(folder.path().join("card"), "{}").unwrap();
	fs::write(folder.path().join("empty"), "").unwrap();
	let file = folder.path().join(object.name());
	let bytes = fs::read(&file).unwrap();
	for head in HEADS {
		let manners = Manners {
			head,
			refuses: None,
			ranges: true,
		};
		let location = serve(folder.path(), manners);
		for every in [false, true] {
			let checked = check(&location, &object, every, &mut |_| {}).await;
			assert!(checked.is_right(), "{head}: {checked:?}");
		}
		assert_eq!(location.has_named(&object.name()).await, Ok(true), "{head}");
		assert_eq!(read_small(&location, "card", 2).await, Ok(b"{}".to_vec()));
		assert_eq!(read_small(&location, "empty", 2).await, Ok(Vec::new()));
		let absent = read_small(&location, "none", 2).await;
		assert_eq!(absent, Err(Failure::Missing), "{head}");
		fs::write(&file, "").unwrap();
		let (expected, got) = (object.length(), 0);
		let checked = check(&location, &object, false, &mut |_| {}).await;
		assert_eq!(checked.failure, Some(Failure::Length { expected, got }));
		fs::remove_file(&file).unwrap();
		let checked = check(&location, &object, false, &mut |_| {}).await;
		assert_eq!(checked.failure, Some(Failure::Missing), "{head}");
		assert_eq!(location.has_named(&object.name()).await, Ok(false));
		fs::write(&file, &bytes).unwrap();
		// That a web server lists nothing does not say that nothing is there.
		let listed = location.marked(&[], &[]).await;
		assert_eq!(listed, Err(Failure::Unlisted), "{head}");
	}
}

#[tokio::test]
async fn a_server_without_ranges_is_named_and_its_files_are_not_read() {
	let folder = tempfile::tempdir().unwrap();
	let at = Location::open(&folder_url(folder.path())).unwrap();
	let object = sent(&at, &value(CHUNK + 7)).await;
	for head in HEADS {
		let manners = Manners {
			head,
			refuses: None,
			ranges: false,
		};
		let location = serve(folder.path(), manners);
		let checked = check(&location, &object, false, &mut |_| {}).await;
		assert_eq!(checked.failure, Some(Failure::NoRanges), "{head}");
	}
}

#[tokio::test]
async fn a_server_that_is_closed_to_others_is_told_from_a_bucket() {
	let folder = tempfile::tempdir().unwrap();
	let at = Location::open(&folder_url(folder.path())).unwrap();
	let object = sent(&at, &value(CHUNK + 7)).await;
	for (status, code) in [("401 Unauthorized", 401), ("403 Forbidden", 403)] {
		let manners = Manners {
			head: status,
			refuses: Some(status),
			ranges: true,
		};
		let location = serve(folder.path(), manners);
		let closed = Failure::Closed(code);
		for every in [false, true] {
			let checked = check(&location, &object, every, &mut |_| {}).await;
			assert_eq!(checked.failure, Some(closed.clone()));
		}
		let card = read_small(&location, "card", 2).await;
		assert_eq!(card, Err(closed.clone()));
		assert_eq!(location.marked(&[], &[]).await, Err(closed));
	}
}
