// SPDX-License-Identifier: Apache-2.0
//! Objects: encrypted values in stores outside the chain, such as a bucket or a folder. The chain has only an object's
//! header, its length and the root of its tree; the bytes may be anywhere, because each MiB of them can be checked alone.
//!
//! This crate knows nothing of the chain: it takes an object's header, length and root, locations and keys.
//!
//! - [`Upload`] sends a value to a [`Location`] in one pass, and goes on after it was interrupted; [`give_up()`] gives that up.
//! - [`Reader`] reads what is encrypted, or a range of it, from several locations, and [`ValueReader`] the value, which may be
//!   compressed there.
//! - [`copy()`] copies an object from one location to another, without keys, and [`prove()`] proves a piece of one.
//! - [`check()`] tells what a location has of an object, without keys. [`Location::delete`] deletes it there.
//! - [`Location::marked`] finds objects whose names begin with a mark, also those that no one knows any more.
//!
//! An object `NAME` lies in a location's folder under that name, with the list `NAME.b3` of its chunks' BLAKE3 chaining
//! values beside it if it has several chunks. `docs/formats.md` describes both.
//!
//! Stores are reached by the crate `object_store`: S3, Google Cloud Storage, Azure, web servers, which are only read, and
//! folders of this machine. [`Settings`] are the credentials. No error of this crate repeats what a store said, because
//! that may contain parts of a signed request.

#![forbid(unsafe_code)]

mod certificate;
mod check;
mod compress;
mod connector;
mod copy;
mod failure;
mod folder;
mod journal;
mod local;
mod location;
mod location_error;
mod marks;
mod object;
mod parts;
mod patience;
mod read;
mod settings;
mod source;
mod stores;
#[cfg(test)]
mod tests;
mod tree;
mod trouble;
mod turns;
mod unfinished;
mod upload;
mod value;

pub use certificate::{sent_no_tls, CertificateFault};
pub use check::{check, Checked};
pub use copy::{copy, copy_again, prove, CopyError};
pub use failure::Failure;
pub use folder::FolderFault;
pub use location::Location;
pub use location_error::LocationError;
pub use marks::{Mark, Marked};
pub use object::{Object, ObjectError};
pub use parts::Parts;
pub use read::{ReadError, Reader};
pub use settings::Settings;
pub use source::{read_small, SILENCE};
pub use tree::{Root, Value};
pub use trouble::Trouble;
pub use turns::Left;
pub use unfinished::{
	entering, forget, give_up, note_given_up, noted, unfinished, GivenUp, Noted, Unfinished, Whole,
};
pub use upload::{Sent, Upload, UploadError, IN_FLIGHT};
pub use value::ValueReader;
