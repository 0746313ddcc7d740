//! `isthmus` as a terminal sees it, where no chain is needed. What needs one is in
//! `scripts/tests/cli.test.mjs`.

#[test]
fn transcripts() {
	trycmd::TestCases::new()
		.case("tests/cli/*.trycmd")
		.env("ISTHMUS_KEY", "")
		.env("ISTHMUS_URL", "ws://127.0.0.1:1")
		.env("ISTHMUS_PASSPHRASE", "three plain words");
}
