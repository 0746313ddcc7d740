//! `isthmus-node`: the program that keeps an Isthmus chain. All of it is in the library.

#![forbid(unsafe_code)]
// The framework's errors are large, and not ours to shrink.
#![allow(clippy::result_large_err)]

fn main() -> isthmus_node::Result<()> {
	isthmus_node::run()
}
