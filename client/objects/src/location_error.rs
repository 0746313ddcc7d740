// SPDX-License-Identifier: Apache-2.0
//! Why a location cannot be used, in words that say what to do.

use isthmus_envelope::paths::ShowPath;
use std::path::PathBuf;

/// Why a location cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocationError {
	/// It is not a URL.
	#[error("{0:?} is not a URL: give one such as file:///folder")]
	NotAUrl(String),
	/// The scheme is unknown.
	#[error("{0}:// is not a store: use s3://, gs://, az:// or file://, or https:// for what is only read")]
	Scheme(String),
	/// Plain HTTP to another machine.
	#[error("http:// is for this machine only: use https://")]
	NotLoopback,
	/// The address is one of a private network, which is another machine for each reader.
	#[error("{0} is an address of this machine or of a private network, and this program does not ask what others name there: use the server's name, or another store")]
	Private(String),
	/// A store that only an owner's own readers are to ask.
	#[error("{0}:// is asked only for an owner that you name: what all publish is fetched from https://, s3:// and gs:// only")]
	NotPublic(String),
	/// A store's settings cannot be used.
	#[error("{0}")]
	Settings(&'static str),
	/// The value of a variable cannot be sent.
	#[error(
		"the value of {name} has a character that cannot be in it, such as a line end or a space: correct it"
	)]
	Variable {
		/// The variable's name.
		name: String,
	},
	/// The profile in `AWS_PROFILE` has no keys.
	#[error("the profile {name} has no access key: this program reads keys, but no roles and no single sign-on. Set them: eval \"$(aws configure export-credentials --format env)\"")]
	Profile {
		/// The profile's name.
		name: String,
	},
	/// There is no profile with the name in `AWS_PROFILE`.
	#[error("there is no profile {name} in ~/.aws/credentials and ~/.aws/config, or the files that AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE name instead: correct AWS_PROFILE, or add it. In config, it begins with [profile {name}]")]
	NoProfile {
		/// The profile's name.
		name: String,
	},
	/// A file of profiles cannot be read.
	#[error("{} cannot be read, or is not a file of AWS profiles: correct it, or name another one in AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE", path.shown())]
	ProfileFile {
		/// The file.
		path: PathBuf,
	},
	/// The file of certificates in `AWS_CA_BUNDLE` cannot be read.
	#[error("{} cannot be read, or has no certificates: correct AWS_CA_BUNDLE", path.shown())]
	Authorities {
		/// The file.
		path: PathBuf,
	},
	/// The URL has a user or a password, a query or a fragment, which everyone would see.
	#[error("a location is public: give credentials in the environment, and no user, query or fragment in the URL")]
	Secret,
}
