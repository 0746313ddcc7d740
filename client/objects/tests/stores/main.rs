// SPDX-License-Identifier: Apache-2.0
//! Objects in an S3 server of others, behind a proxy with the faults of stores and networks.
//!
//! `ISTHMUS_STORES` is the folder where the server is: `scripts/stores` installs it there and prints the folder.

mod proxy;
mod server;

use hyper::Method;
use isthmus_envelope::{object::CHUNK, EpochId, LeafKey, MasterSecret, RecordContext};
use isthmus_objects::*;
use proxy::{Fault, Proxy};
use server::{folder, settings, Kind, Server, BUCKET};
use std::{collections::BTreeSet, io::Cursor, net::SocketAddr, path::Path, time::Duration};

/// The length of a value of five parts.
const LENGTH: usize = 35 * CHUNK + 3;
/// The bytes of a part.
const PART: u64 = 8 * CHUNK as u64;

const CONTEXT: RecordContext = RecordContext {
	genesis: [1; 32],
	owner: [2; 32],
	key: [3; 32],
	version: 0,
};

fn leaf() -> LeafKey {
	let epoch = EpochId {
		genesis: [1; 32],
		owner: [2; 32],
		dataset: 0,
		epoch: 0,
	};
	MasterSecret::from_bytes([7; 32])
		.epoch_root(&epoch)
		.leaf_key(5)
}

/// Makes a value in which no two MiB are equal.
fn value(length: usize) -> Vec<u8> {
	(0..length as u32)
		.map(|at| (at.wrapping_mul(0x9e37_79b9) >> 13) as u8)
		.collect()
}

async fn send(location: &Location, journal: &Path, length: usize) -> Result<Sent, UploadError> {
	send_until(location, journal, length, &mut |_| {}).await
}

async fn send_until(
	location: &Location,
	journal: &Path,
	length: usize,
	progress: &mut impl FnMut(u64),
) -> Result<Sent, UploadError> {
	let (leaf, source) = (leaf(), Cursor::new(value(length)));
	let upload = Upload::new(location, &leaf, &CONTEXT, journal);
	upload.run(source, Some(length as u64), progress).await
}

/// Sends a value, and stops as a killed program would when the store has two parts and is asked to take more.
async fn killed(proxy: &Proxy, location: &Location, journal: &Path) {
	proxy.fail(Method::PUT, 2, usize::MAX, Fault::Silent);
	let (tell, mut told) = tokio::sync::watch::channel(0);
	let mut progress = |done| {
		tell.send_replace(done);
	};
	tokio::select! {
		_ = send_until(location, journal, LENGTH, &mut progress) => panic!("it was not interrupted"),
		done = told.wait_for(|done| *done > PART) => drop(done.unwrap()),
	}
	proxy.heal();
}

/// Sends a value, and returns why the store did not take it.
async fn refused(location: &Location) -> Failure {
	let state = tempfile::tempdir().unwrap();
	let refused = send(location, &state.path().join("journal"), LENGTH).await;
	let refused = refused.unwrap_err();
	let shown = refused.to_string();
	assert!(shown.starts_with(location.url()), "{shown}");
	assert!(!shown.contains("geheim"), "{shown}");
	match refused {
		UploadError::Store { failure, .. } => failure,
		error => panic!("{error}"),
	}
}

fn reader(object: &Object, locations: &[Location], silence: Duration) -> Reader {
	let (leaf, locations) = (leaf(), locations.to_vec());
	Reader::with_silence(&leaf, &CONTEXT, object.clone(), locations, silence).unwrap()
}

async fn read_all(reader: &Reader) -> Vec<u8> {
	let mut out = Vec::new();
	reader.write_to(&mut out, 0, &mut |_| {}).await.unwrap();
	out
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_come_back_from_a_bucket() {
	for kind in Kind::all() {
		let server = Server::of(kind).await;
		come_back(
			&server,
			&server.folder("2026/a b"),
			&server.folder("2026/a b"),
		)
		.await;
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_come_back_from_a_web_server() {
	let server = Server::start().await;
	let bucket = server.folder("2026/a b");
	let proxy = Proxy::start(server.address).await;
	let url = format!("http://{}/{BUCKET}/2026/a%20b", proxy.address);
	let web = Location::open(&url).unwrap();
	assert_eq!((bucket.takes_objects(), web.takes_objects()), (true, false));
	come_back(&server, &bucket, &web).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_server_redirects_to_itself_only() {
	let server = Server::start().await;
	let state = tempfile::tempdir().unwrap();
	let bucket = server.folder("2026");
	let sent = send(&bucket, &state.path().join("journal"), LENGTH).await;
	let object = sent.unwrap().object;
	let (web, other) = (
		Proxy::start(server.address).await,
		Proxy::start(server.address).await,
	);
	let url = format!("http://{}/{BUCKET}/2026", web.address);
	let read = async || {
		let location = Location::open(&url).unwrap();
		let reader = reader(&object, &[location], SILENCE);
		reader.read_range(0, 7).await
	};
	web.fail(Method::GET, 0, 1, Fault::Redirect(web.address));
	assert!(read().await.unwrap() == value(LENGTH)[..7]);
	web.fail(Method::GET, 0, usize::MAX, Fault::Redirect(other.address));
	let left = read().await.unwrap_err().to_string();
	assert!(left.contains("redirects to another address"), "{left}");
	assert!(other.heal().is_empty());
	// A circle ends.
	web.heal();
	web.fail(Method::GET, 0, usize::MAX, Fault::Redirect(web.address));
	assert!(read().await.is_err());
	assert!(web.heal().len() <= 4);
}

/// Sends values of several lengths to a bucket, and reads them back from a location that has the same.
async fn come_back(server: &Server, bucket: &Location, there: &Location) {
	for length in [0, CHUNK, CHUNK + 1, LENGTH] {
		let state = tempfile::tempdir().unwrap();
		let sent = send(bucket, &state.path().join("journal"), length).await;
		let object = sent.unwrap().object;
		let reader = reader(&object, std::slice::from_ref(there), SILENCE);
		assert!(read_all(&reader).await == value(length), "{length}");
		let checked = check(there, &object, true, &mut |_| {}).await;
		assert!(checked.is_right(), "{there:?}: {checked:?}");
		let (from, to) = (length / 2, length.min(length / 2 + CHUNK + 7));
		let range = reader.read_range(from as u64, (to - from) as u64).await;
		assert!(range.unwrap() == value(length)[from..to]);
		if !there.takes_objects() {
			assert_eq!(there.delete(&object).await, Err(Failure::ReadOnly));
		}
		assert_eq!(bucket.delete(&object).await, Ok(true));
		assert_eq!(bucket.delete(&object).await, Ok(false));
		let checked = check(there, &object, true, &mut |_| {}).await;
		assert_eq!(checked.failure, Some(Failure::Missing));
	}
	assert_eq!(server.unfinished().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_upload_goes_on_and_one_that_is_given_up_leaves_nothing() {
	for kind in Kind::all() {
		goes_on(&Server::of(kind).await).await;
	}
}

async fn goes_on(server: &Server) {
	let proxy = Proxy::start(server.address).await;
	let location = folder(proxy.address, "killed");
	let state = tempfile::tempdir().unwrap();
	let journal = &state.path().join("journal");
	killed(&proxy, &location, journal).await;
	assert_eq!(server.unfinished().await, 1);
	// The credentials expire: new ones, and it goes on.
	proxy.fail(
		Method::PUT,
		1,
		usize::MAX,
		Fault::Answer(400, "ExpiredToken"),
	);
	let expired = send(&location, journal, LENGTH).await.unwrap_err();
	assert!(expired.to_string().contains("get new ones"), "{expired}");
	proxy.heal();
	let sent = send(&location, journal, LENGTH).await.unwrap();
	assert!(sent.resumed);
	let seen = proxy.heal();
	// The two parts that the store has are not among them.
	let parts = seen
		.iter()
		.filter_map(|(_, path)| path.split_once("partNumber="));
	let parts: BTreeSet<_> = parts.map(|(_, number)| number).collect();
	assert!((1..=3).contains(&parts.len()), "{seen:?}");
	assert!(!seen.iter().any(|(_, path)| path.contains("?uploads")));
	assert_eq!(server.unfinished().await, 0);
	let reader = reader(&sent.object, std::slice::from_ref(&location), SILENCE);
	assert!(read_all(&reader).await == value(LENGTH));

	forget(journal).unwrap();
	killed(&proxy, &location, journal).await;
	assert_eq!(server.unfinished().await, 1);
	// The location is opened with the settings of this test, not with those of the environment.
	let given_up = give_up(journal, Some(&location), Whole::Deleted).await;
	assert_eq!(given_up.unwrap().unwrap().failure, None);
	assert_eq!(server.unfinished().await, 0);
	assert!(!journal.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_the_store_has_dropped_begins_again() {
	let server = Server::start().await;
	let proxy = Proxy::start(server.address).await;
	let location = folder(proxy.address, "dropped");
	let state = tempfile::tempdir().unwrap();
	let journal = &state.path().join("journal");
	killed(&proxy, &location, journal).await;
	let gone = Fault::Answer(404, "NoSuchUpload");
	proxy.fail(Method::PUT, 0, usize::MAX, gone);
	let dropped = send(&location, journal, LENGTH).await;
	let dropped = dropped.unwrap_err().to_string();
	assert!(
		dropped.contains("has dropped the unfinished upload"),
		"{dropped}"
	);
	proxy.heal();
	let sent = send(&location, journal, LENGTH).await.unwrap();
	let seen = proxy.heal();
	assert!(
		seen.iter().any(|(_, path)| path.contains("?uploads")),
		"{seen:?}"
	);
	let reader = reader(&sent.object, std::slice::from_ref(&location), SILENCE);
	assert!(read_all(&reader).await == value(LENGTH));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_refuses_says_what_to_do() {
	let server = Server::start().await;
	let none = Location::open_with(
		&format!("s3://{BUCKET}/x"),
		&settings(
			server.address,
			&[
				("AWS_ACCESS_KEY_ID", ""),
				("AWS_SECRET_ACCESS_KEY", ""),
				("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1"),
			],
		),
	);
	let absent = Location::open_with("s3://absent/x", &settings(server.address, &[]));
	let plain = Location::open_with(
		&format!("s3://{BUCKET}/x"),
		&settings(server.address, &[("AWS_ALLOW_HTTP", "false")]),
	);
	let nowhere = folder("127.0.0.1:1".parse().unwrap(), "x");
	let (none, absent, plain) = (none.unwrap(), absent.unwrap(), plain.unwrap());
	let all = tokio::join!(
		refused(&none),
		refused(&absent),
		refused(&plain),
		refused(&nowhere)
	);
	use Failure::*;
	assert_eq!(all, (NoCredentials, NoBucket, Plain, Unreachable));
	let faults = [
		(403, "AccessDenied", Denied),
		(403, "InvalidAccessKeyId", Unauthenticated),
		(403, "SignatureDoesNotMatch", Unauthenticated),
		(403, "RequestTimeTooSkewed", Clock),
		(400, "ExpiredToken", Expired),
		(400, "AuthorizationHeaderMalformed", Region),
		(301, "PermanentRedirect", Region),
		(503, "SlowDown", Unavailable(503)),
		(403, "InvalidObjectState", Archived),
		(403, "QuotaExceeded", Full),
		(413, "EntityTooLarge", TooLarge),
	];
	let refusals = faults.map(|(status, code, failure)| {
		let address = server.address;
		tokio::spawn(async move {
			let proxy = proxy::Proxy::start(address).await;
			proxy.fail(Method::PUT, 1, usize::MAX, Fault::Answer(status, code));
			let got = refused(&folder(proxy.address, code)).await;
			assert_eq!(got, failure, "{code}");
		})
	});
	for refusal in refusals {
		refusal.await.unwrap();
	}
}

/// The answer to a HEAD has no content, so it cannot say why it refuses: the first byte is asked for instead. That also tells an
/// object that is missing from a bucket that does not exist.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_refuses_to_tell_a_length_is_asked_for_a_byte() {
	let server = Server::start().await;
	let proxy = Proxy::start(server.address).await;
	let location = folder(proxy.address, "head");
	let state = tempfile::tempdir().unwrap();
	let sent = send(&location, &state.path().join("journal"), 2000).await;
	let object = sent.unwrap().object;
	for status in [400, 403, 404, 405, 500, 501, 503] {
		proxy.fail(Method::HEAD, 0, usize::MAX, Fault::Answer(status, ""));
		let checked = check(&location, &object, true, &mut |_| {}).await;
		assert!(checked.is_right(), "{status}: {checked:?}");
	}
	proxy.heal();
	assert_eq!(location.delete(&object).await, Ok(true));
	proxy.fail(Method::HEAD, 0, usize::MAX, Fault::Answer(403, ""));
	let checked = check(&location, &object, true, &mut |_| {}).await;
	assert_eq!(checked.failure, Some(Failure::Missing));
	proxy.heal();
	let absent = Location::open_with("s3://absent/x", &settings(server.address, &[])).unwrap();
	let checked = check(&absent, &object, true, &mut |_| {}).await;
	assert_eq!(checked.failure, Some(Failure::NoBucket));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_looked_at_before_anything_is_sent_and_stays_as_it_was() {
	let server = Server::start().await;
	let proxy = Proxy::start(server.address).await;
	let location = folder(proxy.address, "looked");
	assert_eq!(location.check_writable().await, Ok(()));
	let methods: Vec<_> = proxy.heal().into_iter().map(|(method, _)| method).collect();
	assert_eq!(methods, [Method::POST, Method::DELETE]);
	assert_eq!(server.unfinished().await, 0);
	for (status, code, failure) in [
		(403, "AccessDenied", Failure::Denied),
		(404, "NoSuchBucket", Failure::NoBucket),
		(403, "SignatureDoesNotMatch", Failure::Unauthenticated),
	] {
		proxy.fail(Method::POST, 0, usize::MAX, Fault::Answer(status, code));
		assert_eq!(location.check_writable().await, Err(failure));
	}
	// Who may not take an upload back may write all the same.
	proxy.fail(
		Method::DELETE,
		0,
		usize::MAX,
		Fault::Answer(403, "AccessDenied"),
	);
	assert_eq!(location.check_writable().await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_store_is_asked_again() {
	let server = Server::start().await;
	let proxy = Proxy::start(server.address).await;
	let location = folder(proxy.address, "busy");
	for (method, fault) in [
		(Method::PUT, Fault::Answer(503, "SlowDown")),
		(Method::PUT, Fault::Answer(500, "InternalError")),
		// S3 gave up a part that came too slowly.
		(Method::PUT, Fault::Answer(400, "RequestTimeout")),
		(Method::POST, Fault::Answer(503, "SlowDown")),
		// The store has the part, and its answer is lost.
		(Method::PUT, Fault::Break),
	] {
		let state = tempfile::tempdir().unwrap();
		proxy.fail(method, 0, 2, fault);
		let sent = send(&location, &state.path().join("journal"), LENGTH).await;
		let object = sent.unwrap().object;
		proxy.fail(Method::GET, 1, 2, Fault::Answer(503, "SlowDown"));
		let reader = reader(&object, std::slice::from_ref(&location), SILENCE);
		assert!(read_all(&reader).await == value(LENGTH));
		assert_eq!(reader.left(), []);
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_busy_store_is_told() {
	let server = Server::start().await;
	let proxy = Proxy::start(server.address).await;
	let location = folder(proxy.address, "told");
	let (tell, mut told) = tokio::sync::watch::channel(None);
	location.on_trouble(move |trouble| {
		tell.send_replace(Some(trouble));
	});
	proxy.fail(Method::PUT, 0, usize::MAX, Fault::Answer(503, "SlowDown"));
	let state = tempfile::tempdir().unwrap();
	let journal = state.path().join("journal");
	let sending = async { while send(&location, &journal, 2000).await.is_err() {} };
	let healing = async {
		let told = told.wait_for(Option::is_some).await;
		let trouble = *told.unwrap();
		proxy.heal();
		trouble
	};
	let both = async { tokio::join!(sending, healing) };
	let ((), trouble) = tokio::time::timeout(Duration::from_secs(120), both)
		.await
		.unwrap();
	assert_eq!(trouble, Some(Trouble::Unavailable(503)));
}

/// Reads a value from a store with a fault and from a mirror, and then from that store alone, which fails. Returns why
/// the reader left the store.
async fn left_for_a_mirror(
	server: SocketAddr,
	mirror: &Location,
	object: &Object,
	fault: Fault,
	silence: Duration,
) -> Failure {
	let proxy = Proxy::start(server).await;
	// The list is read properly, and then two groups of four MiB.
	proxy.fail(Method::GET, 3, usize::MAX, fault);
	let bad = folder(proxy.address, "mirrored");
	let both = reader(object, &[bad.clone(), mirror.clone()], silence);
	assert!(read_all(&both).await == value(LENGTH), "{fault:?}");
	let [left] = &both.left()[..] else {
		panic!("{fault:?}: {:?}", both.left());
	};
	assert_eq!(left.url, bad.url());
	// Nothing wrong is written without a mirror.
	let alone = reader(object, &[bad], silence);
	let mut out = Vec::new();
	let refused = alone.write_to(&mut out, 0, &mut |_| {}).await;
	assert!(matches!(refused, Err(ReadError::NoneLeft(_))), "{fault:?}");
	assert!(value(LENGTH).starts_with(&out));
	left.failure.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_leaves_a_bad_store_for_a_mirror() {
	let server = Server::start().await;
	let mirror = server.folder("mirrored");
	let state = tempfile::tempdir().unwrap();
	let sent = send(&mirror, &state.path().join("journal"), LENGTH).await;
	let object = sent.unwrap().object;
	use Failure::*;
	type Expected = fn(&Failure) -> bool;
	let faults: [(Fault, Expected); 8] = [
		(Fault::Flip, |left| matches!(left, Wrong(_))),
		(Fault::Cut, |left| matches!(left, Unreachable | CutShort)),
		(Fault::Break, |left| *left == Unreachable),
		(Fault::Answer(403, "AccessDenied"), |left| *left == Denied),
		(Fault::Answer(400, "ExpiredToken"), |left| *left == Expired),
		(Fault::Answer(404, "NoSuchBucket"), |left| *left == NoBucket),
		(Fault::Answer(404, "NoSuchKey"), |left| *left == Missing),
		(Fault::Answer(503, "SlowDown"), |left| {
			*left == Unavailable(503)
		}),
	];
	let readings = faults.map(|(fault, expected)| {
		let (address, mirror, object) = (server.address, mirror.clone(), object.clone());
		tokio::spawn(async move {
			let left = left_for_a_mirror(address, &mirror, &object, fault, SILENCE).await;
			assert!(expected(&left), "{fault:?}: {left:?}");
		})
	});
	for reading in readings {
		reading.await.unwrap();
	}
	// The others keep the server busy, which must not look like silence.
	let short = Duration::from_secs(10);
	let left = left_for_a_mirror(server.address, &mirror, &object, Fault::Silent, short).await;
	assert_eq!(left, Stalled(short));
}

/// A store that sends something all the time is left nevertheless, if it sends less than 32 KiB in a second.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_leaves_a_store_that_sends_too_slowly() {
	let server = Server::start().await;
	let mirror = server.folder("slow");
	let state = tempfile::tempdir().unwrap();
	let sent = send(&mirror, &state.path().join("journal"), 2000).await;
	let object = sent.unwrap().object;
	let proxy = Proxy::start(server.address).await;
	proxy.fail(Method::GET, 0, usize::MAX, Fault::Slow);
	let slow = folder(proxy.address, "slow");
	let silence = Duration::from_secs(5);
	let both = reader(&object, &[slow.clone(), mirror], silence);
	assert!(read_all(&both).await == value(2000));
	let [left] = &both.left()[..] else {
		panic!("{:?}", both.left());
	};
	// Ten seconds more than it may be silent, as the object is small.
	let patience = Duration::from_secs(15);
	assert_eq!(
		(left.url.as_str(), &left.failure),
		(slow.url(), &Failure::Slow(patience))
	);
}
