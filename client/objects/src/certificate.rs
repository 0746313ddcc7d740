// SPDX-License-Identifier: Apache-2.0
//! Why the certificate of a server is not accepted, in words that say what to do.

/// Why the certificate of a server is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFault {
	/// It is from no authority that this machine trusts.
	#[error("the server's certificate is from no authority that this machine trusts: add its authority to this machine's, or name a file with all that you trust in $SSL_CERT_FILE")]
	Untrusted,
	/// This machine has no authorities.
	#[error("this machine has no certificates of authorities to trust: install the package ca-certificates, or name a file with them in $SSL_CERT_FILE")]
	NoAuthorities,
	/// It has expired.
	#[error("the server's certificate has expired: its operator has to renew it, unless this machine's clock is wrong")]
	Expired,
	/// It is not valid yet.
	#[error("the server's certificate is not valid yet: this machine's clock may be wrong")]
	NotYet,
	/// It names other hosts.
	#[error(
		"the server's certificate is for another name: use the name that it is for in the address"
	)]
	OtherName,
	/// It is the certificate of an authority.
	#[error("the server shows the certificate of an authority (CA:TRUE), which no server may use: its operator has to make one with CA:FALSE")]
	OfAuthority,
	/// It is not accepted for another reason.
	#[error("the server's certificate is not accepted")]
	Other,
}

impl CertificateFault {
	/// Finds the fault in the words of `rustls` about a connection; `None` if they are not about a certificate.
	pub fn in_words(words: &str) -> Option<Self> {
		if words.contains("No CA certificates were loaded") {
			return Some(Self::NoAuthorities);
		}
		let (_, why) = words.split_once("invalid peer certificate: ")?;
		// A fault is written as its name or, with more about it, as a sentence.
		let is = |names: &[&str]| names.iter().any(|name| why.starts_with(name));
		Some(match why {
			_ if is(&["UnknownIssuer"]) => Self::Untrusted,
			_ if is(&["Expired", "certificate expired"]) => Self::Expired,
			_ if is(&["NotValidYet", "certificate not valid yet"]) => Self::NotYet,
			_ if is(&["NotValidForName", "certificate not valid for name"]) => Self::OtherName,
			why if why.contains("CaUsedAsEndEntity") => Self::OfAuthority,
			_ => Self::Other,
		})
	}
}

/// Returns whether the words of `rustls` about a connection say that the server sent something else than TLS.
pub fn sent_no_tls(words: &str) -> bool {
	words.contains("corrupt message")
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_words_of_a_fault_are_told_from_others() {
		use CertificateFault::*;
		for (words, fault) in [
			("UnknownIssuer", Untrusted),
			("Expired", Expired),
			("certificate expired: verification time 7 (UNIX), but certificate is not valid after 5 (2 seconds ago)", Expired),
			("certificate not valid yet: verification time 5 (UNIX), but", NotYet),
			("certificate not valid for name \"a\"; certificate is only valid for b", OtherName),
			("Other(OtherError(CaUsedAsEndEntity))", OfAuthority),
			("BadSignature", Other),
		] {
			let words = format!("error: invalid peer certificate: {words}\n");
			assert_eq!(CertificateFault::in_words(&words), Some(fault), "{words}");
		}
		let none = "unexpected error: No CA certificates were loaded from the system";
		assert_eq!(CertificateFault::in_words(none), Some(NoAuthorities));
		let other = "received corrupt message of type InvalidContentType";
		assert!(sent_no_tls(other));
		for words in [other, "received fatal alert: ProtocolVersion", ""] {
			assert_eq!(CertificateFault::in_words(words), None);
			assert_eq!(sent_no_tls(words), words == other);
		}
	}
}
