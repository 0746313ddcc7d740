// SPDX-License-Identifier: Apache-2.0
//! Who may ask, what is listed, and what is refused.

use super::*;

#[tokio::test]
async fn who_shows_nothing_or_something_wrong_reads_nothing() {
	here(async {
		let stand = Stand::new();
		let ask = async |headers: &[(&str, &str)]| {
			let request = hyper::Request::builder().uri(at("large.parquet"));
			let all = headers.iter().fold(request, |request, (name, value)| {
				request.header(*name, *value)
			});
			let (status, _, content) = stand.send(all).await;
			(
				status,
				String::from_utf8_lossy(&content.unwrap()).into_owned(),
			)
		};
		let host = ("host", "127.0.0.1");
		assert_eq!(ask(&[host]).await.0, 401);
		assert_eq!(ask(&[host, ("authorization", "Bearer x")]).await.0, 401);
		let (status, words) = ask(&[host, ("authorization", "Basic x")]).await;
		assert!(
			status == 401 && words.contains("Bearer TOKEN"),
			"{status}: {words}"
		);
		let token = format!("Bearer {TOKEN}");
		let good = ("authorization", token.as_str());
		assert_eq!(ask(&[good]).await.0, 403);
		let (status, words) = ask(&[("host", "evil.org"), good]).await;
		assert!(
			status == 403 && words.contains("under this name"),
			"{words}"
		);
		let (status, words) = ask(&[host, ("origin", "https://evil.org"), good]).await;
		assert!(status == 403 && words.contains("web pages"), "{words}");
		assert_eq!(ask(&[host, ("origin", "null"), good]).await.0, 403);
		assert_eq!(ask(&[("host", "data.example.org"), good]).await.0, 200);
		assert_eq!(
			ask(&[host, ("origin", "http://localhost:9000"), good])
				.await
				.0,
			200
		);
		let path = format!("/{BUCKET}/large.parquet?X-Amz-Algorithm=AWS4-HMAC-SHA256");
		let request = hyper::Request::builder()
			.uri(path)
			.header("host", "127.0.0.1");
		assert_eq!(stand.send(request).await.0, 400);
		let other = Credentials::new("KEY".into(), "x".repeat(20), "x".repeat(20)).unwrap();
		let query = signature::sign("GET", "/", &[], &other);
		let request = hyper::Request::builder()
			.uri(format!("/?{query}"))
			.header("host", "127.0.0.1");
		let (status, _, xml) = stand.send(request).await;
		assert_eq!(status, 403);
		assert!(String::from_utf8(xml.unwrap())
			.unwrap()
			.contains("SignatureDoesNotMatch"));
	})
	.await;
}

#[tokio::test]
async fn an_address_of_this_machine_is_own_only_where_the_request_arrived() {
	here(async {
		let stand = Stand::new();
		let ask = async |host: &str, local: &str| {
			let mut request = hyper::Request::builder()
				.uri(at("large.parquet"))
				.header("host", host)
				.header("authorization", format!("Bearer {TOKEN}"));
			if let Some(extensions) = request.extensions_mut() {
				extensions.insert(crate::question::Local(local.parse().unwrap()));
			}
			stand.send(request).await.0
		};
		assert_eq!(ask("10.0.0.5:9800", "10.0.0.5").await, 200);
		assert_eq!(ask("[fd00::5]", "fd00::5").await, 200);
		assert_eq!(ask("10.0.0.6:9800", "10.0.0.5").await, 403);
		assert_eq!(ask("evil.org", "10.0.0.5").await, 403);
	})
	.await;
}

#[tokio::test]
async fn who_shows_nothing_learns_that_the_gateway_runs_and_nothing_else() {
	here(async {
		let stand = Stand::new();
		*stand.refusal.lock().unwrap() = Some(Refusal::Unreachable("the node is gone".into()));
		let probe = |method| {
			let request = hyper::Request::builder().method(method).uri("/healthz");
			request.header("host", "10.0.0.7:9800")
		};
		let (status, _, content) = stand.send(probe("GET")).await;
		assert_eq!((status, content.unwrap()), (200, b"ok\n".to_vec()));
		let (status, _, content) = stand.send(probe("HEAD")).await;
		assert_eq!((status, content.unwrap()), (200, Vec::new()));
		assert!(stand.log.0.lock().unwrap().is_empty());
	})
	.await;
}

#[tokio::test]
async fn a_signed_address_chooses_headers_of_the_answer() {
	here(async {
		let stand = Stand::new();
		let key = format!("/{BUCKET}/large.parquet");
		let query = [
			(
				"response-content-disposition",
				"attachment; filename=\"a b.parquet\"",
			),
			("response-content-type", "application/octet-stream"),
			("response-cache-control", "max-age=60"),
		];
		for method in ["GET", "HEAD"] {
			let (status, headers, _) = stand.s3(method, &key, &query).await;
			assert_eq!(status, 200);
			for (name, value) in [
				("content-disposition", query[0].1),
				("content-type", query[1].1),
				("cache-control", "no-store"),
				("content-length", "256"),
			] {
				assert_eq!(text(&headers, name), value);
			}
		}
		let (status, headers, _) = stand
			.s3("GET", &key, &[("response-content-type", "a\nb: c")])
			.await;
		assert_eq!((status, text(&headers, "b")), (400, String::new()));
		let none = stand.s3("GET", &format!("/{BUCKET}/none"), &query).await;
		assert_eq!(
			(none.0, text(&none.1, "content-disposition")),
			(404, String::new())
		);
	})
	.await;
}

#[tokio::test]
async fn buckets_and_objects_are_listed() {
	here(async {
		let stand = Stand::new();
		let (status, _, xml) = stand.s3("GET", "/", &[("x-id", "ListBuckets")]).await;
		assert_eq!((status, xml.matches("<Bucket>").count()), (200, 1));
		assert!(xml.contains(&format!("<Name>{BUCKET}</Name>")), "{xml}");
		let bucket = format!("/{BUCKET}");
		let list = async |query: &[(&str, &str)]| {
			let (status, _, xml) = stand.s3("GET", &bucket, query).await;
			assert_eq!(status, 200, "{xml}");
			xml
		};
		let all = list(&[("list-type", "2")]).await;
		assert_eq!(all.matches("<Contents>").count(), 5);
		assert!(
			all.contains(
				"<Key>é/ü&amp;&lt;</Key><LastModified>2023-11-14T22:13:20.000Z</LastModified>"
			),
			"{all}"
		);
		assert!(
			all.contains("<Size>256</Size>") && all.contains("<IsTruncated>false</IsTruncated>")
		);
		let encoded = list(&[
			("list-type", "2"),
			("encoding-type", "url"),
			("prefix", "a "),
		])
		.await;
		assert!(
			encoded.contains("<Key>a%20b/1%2B2.csv</Key>")
				&& encoded.contains("<Prefix>a%20</Prefix>"),
			"{encoded}"
		);
		let folders = list(&[("list-type", "2"), ("delimiter", "/")]).await;
		assert!(
			folders.contains("<CommonPrefixes><Prefix>a b/</Prefix></CommonPrefixes>"),
			"{folders}"
		);
		assert!(folders.contains("<KeyCount>5</KeyCount>"));
		let first = list(&[("list-type", "2"), ("max-keys", "2")]).await;
		let (_, token) = first.split_once("<NextContinuationToken>").unwrap();
		let (token, _) = token.split_once('<').unwrap();
		let second = list(&[("list-type", "2"), ("continuation-token", token)]).await;
		assert_eq!(second.matches("<Contents>").count(), 3);
		let (_, _, xml) = stand.s3("GET", "/", &[("max-buckets", "1")]).await;
		assert_eq!(xml.matches("<Bucket>").count(), 1);
		assert!(!xml.contains("<ContinuationToken>"), "{xml}");
		let last = crate::token::make(stand.gateway.credentials(), "", BUCKET);
		let (status, _, xml) = stand
			.s3("GET", "/", &[("continuation-token", last.as_str())])
			.await;
		assert_eq!((status, xml.matches("<Bucket>").count()), (200, 0));
		let older = list(&[("max-keys", "2"), ("marker", "a b/1+2.csv")]).await;
		assert!(
			older.contains("<NextMarker>fails.bin</NextMarker>"),
			"{older}"
		);
		let location = list(&[("location", "")]).await;
		assert!(location.contains("<LocationConstraint"));
		let (status, headers, _) = stand.s3("HEAD", &bucket, &[]).await;
		assert_eq!(
			(status, text(&headers, "x-amz-bucket-region")),
			(200, "us-east-1".to_owned())
		);
	})
	.await;
}

#[tokio::test]
async fn buckets_come_in_pages() {
	here(async {
		let stand = Stand::new();
		let other = |dataset| Dataset {
			place: Place { dataset, ..PLACE },
			name: "more".to_owned(),
			is_open: true,
		};
		stand.others.lock().unwrap().extend([7, 5].map(other));
		let page = async |query: &[(&str, &str)]| {
			let (status, _, xml) = stand.s3("GET", "/", query).await;
			assert_eq!(status, 200, "{xml}");
			let value = |rest: &str| rest.split('<').next().unwrap_or_default().to_owned();
			let names: Vec<String> = xml.split("<Name>").skip(1).map(value).collect();
			let next = xml.split("<ContinuationToken>").nth(1).map(value);
			(names, next)
		};
		let (first, next) = page(&[("max-buckets", "2")]).await;
		let next = next.unwrap();
		let rest = [("max-buckets", "2"), ("continuation-token", next.as_str())];
		let (second, end) = page(&rest).await;
		let expected = ["-3", "-5", "-7"].map(|end| BUCKET.replace("-3", end));
		assert_eq!(
			(first.len(), [first, second].concat()),
			(2, expected.to_vec())
		);
		assert_eq!(end, None);
	})
	.await;
}

#[tokio::test]
async fn what_the_gateway_does_not_do_is_refused_with_a_sentence() {
	here(async {
		let stand = Stand::new();
		let (bucket, key) = (format!("/{BUCKET}"), format!("/{BUCKET}/large.parquet"));
		let (ended, root) = (bucket.replace("-3", "-5"), "/".to_owned());
		for (method, path, query, expected) in [
			("PUT", &key, &[][..], (403, "AccessDenied")),
			("DELETE", &key, &[], (403, "AccessDenied")),
			("POST", &bucket, &[("delete", "")], (403, "AccessDenied")),
			("PUT", &bucket, &[], (403, "AccessDenied")),
			("GET", &bucket, &[("acl", "")], (501, "NotImplemented")),
			(
				"GET",
				&bucket,
				&[("versioning", "")],
				(501, "NotImplemented"),
			),
			("GET", &key, &[("tagging", "")], (501, "NotImplemented")),
			("GET", &key, &[("partNumber", "2")], (501, "NotImplemented")),
			(
				"GET",
				&bucket,
				&[("list-type", "3")],
				(400, "InvalidArgument"),
			),
			(
				"GET",
				&bucket,
				&[("max-keys", "-1")],
				(400, "InvalidArgument"),
			),
			(
				"GET",
				&bucket,
				&[("list-type", "2"), ("continuation-token", "x")],
				(400, "InvalidArgument"),
			),
			(
				"GET",
				&bucket,
				&[("encoding-type", "x")],
				(400, "InvalidArgument"),
			),
			(
				"GET",
				&root,
				&[("max-buckets", "0")],
				(400, "InvalidArgument"),
			),
			("GET", &bucket, &[("versions", "")], (501, "NotImplemented")),
			("GET", &ended, &[], (404, "NoSuchBucket")),
		] {
			let (status, _, xml) = stand.s3(method, path, query).await;
			assert_eq!(status, expected.0, "{method} {path}: {xml}");
			assert!(
				xml.contains(&format!("<Code>{}</Code><Message>", expected.1)),
				"{xml}"
			);
		}
		assert_eq!(
			stand
				.s3("GET", &key, &[("versionId", "null"), ("partNumber", "1")])
				.await
				.0,
			200
		);
		// Tokens that no list gave, or another one.
		let other = crate::token::make(stand.gateway.credentials(), "other", "a");
		for token in ["", "00", &hex::encode("large.parquet"), &other] {
			for path in [&bucket, &root] {
				let query = [("continuation-token", token), ("list-type", "2")];
				let query = if *path == root {
					&query[..1]
				} else {
					&query[..]
				};
				let (status, _, xml) = stand.s3("GET", path, query).await;
				assert_eq!(status, 400, "{path} {token}");
				assert!(xml.contains("<Code>InvalidArgument</Code>"), "{xml}");
			}
		}
		assert_eq!(stand.send(plain("POST", &at("empty"), &[])).await.0, 405);
		for path in [
			"/x",
			"/x/3/empty",
			"/%ff",
			"//",
			"/a/b/c?x=%ff",
			&at("none"),
		] {
			let status = stand.http(path, &[]).await.0;
			assert!(status == 404 || status == 400, "{path}: {status}");
		}
	})
	.await;
}

#[tokio::test]
async fn bytes_that_are_no_request_end_their_connection_only() {
	use tokio::io::{AsyncReadExt, AsyncWriteExt};
	here(async {
		let stand = Stand::new();
		let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
		let address = listener.local_addr().unwrap();
		tokio::task::spawn_local(stand.gateway.clone().serve(listener, std::future::pending()));
		let ask = async |bytes: &[u8]| {
			let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
			// The gateway may have closed the connection already.
			let _ = connection.write_all(bytes).await;
			// A program that closes its half has given up.
			if !bytes.ends_with(b"\r\n\r\n") {
				let _ = connection.shutdown().await;
			}
			let mut answer = Vec::new();
			let _ = connection.read_to_end(&mut answer).await;
			String::from_utf8_lossy(&answer).into_owned()
		};
		assert_eq!(ask(b"").await, "");
		assert!(ask(b"\x16\x03\x01\x02\0").await.starts_with("HTTP/1.1 400"));
		let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(1_000_000));
		let answer = ask(long.as_bytes()).await;
		assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"));
		assert!(ask(b"GET / HTTP/1.0\r\n\r\n")
			.await
			.starts_with("HTTP/1.0 403"));
		let good = format!(
			"GET {} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\n\r\n",
			at("large.parquet")
		);
		assert!(ask(good.as_bytes()).await.starts_with("HTTP/1.1 200"));
		// A program that sends all of a file first gets the answer all the same, over a connection that goes on.
		let length = 4 << 20;
		let put = format!(
			"PUT {} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: {length}\r\n\r\n",
			at("large.parquet")
		);
		let all = [put.as_bytes(), &vec![7; length], good.as_bytes()].concat();
		let answers = ask(&all).await;
		assert!(answers.starts_with("HTTP/1.1 405"), "{answers}");
		assert!(answers.contains("HTTP/1.1 200"), "{answers}");
	})
	.await;
}

proptest::proptest! {
	#![proptest_config(proptest::test_runner::Config { cases: 64, failure_persistence: None, ..Default::default() })]

	#[test]
	fn no_request_ends_the_gateway(
		method in "GET|HEAD|PUT|X",
		path in "(/|/01010101010101010101010101010101-3|/%[0-9a-f]{2}){0,3}",
		query in "([a-zA-Z-]{0,9}=?[%a-f0-9+]{0,6}&?){0,4}",
		authorization in "(AWS4-HMAC-SHA256 |Bearer |)[ -~]{0,60}",
		range in "bytes=[0-9]{0,30}-[0-9]{0,30}|[ -~]{0,9}",
	) {
		let request = hyper::Request::builder()
			.method(method.as_str())
			.uri(format!("/{path}?{query}"))
			.header("host", "127.0.0.1")
			.header("range", range)
			.header("authorization", authorization);
		if let Ok(request) = request.body("") {
			let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
			let status = runtime.block_on(here(async {
				Stand::new().gateway.answer(&request).await.status().as_u16()
			}));
			assert!(status >= 400);
		}
	}
}
