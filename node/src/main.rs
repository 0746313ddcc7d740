// SPDX-License-Identifier: Apache-2.0
//! `isthmus-node`: the program that runs a node. All of its code is in the library.

#![forbid(unsafe_code)]

fn main() -> Result<(), Box<isthmus_node::Error>> {
	Ok(isthmus_node::run()?)
}
