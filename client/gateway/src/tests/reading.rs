// SPDX-License-Identifier: Apache-2.0
//! Files are read, and reads that end early.

use super::*;

#[tokio::test]
async fn a_file_is_read_over_http() {
	here(async {
		let stand = Stand::new();
		let (status, headers, content) = stand.http(&at("large.parquet"), &[]).await;
		assert_eq!((status, content), (200, Some((0..=255).collect())));
		assert_eq!(text(&headers, "content-length"), "256");
		assert_eq!(text(&headers, "accept-ranges"), "bytes");
		assert_eq!(
			text(&headers, "content-type"),
			"application/vnd.apache.parquet"
		);
		assert_eq!(text(&headers, "content-range"), "");
		assert_eq!(
			text(&headers, "last-modified"),
			"Tue, 14 Nov 2023 22:13:20 GMT"
		);
		assert_eq!(text(&headers, "cache-control"), "no-store");
		let Event::Read(read) = stand.saw().await else {
			panic!("no read");
		};
		assert_eq!(
			(read.who.as_str(), read.bytes, read.failed),
			("token", 0..256, None)
		);
		let (status, headers, content) = stand
			.http(&at("a%20b/1%2B2.csv"), &[("range", "bytes=-4")])
			.await;
		assert_eq!((status, content), (206, Some(b"6789".to_vec())));
		assert_eq!(text(&headers, "content-range"), "bytes 6-9/10");
		assert_eq!(text(&headers, "content-length"), "4");
		let Event::Read(read) = stand.saw().await else {
			panic!("no read");
		};
		assert_eq!((read.path.as_str(), read.bytes), ("a b/1+2.csv", 6..10));
		let (status, headers, content) = stand.http(&at("empty"), &[]).await;
		assert_eq!((status, content), (200, Some(Vec::new())));
		assert_eq!(text(&headers, "content-length"), "0");
		let by_name = at("large.parquet").replace("/3/", "/marks/");
		assert_eq!(stand.http(&by_name, &[]).await.0, 200);
	})
	.await;
}

#[tokio::test]
async fn a_file_in_a_pack_is_read_like_any_other() {
	here(async {
		let pack = Memory::file("frame/part-1", (0..=255).collect(), 16);
		let in_pack = |path: &str, offset: u64, length: u64, hash: u8| {
			let mut opened = pack.clone();
			opened.file = File {
				path: path.to_owned(),
				length,
				hash: [hash; 32],
				pack: Some(Pack {
					hash: pack.file.hash,
					offset,
					list: Arc::new(Record {
						key: [8; 32].into(),
						hash: [9; 32],
					}),
				}),
				..pack.file.clone()
			};
			opened
		};
		let files = [
			in_pack("frame/part-1", 40, 100, 1),
			in_pack("frame/part-2", 140, 116, 2),
			in_pack("frame/part-3", 0, 0, 3),
		];
		let stand = Stand::with_files(files, Limits::default());
		let (status, headers, content) = stand.http(&at("frame/part-1"), &[]).await;
		assert_eq!((status, content), (200, Some((40..140).collect())));
		assert_eq!(text(&headers, "content-length"), "100");
		assert_eq!(text(&headers, "etag"), format!("\"{}-1\"", "01".repeat(32)));
		let Event::Read(read) = stand.saw().await else {
			panic!("no read");
		};
		assert_eq!((read.path.as_str(), read.bytes), ("frame/part-1", 0..100));
		// Only the chunks with the file are fetched, and its neighbour finds the one that they share.
		assert_eq!(pack.bytes.read_bytes(), 144 - 32);
		let (_, _, content) = stand
			.http(&at("frame/part-2"), &[("range", "bytes=0-3")])
			.await;
		assert_eq!(content, Some((140..144).collect()));
		assert_eq!(pack.bytes.read_bytes(), 144 - 32);
		let (status, headers, content) = stand
			.http(&at("frame/part-2"), &[("range", "bytes=-2")])
			.await;
		assert_eq!((status, content), (206, Some(vec![254, 255])));
		assert_eq!(text(&headers, "content-range"), "bytes 114-115/116");
		let (status, headers, _) = stand
			.http(&at("frame/part-1"), &[("range", "bytes=100-")])
			.await;
		assert_eq!(
			(status, text(&headers, "content-range")),
			(416, "bytes */100".to_owned())
		);
		let (status, headers, _) = stand.send(plain("HEAD", &at("frame/part-2"), &[])).await;
		assert_eq!(
			(status, text(&headers, "content-length")),
			(200, "116".to_owned())
		);
		let (status, _, content) = stand.http(&at("frame/part-3"), &[]).await;
		assert_eq!((status, content), (200, Some(Vec::new())));
		let (status, _, xml) = stand
			.s3("GET", &format!("/{BUCKET}"), &[("list-type", "2")])
			.await;
		assert_eq!((status, xml.matches("<Contents>").count()), (200, 3));
		assert!(
			xml.contains("<Key>frame/part-2</Key>") && xml.contains("<Size>116</Size>"),
			"{xml}"
		);
	})
	.await;
}

#[tokio::test]
async fn conditions_are_met_or_refused() {
	here(async {
		let stand = Stand::new();
		let path = at("large.parquet");
		let (status, headers, content) = stand.send(plain("HEAD", &path, &[])).await;
		assert_eq!((status, content), (200, Some(Vec::new())));
		assert_eq!(text(&headers, "content-length"), "256");
		let (tag, then) = (text(&headers, "etag"), text(&headers, "last-modified"));
		assert_eq!(tag.len(), 68);
		let (status, headers, _) = stand.http(&path, &[("range", "bytes=256-")]).await;
		assert_eq!(
			(status, text(&headers, "content-range")),
			(416, "bytes */256".to_owned())
		);
		let ask = async |headers: &[(&str, &str)]| stand.http(&path, headers).await.0;
		assert_eq!(ask(&[("if-none-match", &tag)]).await, 304);
		assert_eq!(ask(&[("if-none-match", "\"x\", *")]).await, 304);
		assert_eq!(ask(&[("if-none-match", "\"x\"")]).await, 200);
		assert_eq!(ask(&[("if-match", "\"x\"")]).await, 412);
		assert_eq!(
			ask(&[("if-match", &tag), ("range", "bytes=0-1")]).await,
			206
		);
		assert_eq!(
			ask(&[("if-range", "\"x\""), ("range", "bytes=0-1")]).await,
			200
		);
		assert_eq!(
			ask(&[("if-range", &tag), ("range", "bytes=0-1")]).await,
			206
		);
		assert_eq!(ask(&[("range", "bytes=0-1,4-5")]).await, 200);
		let before = "Tue, 14 Nov 2023 22:13:19 GMT";
		assert_eq!(then, "Tue, 14 Nov 2023 22:13:20 GMT");
		for (name, date, status) in [
			("if-modified-since", then.as_str(), 304),
			("if-modified-since", before, 200),
			("if-unmodified-since", &then, 200),
			("if-unmodified-since", before, 412),
			("if-modified-since", "yesterday", 200),
			("if-unmodified-since", "yesterday", 200),
		] {
			assert_eq!(ask(&[(name, date)]).await, status, "{name}: {date}");
		}
		// A tag says more than a date.
		let both = [("if-none-match", "\"x\""), ("if-modified-since", &then)];
		assert_eq!(ask(&both).await, 200);
		let both = [("if-match", &*tag), ("if-unmodified-since", before)];
		assert_eq!(ask(&both).await, 200);
	})
	.await;
}

#[tokio::test]
async fn lists_over_http_are_json() {
	here(async {
		let stand = Stand::new();
		let json = async |path: &str| -> serde_json::Value {
			let (status, _, content) = stand.http(path, &[]).await;
			assert_eq!(status, 200);
			serde_json::from_slice(&content.unwrap()).unwrap()
		};
		let datasets = json("/").await;
		assert_eq!(datasets.as_array().unwrap().len(), 1);
		assert_eq!(datasets[0]["bucket"], BUCKET);
		let files = json(&at("")).await;
		assert_eq!(files.as_array().unwrap().len(), 5);
		let files = json(&at("a%20b/")).await;
		assert_eq!(files[0]["path"], "a b/1+2.csv");
		assert_eq!(files[0]["size"], 10);
		let other = Dataset {
			place: Place {
				dataset: 5,
				..PLACE
			},
			name: "a/b c".to_owned(),
			is_open: true,
		};
		stand.others.lock().unwrap().push(other);
		for dataset in ["5", "a%2Fb%20c"] {
			let files = json(&format!("/{}/{dataset}/", PLACE.owner())).await;
			assert_eq!(files.as_array().unwrap().len(), 5, "{dataset}");
		}
	})
	.await;
}

#[tokio::test]
async fn a_revoked_reader_hears_the_chains_sentence() {
	here(async {
		let stand = Stand::new();
		assert_eq!(stand.http(&at("large.parquet"), &[]).await.0, 200);
		let revoked = "the caller's grant was revoked";
		*stand.refusal.lock().unwrap() = Some(Refusal::Denied(revoked.into()));
		let (status, headers, content) = stand.http(&at("large.parquet"), &[]).await;
		assert_eq!((status, content), (403, Some(format!("{revoked}\n").into_bytes())));
		assert_eq!(text(&headers, "x-isthmus-reason"), revoked);
		assert!(matches!(stand.saw().await, Event::Refused(refused) if refused.reason == revoked && refused.status == 403));
		let key = format!("/{BUCKET}/large.parquet");
		let (status, _, xml) = stand.s3("GET", &key, &[]).await;
		assert_eq!(status, 403);
		assert!(xml.contains("<Code>AccessDenied</Code><Message>the caller&apos;s grant was revoked</Message>"), "{xml}");
		let (status, headers, xml) = stand.s3("HEAD", &key, &[]).await;
		assert_eq!((status, xml.as_str(), text(&headers, "x-isthmus-reason").as_str()), (403, "", revoked));
		for (refusal, expected) in [
			(Refusal::NoFile("no".into()), (404, "NoSuchKey")),
			(Refusal::NoDataset("no".into()), (404, "NoSuchBucket")),
			(Refusal::Unreachable("no".into()), (503, "ServiceUnavailable")),
			(Refusal::Busy, (503, "SlowDown")),
			(Refusal::Failed("no".into()), (500, "InternalError")),
		] {
			*stand.refusal.lock().unwrap() = Some(refusal);
			let (status, _, xml) = stand.s3("GET", &key, &[]).await;
			assert!(xml.contains(expected.1), "{xml}");
			assert_eq!(status, expected.0);
		}
	})
	.await;
}

#[tokio::test]
async fn a_read_that_fails_in_the_middle_breaks_off() {
	here(async {
		let stand = Stand::new();
		let (status, _, content) = stand.http(&at("fails.bin"), &[]).await;
		assert_eq!((status, content), (200, None));
		let Event::Read(read) = stand.saw().await else {
			panic!("no read");
		};
		assert_eq!(
			(read.bytes, read.failed),
			(0..32, Some("the node is gone".to_owned()))
		);
		// What fails before anything is sent is an answer of its own.
		let (status, _, content) = stand
			.http(&at("fails.bin"), &[("range", "bytes=50-")])
			.await;
		assert_eq!(
			(status, content),
			(503, Some(b"the node is gone\n".to_vec()))
		);
	})
	.await;
}

#[tokio::test]
async fn a_program_that_pauses_holds_up_no_other() {
	here(async {
		let stand = Stand::new();
		let path = at("large.parquet");
		let paused = stand
			.gateway
			.answer(&plain("GET", &path, &[]).body("").unwrap())
			.await;
		let mut paused = paused.into_body();
		assert!(paused.frame().await.unwrap().is_ok());
		for _ in 0..3 {
			let (status, _, content) = stand.http(&path, &[]).await;
			assert_eq!((status, content), (200, Some((0..=255).collect())));
		}
		// A program that goes away is told of.
		drop(paused);
		loop {
			if let Event::Read(read) = stand.saw().await {
				if read.failed.is_some() {
					assert_eq!(read.failed.as_deref(), Some("the program stopped reading"));
					break;
				}
			}
		}
	})
	.await;
}

#[tokio::test]
async fn a_revocation_ends_a_read_that_goes_on() {
	here(async {
		let stand = Stand::with_limits(Limits {
			asking: Duration::ZERO,
			..Limits::default()
		});
		let request = plain("GET", &at("large.parquet"), &[]).body("").unwrap();
		let mut body = stand.gateway.answer(&request).await.into_body();
		assert!(body.frame().await.unwrap().is_ok());
		let revoked = "the caller's grant was revoked";
		*stand.refusal.lock().unwrap() = Some(Refusal::Denied(revoked.into()));
		let broken = loop {
			match body.frame().await.unwrap() {
				Ok(_) => {}
				Err(refusal) => break refusal,
			}
		};
		assert_eq!(broken, Refusal::Denied(revoked.into()));
		let Event::Read(read) = stand.saw().await else {
			panic!("no read");
		};
		// What was on its way already arrived.
		assert!(read.bytes.end <= 48, "{:?}", read.bytes);
		assert_eq!(read.failed.as_deref(), Some(revoked));
	})
	.await;
}

#[tokio::test]
async fn a_program_that_reads_too_slowly_is_cut_off() {
	here(async {
		let stand = Stand::with_limits(Limits {
			stalled: Duration::from_millis(20),
			..Limits::default()
		});
		let request = plain("GET", &at("large.parquet"), &[]).body("").unwrap();
		let _body = stand.gateway.answer(&request).await.into_body();
		let ended = loop {
			tokio::time::sleep(Duration::from_millis(1)).await;
			if let Some(event) = stand.log.0.lock().unwrap().pop() {
				break event;
			}
		};
		let Event::Read(read) = ended else {
			panic!("no read");
		};
		assert_eq!(read.failed.as_deref(), Some("the program read too slowly"));
	})
	.await;
}
