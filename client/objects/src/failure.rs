// SPDX-License-Identifier: Apache-2.0
//! Why a store did not do what it was asked, in words that say what to do. A store's own words are not repeated: they may
//! contain parts of a signed request.

use crate::{
	certificate::{sent_no_tls, CertificateFault},
	folder::FolderFault,
};
use isthmus_envelope::input::NoRegularFile;
use std::{error::Error as StdError, io, time::Duration};

/// The addresses where `object_store` asks a cloud's own machines for credentials if there are no others.
const METADATA: [&str; 5] = [
	"/latest/api/token",
	"/latest/meta-data/",
	"/computeMetadata/",
	"/metadata/identity/",
	"http://169.254.170.2/",
];

/// What `reqwest` says of a request to which no answer came.
const NOT_SENT: &str = "error sending request";

/// The status of a request that lacks credentials.
const UNAUTHORIZED: u16 = 401;
/// The status of a request that is not allowed.
const FORBIDDEN: u16 = 403;
/// The status of a request whose method the server does not know.
const METHOD_NOT_ALLOWED: u16 = 405;
/// The status of a request for bytes behind the end of a file.
const PAST_END: u16 = 416;
/// The status of a request that took too long.
const REQUEST_TIMEOUT: u16 = 408;
/// S3's name for that. It comes with status 400.
const CAME_TOO_SLOWLY: &str = "RequestTimeout";

/// Why a store failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
	/// The store has no such object.
	#[error("it is not there")]
	Missing,
	/// The object has another length than it must have.
	#[error("it has {got} bytes there, instead of {expected}")]
	Length {
		/// The length in bytes that the object must have.
		expected: u64,
		/// The length in bytes that it has.
		got: u64,
	},
	/// The object's list of chaining values is not there.
	#[error("its list of checksums is not there")]
	NoList,
	/// The list of chaining values does not belong to the root on the chain.
	#[error("its list of checksums there is wrong")]
	WrongList,
	/// A chunk does not belong to the root on the chain.
	#[error("MiB {0} of it is wrong there")]
	Wrong(u32),
	/// The store sent fewer bytes than it was asked for.
	#[error("the store sent less than it was asked for")]
	CutShort,
	/// The credentials are no longer valid.
	#[error("the credentials have expired: get new ones and run the same command again")]
	Expired,
	/// There are no credentials.
	#[error("there are no credentials for the store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, for S3; GOOGLE_APPLICATION_CREDENTIALS for Google Cloud; AZURE_STORAGE_ACCOUNT_KEY for Azure; for a bucket that everyone may read, AWS_SKIP_SIGNATURE=true")]
	NoCredentials,
	/// The store does not accept the credentials.
	#[error("the store does not accept the credentials: correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or those of your store; AWS_SESSION_TOKEN must belong to them, or not be set")]
	Unauthenticated,
	/// The bucket is in another region than the settings say.
	#[error("the bucket is in another region: set AWS_REGION to its region")]
	Region,
	/// This machine's clock and the store's differ too much for signed requests.
	#[error("this machine's clock differs from the store's: correct it")]
	Clock,
	/// The settings name a store without TLS.
	#[error("the store's endpoint has no TLS: use https://, or set AWS_ALLOW_HTTP=true if that network is yours alone")]
	Plain,
	/// A web server does not send ranges.
	#[error("the server does not send ranges of a file, or hides its length: use another server")]
	NoRanges,
	/// A web server lists nothing, as one does that lists no files at all.
	#[error("the server lists nothing there: most web servers list no files")]
	Unlisted,
	/// A server sends its readers to another address.
	#[error("the server redirects to another address: use the one that it names")]
	Redirected,
	/// The account may not do that.
	#[error("the store does not allow it (403): check what this account may do there. To an account that may not list the bucket, S3 says the same of what is missing")]
	Denied,
	/// A web server asks for credentials, or does not let everyone read.
	#[error("the web server does not let everyone read there ({0}), and is sent no credentials: have its operator open the folder to all, or use another location. A server may say the same of what is missing")]
	Closed(u16),
	/// The user may not do that with files.
	#[error("this user may not do that there: check the owner and the permissions of the folder and of what is in it")]
	DeniedFile,
	/// The bucket does not exist.
	#[error("the bucket does not exist: create it, or correct the location")]
	NoBucket,
	/// The store is overloaded or has a fault of its own.
	#[error("the store does not answer properly now ({0}): try again later")]
	Unavailable(u16),
	/// The object has to be restored before it can be read.
	#[error("the object is archived there: restore it first (S3 Glacier: aws s3api restore-object), and try again")]
	Archived,
	/// The store takes only shorter requests.
	#[error("the store, or a proxy in front of it, does not take that many bytes in one request (413): have it take 128 MiB (nginx: client_max_body_size)")]
	TooLarge,
	/// The bucket takes only what has a checksum.
	#[error("the bucket takes only what has a checksum, because of its object lock: set AWS_CHECKSUM_ALGORITHM=SHA256")]
	NoChecksum,
	/// The store sent nothing for too long, or did not take what was sent.
	#[error("the store did not answer within {} s", .0.as_secs())]
	Stalled(Duration),
	/// The store sends slower than is waited for.
	#[error("the store sent too slowly: it was left after {} s", .0.as_secs())]
	Slow(Duration),
	/// The store cannot be reached, or broke off.
	#[error("the store cannot be reached, or broke the connection off: check the address and the network{}", proxy(is_set))]
	Unreachable,
	/// The name of the store's host leads nowhere.
	#[error(
		"the name of the store's host is not found: check the address and the network{}",
		proxy(is_set)
	)]
	Unresolved,
	/// The store's server does not speak TLS.
	#[error("the store's server does not speak TLS: check the port, and whether its endpoint begins with http://")]
	NoTls,
	/// A proxy does not let the request through.
	#[error("the proxy that $HTTPS_PROXY or $ALL_PROXY names does not lead to the store: correct it, or name the store's host in $NO_PROXY")]
	Proxy,
	/// The certificate of the store's server is not accepted.
	#[error("{0}")]
	Certificate(CertificateFault),
	/// There is no room left.
	#[error("there is no space left: make room, and run the same command again")]
	Full,
	/// The store has forgotten the parts of an unfinished upload.
	#[error("the store has dropped the unfinished upload")]
	Dropped,
	/// The store can only be read.
	#[error("nothing can be written there")]
	ReadOnly,
	/// There is something else than a file.
	#[error("what is there is a {0}, and no file: remove it")]
	NoFile(&'static str),
	/// The location's folder of this machine cannot be used at all.
	#[error("{0}")]
	Folder(FolderFault),
	/// The file system refused it.
	#[error("{0}")]
	File(io::ErrorKind),
	/// The store refused it with another status.
	#[error("the store refused it ({status}{}{code})", if .code.is_empty() { "" } else { " " })]
	Refused {
		/// The status of its answer.
		status: u16,
		/// The store's own name for the error; empty if it has none.
		code: String,
	},
	/// This program cannot use the location.
	#[error("{0}")]
	Unusable(String),
	/// The store failed in a way that has no words of its own here.
	#[error("the store failed")]
	Other,
}

impl Failure {
	/// Returns whether it is about the object's bytes: then the store works, but has something else.
	pub fn is_content(&self) -> bool {
		use Failure::*;
		matches!(
			self,
			Missing | Length { .. } | NoList | WrongList | Wrong(_) | CutShort | NoFile(_)
		)
	}

	/// Returns whether the bytes that are there are known to be other ones than the chain says.
	pub fn is_wrong(&self) -> bool {
		use Failure::*;
		matches!(self, Length { .. } | WrongList | Wrong(_))
	}

	/// Returns whether something is there which is not the object as it must be.
	pub(crate) fn is_damaged(&self) -> bool {
		use Failure::*;
		self.is_content() && !matches!(self, Missing | NoFile(_))
	}

	/// Returns whether it may be about this object alone: the store answered, and may well have others.
	pub fn is_of_object(&self) -> bool {
		use Failure::*;
		self.is_content()
			|| matches!(
				self,
				Denied
					| Closed(FORBIDDEN)
					| DeniedFile | Archived
					| File(_) | Refused { .. }
					| Other
			)
	}

	/// Returns whether it may be about some bytes of the object, so that others of them can be read.
	pub fn is_of_bytes(&self) -> bool {
		use Failure::*;
		matches!(
			self,
			Length { .. } | Wrong(_) | CutShort | File(_) | Refused { .. } | Other
		)
	}

	/// Returns whether it is about the store or its settings, so that no object can be written there now.
	pub(crate) fn is_of_store(&self) -> bool {
		use Failure::*;
		match self {
			// It does not know how to begin an object in parts.
			Unavailable(501) => false,
			Expired | NoCredentials | Unauthenticated | Region | Clock | Plain | Denied
			| Closed(_) | NoBucket => true,
			NoTls | Proxy | Redirected | Certificate(_) => true,
			Full | ReadOnly | Folder(_) | Unusable(_) => true,
			failure => failure.is_passing() && *failure != Dropped,
		}
	}

	/// Returns whether the same request may succeed later, although nothing was corrected.
	pub fn is_passing(&self) -> bool {
		use Failure::*;
		matches!(
			self,
			Unavailable(_) | Stalled(_) | Slow(_) | Unreachable | Unresolved | Dropped
		)
	}

	/// Returns what it means at a web server: that is sent no credentials, and has no regions.
	pub(crate) fn at_web_server(self) -> Self {
		match self {
			Self::Unauthenticated | Self::NoCredentials | Self::Expired => {
				Self::Closed(UNAUTHORIZED)
			}
			Self::Denied => Self::Closed(FORBIDDEN),
			Self::Region => Self::Redirected,
			failure => failure,
		}
	}
}

impl From<object_store::Error> for Failure {
	fn from(error: object_store::Error) -> Self {
		use object_store::Error::*;
		let text = texts(&error);
		if METADATA.iter().any(|path| text.contains(path)) {
			return Self::NoCredentials;
		}
		// The address that cannot be reached is the proxy's.
		if text.contains("tunnel error") {
			return Self::Proxy;
		}
		match io_failure(&error) {
			// No answer came, so it is no short one, and what a firewall forbids is about no file.
			Some(Self::CutShort | Self::DeniedFile) if text.contains(NOT_SENT) => {
				return Self::Unreachable
			}
			Some(failure) => return failure,
			None => {}
		}
		if let Some(fault) = CertificateFault::in_words(&text) {
			return Self::Certificate(fault);
		}
		let code = code(&text).unwrap_or_default();
		if let Some(failure) = by_code(code, &text) {
			return failure;
		}
		let refused = |status| Self::Refused {
			status,
			code: code.to_owned(),
		};
		match &error {
			// `object_store` takes a web server that does not know the method for one without the file.
			NotFound { .. } if status(&text) == Some(METHOD_NOT_ALLOWED) => {
				refused(METHOD_NOT_ALLOWED)
			}
			NotFound { .. } => Self::Missing,
			// Other reasons than a lack of rights, such as an account that was closed, have names of their own.
			PermissionDenied { .. } if !code.is_empty() && !is_denial(code) => refused(FORBIDDEN),
			PermissionDenied { .. } => Self::Denied,
			Unauthenticated { .. } => Self::Unauthenticated,
			NotSupported { .. } => Self::NoRanges,
			NotImplemented { .. } => Self::Other,
			_ if text.contains("redirect without LOCATION") => Self::Region,
			_ if text.contains("URL scheme is not allowed") => Self::Plain,
			// What is there is shorter than the object.
			_ if text.contains("Wanted range starting at") => Self::CutShort,
			_ if text.contains("Content-Length Header missing")
				|| text.contains("Content-Range header not present")
				|| text.contains("Failed to parse value for CONTENT_RANGE header") =>
			{
				Self::NoRanges
			}
			_ => match status(&text) {
				Some(UNAUTHORIZED) => Self::Unauthenticated,
				Some(FORBIDDEN) => Self::Denied,
				Some(404) => Self::Missing,
				Some(413) => Self::TooLarge,
				Some(PAST_END) => Self::CutShort,
				Some(507) => Self::Full,
				Some(301..=303 | 307 | 308) => Self::Redirected,
				Some(got @ (REQUEST_TIMEOUT | 429 | 500..)) => Self::Unavailable(got),
				Some(got) => refused(got),
				None if sent_no_tls(&text) => Self::NoTls,
				None if text.contains("dns error") => Self::Unresolved,
				None if text.contains(NOT_SENT) || text.contains("HTTP error") => Self::Unreachable,
				None => Self::Other,
			},
		}
	}
}

impl From<io::Error> for Failure {
	fn from(error: io::Error) -> Self {
		if let Some(kind) = no_file(&error) {
			return Self::NoFile(kind);
		}
		match error.kind() {
			io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
			io::ErrorKind::NotFound => Self::Missing,
			io::ErrorKind::PermissionDenied => Self::DeniedFile,
			io::ErrorKind::UnexpectedEof => Self::CutShort,
			io::ErrorKind::ConnectionRefused
			| io::ErrorKind::ConnectionReset
			| io::ErrorKind::ConnectionAborted
			| io::ErrorKind::NotConnected
			| io::ErrorKind::BrokenPipe
			| io::ErrorKind::TimedOut
			| io::ErrorKind::HostUnreachable
			| io::ErrorKind::NetworkUnreachable
			| io::ErrorKind::NetworkDown => Self::Unreachable,
			kind => Self::File(kind),
		}
	}
}

/// Returns what else to check where a proxy may be asked instead of the store: without TLS, nothing tells them apart.
fn proxy(is_set: impl Fn(&str) -> bool) -> &'static str {
	let variables = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
	match variables.into_iter().any(is_set) {
		true => ", and the proxy that $HTTP_PROXY or $ALL_PROXY names",
		false => "",
	}
}

/// Returns whether a variable of the environment has a value.
fn is_set(name: &str) -> bool {
	std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Returns the error of a file that caused this one, if any.
fn io_failure(error: &object_store::Error) -> Option<Failure> {
	let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
	while let Some(error) = cause {
		if let Some(io) = error.downcast_ref::<io::Error>() {
			if let Some(kind) = no_file(io) {
				return Some(Failure::NoFile(kind));
			}
			// What a connection says has no kind that helps.
			let file = io.raw_os_error().is_some() || io.kind() == io::ErrorKind::UnexpectedEof;
			return file.then(|| io::Error::from(io.kind()).into());
		}
		cause = error.source();
	}
	None
}

/// Returns what is in the place of a file, if that is the error.
fn no_file(error: &io::Error) -> Option<&'static str> {
	let why = error.get_ref()?.downcast_ref::<NoRegularFile>();
	why.map(|why| why.0)
}

/// Returns the words of an error and its causes.
pub(crate) fn texts(error: &(dyn StdError + 'static)) -> String {
	let mut text = String::new();
	let mut cause = Some(error);
	while let Some(error) = cause {
		text += &format!("{error}\n");
		cause = error.source();
	}
	text
}

/// Returns the status code of an HTTP answer.
fn status(text: &str) -> Option<u16> {
	let (_, after) = text.split_once("status code: ")?;
	after.get(..3)?.parse().ok()
}

/// Returns whether a file ends before what was asked of it begins. That an answer was cut short does not say so.
pub(crate) fn is_past_end(error: &object_store::Error) -> bool {
	status(&texts(error)) == Some(PAST_END)
}

/// Returns whether S3 gave a request up because it came too slowly. Its status is not one that `object_store` repeats.
pub(crate) fn came_too_slowly(error: &object_store::Error) -> bool {
	let text = texts(error);
	code(&text) == Some(CAME_TOO_SLOWLY) && status(&text) != Some(REQUEST_TIMEOUT)
}

/// Returns the code of an error as S3 and Azure write it, or as `object_store` does for one of several files that were to be
/// deleted. Only what looks like a name is taken for one: a text may contain parts of a signed request.
fn code(text: &str) -> Option<&str> {
	const LONGEST: usize = 64;
	let between = |before: &str, after: &str| {
		let (_, rest) = text.split_once(before)?;
		rest.split_once(after).map(|(code, _)| code)
	};
	let code = between("<Code>", "</Code>").or_else(|| between("(code: ", ")"))?;
	let is_name = |code: &&str| {
		let mut letters = code.bytes();
		code.len() <= LONGEST && letters.all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
	};
	Some(code).filter(is_name)
}

/// Returns whether a code says only that the account lacks a right.
fn is_denial(code: &str) -> bool {
	matches!(
		code,
		"AccessDenied" | "Forbidden" | "AuthorizationPermissionMismatch" | "AuthorizationFailure"
	)
}

fn by_code(code: &str, text: &str) -> Option<Failure> {
	match code {
		"ExpiredToken" | "TokenRefreshRequired" | "RequestExpired" => Some(Failure::Expired),
		"InvalidAccessKeyId"
		| "SignatureDoesNotMatch"
		| "InvalidToken"
		| "AuthenticationFailed" => Some(Failure::Unauthenticated),
		"AccessDenied" => Some(Failure::Denied),
		"NoSuchBucket" | "ContainerNotFound" => Some(Failure::NoBucket),
		"PermanentRedirect"
		| "AuthorizationHeaderMalformed"
		| "IllegalLocationConstraintException" => Some(Failure::Region),
		"RequestTimeTooSkewed" => Some(Failure::Clock),
		CAME_TOO_SLOWLY => Some(Failure::Unavailable(REQUEST_TIMEOUT)),
		"SlowDown" | "SlowDownRead" | "SlowDownWrite" | "TooManyRequests" | "InternalError"
		| "ServiceUnavailable" | "ServerBusy" => Some(Failure::Unavailable(503)),
		// The store has lost a part, or has another one than was sent: the upload cannot be finished.
		"NoSuchUpload" | "InvalidPart" | "InvalidPartOrder" => Some(Failure::Dropped),
		"EntityTooLarge" => Some(Failure::TooLarge),
		"InvalidRange" => Some(Failure::CutShort),
		"InvalidObjectState" | "BlobArchived" => Some(Failure::Archived),
		"QuotaExceeded"
		| "XMinioStorageFull"
		| "XMinioAdminBucketQuotaExceeded"
		| "StorageCapExceeded"
		| "InsufficientStorage" => Some(Failure::Full),
		"InvalidRequest" if text.contains("Object Lock") => Some(Failure::NoChecksum),
		// The upload began without checksums, or with others.
		"InvalidRequest" if text.contains("Type mismatch occurred") => Some(Failure::Dropped),
		_ => None,
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn generic(text: &str) -> Failure {
		let source = text.into();
		object_store::Error::Generic {
			store: "S3",
			source,
		}
		.into()
	}

	#[test]
	fn an_answer_of_a_store_says_what_to_do() {
		let answer = |status: &str, code: &str| {
			generic(&format!(
				"Server returned non-2xx status code: {status}: <Error><Code>{code}</Code><AWSAccessKeyId>AKIASECRET</AWSAccessKeyId></Error>"
			))
		};
		assert_eq!(answer("400 Bad Request", "ExpiredToken"), Failure::Expired);
		assert_eq!(answer("403 Forbidden", "AccessDenied"), Failure::Denied);
		assert_eq!(
			answer("403 Forbidden", "SignatureDoesNotMatch"),
			Failure::Unauthenticated
		);
		assert_eq!(answer("404 Not Found", "NoSuchBucket"), Failure::NoBucket);
		assert_eq!(answer("404 Not Found", "NoSuchKey"), Failure::Missing);
		assert_eq!(
			answer("503 Service Unavailable", "SlowDown"),
			Failure::Unavailable(503)
		);
		assert_eq!(
			answer("409 Conflict", "OperationAborted").to_string(),
			"the store refused it (409 OperationAborted)"
		);
		for (status, code, failure) in [
			(
				"400 Bad Request",
				"RequestTimeout",
				Failure::Unavailable(408),
			),
			("400 Bad Request", "InvalidPart", Failure::Dropped),
			("403 Forbidden", "InvalidObjectState", Failure::Archived),
			("403 Forbidden", "QuotaExceeded", Failure::Full),
			(
				"507 Insufficient Storage",
				"XMinioStorageFull",
				Failure::Full,
			),
			("413 Payload Too Large", "", Failure::TooLarge),
			(
				"416 Range Not Satisfiable",
				"InvalidRange",
				Failure::CutShort,
			),
			("416 Range Not Satisfiable", "", Failure::CutShort),
			("301 Moved Permanently", "", Failure::Redirected),
			("408 Request Timeout", "", Failure::Unavailable(408)),
			("429 Too Many Requests", "", Failure::Unavailable(429)),
		] {
			assert_eq!(answer(status, code), failure, "{status} {code}");
		}
		// Only names are repeated.
		for code in ["AKIA SECRET", "a=b", "x".repeat(65).as_str()] {
			let shown = answer("409 Conflict", code).to_string();
			assert_eq!(shown, "the store refused it (409)");
		}
		let locked = "Server returned non-2xx status code: 400 Bad Request: <Code>InvalidRequest</Code><Message>Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters</Message>";
		assert_eq!(generic(locked), Failure::NoChecksum);
		let begun_without = "<Code>InvalidRequest</Code><Message>Checksum Type mismatch occurred, expected checksum Type: null, actual checksum Type: sha256</Message>";
		assert_eq!(generic(begun_without), Failure::Dropped);
		let kept = "DeleteObjects request failed for key a: Access Denied. (code: AccessDenied)";
		assert_eq!(generic(kept), Failure::Denied);
		for failure in [answer("403 Forbidden", "X"), answer("418 Teapot", "X")] {
			assert!(!failure.to_string().contains("AKIA"));
		}
		assert_eq!(generic("error sending request"), Failure::Unreachable);
		let plain = "error sending request\nreceived corrupt message of type InvalidContentType\n";
		assert_eq!(generic(plain), Failure::NoTls);
		let kept_out = "error sending request\ntunnel error: proxy authorization required\n";
		assert_eq!(generic(kept_out), Failure::Proxy);
		let unknown = "error sending request\nclient error (Connect)\ndns error\n";
		assert_eq!(generic(unknown), Failure::Unresolved);
		let certificate = "error sending request\ninvalid peer certificate: UnknownIssuer\n";
		let fault = CertificateFault::Untrusted;
		assert_eq!(generic(certificate), Failure::Certificate(fault));
	}

	#[test]
	fn a_web_server_is_not_said_to_take_credentials_or_to_have_buckets() {
		for (failure, expected) in [
			(Failure::Unauthenticated, Failure::Closed(401)),
			(Failure::Denied, Failure::Closed(403)),
			(Failure::Region, Failure::Redirected),
		] {
			let got = failure.at_web_server();
			assert_eq!(got, expected);
			let words = got.to_string();
			for word in ["AWS_", "S3", "bucket", "account"] {
				assert!(!words.contains(word), "{words}");
			}
		}
		// Without credentials, no object is read; what is forbidden may be one of them.
		assert!(!Failure::Closed(401).is_of_object() && Failure::Closed(403).is_of_object());
	}

	#[test]
	fn a_file_does_not_end_where_an_answer_is_cut_short() {
		let generic = |source| object_store::Error::Generic {
			store: "S3",
			source,
		};
		let cut = io::Error::new(io::ErrorKind::UnexpectedEof, "in a chunk");
		assert!(!is_past_end(&generic(Box::new(cut))));
		let answer = "status code: 416 Range Not Satisfiable: ";
		assert!(is_past_end(&generic(answer.into())));
	}

	#[test]
	fn an_object_is_not_missing_because_a_server_does_not_know_the_method() {
		let answer = |status: &str| {
			Failure::from(object_store::Error::NotFound {
				path: "a".into(),
				source: format!("status code: {status}: ").into(),
			})
		};
		let (status, code) = (405, String::new());
		let refused = Failure::Refused { status, code };
		assert_eq!(answer("405 Method Not Allowed"), refused);
		assert_eq!(answer("404 Not Found"), Failure::Missing);
	}

	#[test]
	fn a_right_that_an_account_lacks_is_told_from_other_reasons() {
		let denied = |code: &str| {
			let path = String::new();
			let text = format!("status code: 403 Forbidden: <Code>{code}</Code>");
			let source = text.into();
			Failure::from(object_store::Error::PermissionDenied { path, source })
		};
		assert_eq!(denied("AccessDenied"), Failure::Denied);
		assert_eq!(denied(""), Failure::Denied);
		assert_eq!(
			denied("AllAccessDisabled").to_string(),
			"the store refused it (403 AllAccessDisabled)"
		);
		// A folder has no status.
		let file = Failure::from(io::Error::from(io::ErrorKind::PermissionDenied));
		assert!(!file.to_string().contains("403"), "{file}");
	}

	#[test]
	fn a_connection_that_fails_before_the_answer_is_about_no_file() {
		#[derive(Debug, thiserror::Error)]
		#[error("{words}")]
		struct Ended {
			words: &'static str,
			source: io::Error,
		}
		let failed = |words, source| {
			Failure::from(object_store::Error::Generic {
				store: "S3",
				source: Box::new(Ended { words, source }),
			})
		};
		let ended = || io::Error::new(io::ErrorKind::UnexpectedEof, "tls handshake eof");
		assert_eq!(failed(NOT_SENT, ended()), Failure::Unreachable);
		assert_eq!(failed("the body", ended()), Failure::CutShort);
		// EACCES: a firewall of this machine.
		let forbidden = || io::Error::from_raw_os_error(13);
		assert_eq!(failed(NOT_SENT, forbidden()), Failure::Unreachable);
		assert_eq!(failed("a file", forbidden()), Failure::DeniedFile);
	}

	#[test]
	fn a_proxy_is_named_if_there_is_one() {
		for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
			let named = proxy(|variable| variable == name);
			assert!(named.contains("the proxy that $HTTP_PROXY"), "{name}");
		}
		assert_eq!(proxy(|variable| variable == "NO_PROXY"), "");
	}

	#[test]
	fn a_full_disk_is_named() {
		let error = object_store::Error::Generic {
			store: "LocalFileSystem",
			source: Box::new(io::Error::from_raw_os_error(28)),
		};
		assert_eq!(Failure::from(error), Failure::Full);
	}
}
