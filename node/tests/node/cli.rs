// SPDX-License-Identifier: Apache-2.0
//! Tests how the node parses its command line.

use clap::{error::ErrorKind, CommandFactory, Parser};
use isthmus_node::cli::{parse_account, parse_producer_name, Cli};
use isthmus_sharing::ProducerKind;

fn read(args: &[&str]) -> Result<Cli, ErrorKind> {
	let args = ["isthmus-node"].iter().chain(args);
	Cli::try_parse_from(args).map_err(|e| e.kind())
}

#[test]
fn the_command_line_is_well_formed() {
	Cli::command().debug_assert();
}

#[test]
fn a_producer_has_a_name_and_a_kind() {
	let cli = read(&["--producer-name", "A school", "--producer-kind", "school"]);
	let profile = cli
		.ok()
		.and_then(|cli| cli.producer.profile())
		.expect("both are given");
	assert_eq!(
		(&*profile.name, profile.kind),
		("A school", ProducerKind::School)
	);

	assert!(read(&[]).is_ok_and(|cli| cli.producer.profile().is_none()));
	for half in [
		["--producer-name", "A school"],
		["--producer-kind", "other"],
	] {
		assert_eq!(read(&half).err(), Some(ErrorKind::MissingRequiredArgument));
	}
}

#[test]
fn a_producers_name_has_1_to_64_bytes() {
	assert_eq!(parse_producer_name(&"n".repeat(64)), Ok("n".repeat(64)));
	assert_eq!(
		parse_producer_name(""),
		Err("the name must not be empty".into())
	);
	let long = parse_producer_name(&"é".repeat(33));
	assert_eq!(long, Err("66 bytes, and the chain has room for 64".into()));
}

#[test]
fn an_account_is_an_address_or_hexadecimal_digits() {
	let digits = "0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";
	let alice = parse_account(digits).unwrap();
	let address = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
	assert_eq!(parse_account(address), Ok(alice));
	for wrong in ["", "0x00", &digits[..65], &address[1..], "//Alice"] {
		assert!(parse_account(wrong).is_err(), "{wrong}");
	}
}
