// SPDX-License-Identifier: Apache-2.0
//! The list of a folder's files; see [`isthmus_sharing::folder`].

pub use isthmus_sharing::folder::*;
