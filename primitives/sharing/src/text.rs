// SPDX-License-Identifier: Apache-2.0
//! Characters that are not what they seem.

/// Returns whether a character is in Unicode's category Cf, Zl or Zp: marks that change the direction of the
/// text after them, or are invisible.
pub fn is_format(c: char) -> bool {
	matches!(
		u32::from(c),
		0xad | 0x600..=0x605
			| 0x61c | 0x6dd
			| 0x70f | 0x890..=0x891
			| 0x8e2 | 0x180e
			| 0x200b..=0x200f
			| 0x2028..=0x202e
			| 0x2060..=0x206f
			| 0xfeff | 0xfff9..=0xfffb
			| 0x110bd
			| 0x110cd
			| 0x13430..=0x1343f
			| 0x1bca0..=0x1bca3
			| 0x1d173..=0x1d17a
			| 0xe0001
			| 0xe0020..=0xe007f
	)
}
