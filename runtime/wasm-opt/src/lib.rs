// SPDX-License-Identifier: Apache-2.0
//! Replaces the `wasm-opt` crate in the build of the runtime, so that no C++ has to be compiled.
//!
//! `substrate-wasm-builder` asks `wasm-opt` for two passes, at optimisation level 0: lowering sign
//! extension to the first version of Wasm, and stripping debug sections. The target `wasm32v1-none` has no
//! sign extension to lower, and stripping needs no C++, whereas the real crate compiles Binaryen's 241
//! files in a first build. See docs/adr/0011-no-binaryen.md.
//!
//! This crate does not optimise. Calling a function that it does not provide is a compile error.

#![forbid(unsafe_code)]

use parity_wasm::elements::Section;
use std::path::Path;

/// Why a module was not written.
#[derive(Debug, thiserror::Error)]
pub enum OptimizationError {
	/// The module does not parse, it contains instructions that are not in the first version of Wasm, or a
	/// file could not be read or written.
	#[error("{0}")]
	Module(#[from] parity_wasm::SerializationError),
}

/// A transformation of the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
	/// Removes the `.debug_` sections.
	StripDwarf,
	/// Replaces sign extension with instructions of the first version of Wasm. A module that would need
	/// this was not built for `wasm32v1-none`, and is rejected instead.
	SignextLowering,
}

/// The transformations to apply to a module.
#[derive(Clone, Debug, Default)]
pub struct OptimizationOptions {
	passes: Vec<Pass>,
}

impl OptimizationOptions {
	/// Returns options without any pass.
	pub fn new_opt_level_0() -> Self {
		Self::default()
	}

	/// Allows only the first version of Wasm, which is always the case here.
	pub fn mvp_features_only(&mut self) -> &mut Self {
		self
	}

	/// Chooses whether function names are kept. Here they always are.
	pub fn debug_info(&mut self, _: bool) -> &mut Self {
		self
	}

	/// Adds a pass.
	pub fn add_pass(&mut self, pass: Pass) -> &mut Self {
		self.passes.push(pass);
		self
	}

	/// Reads a module, applies the passes and writes the result.
	///
	/// # Errors
	///
	/// Returns [`OptimizationError::Module`] if the module is invalid, or if a file cannot be read or
	/// written.
	pub fn run(
		&self,
		input: impl AsRef<Path>,
		output: impl AsRef<Path>,
	) -> Result<(), OptimizationError> {
		let mut module = parity_wasm::deserialize_file(input)?;
		if self.passes.contains(&Pass::StripDwarf) {
			module.sections_mut().retain(|section| !is_dwarf(section));
		}
		Ok(parity_wasm::serialize_to_file(output, module)?)
	}
}

fn is_dwarf(section: &Section) -> bool {
	matches!(section, Section::Custom(custom) if custom.name().starts_with(".debug_"))
}

#[cfg(test)]
mod tests {
	use super::*;
	use parity_wasm::elements::{CustomSection, Module};

	fn run(module: &[u8], name: &str) -> Result<Module, OptimizationError> {
		let folder = std::env::temp_dir();
		let [input, output] =
			["in", "out"].map(|end| folder.join(format!("{name}-{}.{end}", std::process::id())));
		std::fs::write(&input, module).unwrap();
		let result = OptimizationOptions::new_opt_level_0()
			.mvp_features_only()
			.debug_info(true)
			.add_pass(Pass::StripDwarf)
			.add_pass(Pass::SignextLowering)
			.run(&input, &output)
			.and_then(|()| Ok(parity_wasm::deserialize_file(&output)?));
		for file in [input, output] {
			let _ = std::fs::remove_file(file);
		}
		result
	}

	#[test]
	fn debug_sections_are_removed_and_others_stay() {
		let custom = |name: &str| Section::Custom(CustomSection::new(name.into(), vec![1, 2, 3]));
		let module = Module::new(vec![
			custom("runtime_version"),
			custom(".debug_info"),
			custom(".debug_line"),
			custom("runtime_apis"),
		]);
		let stripped = run(&parity_wasm::serialize(module).unwrap(), "strip").unwrap();
		let names: Vec<_> = stripped
			.custom_sections()
			.map(CustomSection::name)
			.collect();
		assert_eq!(names, ["runtime_version", "runtime_apis"]);
	}

	#[test]
	fn sign_extension_is_rejected() {
		// (func (result i32) (i32.extend8_s (i32.const 0)))
		let module = [
			&b"\0asm\x01\0\0\0"[..],
			&[1, 5, 1, 0x60, 0, 1, 0x7f],
			&[3, 2, 1, 0],
			&[10, 7, 1, 5, 0, 0x41, 0, 0xc0, 0x0b],
		]
		.concat();
		assert!(matches!(
			run(&module, "signext"),
			Err(OptimizationError::Module(_))
		));
	}
}
