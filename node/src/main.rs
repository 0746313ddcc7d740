//! `isthmus-node`: the program that keeps an Isthmus chain. All of it is in the library.

#![forbid(unsafe_code)]

fn main() -> isthmus_node::Result<()> {
	isthmus_node::run()
}
