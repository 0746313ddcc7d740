// SPDX-License-Identifier: Apache-2.0
//! The settings and credentials of stores. They are where the tools of those stores have them: in variables of the
//! environment and, for S3, in the files of the AWS command.

use crate::location_error::LocationError;
use configparser::ini::{Ini, IniDefault};
use isthmus_envelope::input::{at_most_a_minute, Input};
use object_store::Certificate;
use std::{
	collections::BTreeMap,
	io::{self, ErrorKind},
	path::{Path, PathBuf},
	str::FromStr,
};
use url::Url;

/// The variables that name the endpoint of S3. The first one that is set counts.
const ENDPOINTS: [&str; 3] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
/// The keys of a profile, and the variables that mean the same.
const PROFILE: [(&str, &str); 6] = [
	("aws_access_key_id", "AWS_ACCESS_KEY_ID"),
	("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"),
	("aws_session_token", "AWS_SESSION_TOKEN"),
	("region", "AWS_REGION"),
	("endpoint_url", "AWS_ENDPOINT_URL"),
	("ca_bundle", "AWS_CA_BUNDLE"),
];
/// How many of those are a credential.
const CREDENTIAL: usize = 3;

/// The settings of stores.
#[derive(Clone, Default)]
pub struct Settings(BTreeMap<String, String>);

/// Says only which variables are set, because their values may be secret.
impl std::fmt::Debug for Settings {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_tuple("Settings")
			.field(&self.0.keys().collect::<Vec<_>>())
			.finish()
	}
}

impl FromIterator<(String, String)> for Settings {
	/// Takes variables as an environment has them.
	fn from_iter<Variables: IntoIterator<Item = (String, String)>>(variables: Variables) -> Self {
		Self(variables.into_iter().collect())
	}
}

impl Settings {
	/// Returns the settings in this program's environment. A variable that is not UTF-8 is left out.
	pub fn of_environment() -> Self {
		let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
			Some((name.into_string().ok()?, value.into_string().ok()?))
		};
		std::env::vars_os().filter_map(text).collect()
	}

	/// Returns settings with which requests are not signed. Of these, only the region of S3 stays.
	pub(crate) fn unsigned(&self) -> Self {
		let regions = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter();
		let regions = regions.filter_map(|name| Some((name, self.get(name)?)));
		let skipped = ["AWS_SKIP_SIGNATURE", "GOOGLE_SKIP_SIGNATURE"];
		let all = regions.chain(skipped.map(|name| (name, "true")));
		all.map(|(name, value)| (name.to_owned(), value.to_owned()))
			.collect()
	}

	fn get(&self, name: &str) -> Option<&str> {
		self.0
			.get(name)
			.map(|value| value.trim())
			.filter(|value| !value.is_empty())
	}

	/// Returns the certificates of the authorities in the file that `AWS_CA_BUNDLE` names, which are trusted besides the
	/// system's.
	///
	/// # Errors
	///
	/// Returns [`LocationError::Authorities`] if there are none in it.
	pub(crate) fn authorities(&self) -> Result<Vec<Certificate>, LocationError> {
		let Some(path) = self.get("AWS_CA_BUNDLE").map(PathBuf::from) else {
			return Ok(Vec::new());
		};
		let opened = Input::open(&path, at_most_a_minute);
		let text = opened.and_then(io::read_to_string).ok();
		let all = text.and_then(|text| Certificate::from_pem_bundle(text.as_bytes()).ok());
		let all = all.filter(|all| !all.is_empty());
		all.ok_or(LocationError::Authorities { path })
	}

	/// Checks that the endpoint of S3, if one is named, is an address.
	///
	/// # Errors
	///
	/// Returns [`LocationError::Settings`] if it is not.
	pub(crate) fn check_endpoint(&self) -> Result<(), LocationError> {
		let Some(named) = ENDPOINTS.iter().find_map(|name| self.get(name)) else {
			return Ok(());
		};
		let is_address = Url::parse(named).is_ok_and(|url| {
			let is_web = matches!(url.scheme(), "http" | "https");
			is_web
				&& url.query().is_none()
				&& url.fragment().is_none()
				&& named.bytes().all(|letter| letter.is_ascii_graphic())
		});
		match is_address {
			true => Ok(()),
			false => Err(LocationError::Settings(
				"the endpoint of S3 is not an address: set AWS_ENDPOINT_URL to one such as https://HOST:PORT, without the bucket",
			)),
		}
	}

	/// Returns the variables with this prefix that `object_store` knows. An empty one counts as none, and a line end after a
	/// value, which may come from the file that it was read from, is left out.
	///
	/// # Errors
	///
	/// Returns [`LocationError::Variable`] if a value cannot be sent: `object_store` would end the program.
	pub(crate) fn known<Key: FromStr>(
		&self,
		prefix: &str,
	) -> Result<Vec<(Key, String)>, LocationError> {
		let mut known = Vec::new();
		for name in self.0.keys().filter(|name| name.starts_with(prefix)) {
			let (Some(value), Ok(key)) = (self.get(name), name.to_ascii_lowercase().parse::<Key>())
			else {
				continue;
			};
			if !can_be_sent(name, value) {
				let name = name.clone();
				return Err(LocationError::Variable { name });
			}
			known.push((key, value.to_owned()));
		}
		Ok(known)
	}

	/// Checks that there are both keys of S3, or none.
	///
	/// # Errors
	///
	/// Returns [`LocationError::Settings`] if one is missing and requests are signed.
	pub(crate) fn check_keys(&self) -> Result<(), LocationError> {
		let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
		match keys.map(|name| self.get(name).is_some()) {
			[true, false] | [false, true] if !self.is_unsigned() => Err(LocationError::Settings(
				"one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is missing: set both, or have both in one profile",
			)),
			_ => Ok(()),
		}
	}

	/// Returns these settings with those of the profile that `AWS_PROFILE` or `AWS_DEFAULT_PROFILE` names, or of the profile
	/// `default`. What the environment says comes first, and keys are taken from one place only. Of two
	/// named profiles, that in `AWS_PROFILE` counts, as in version 2 of `aws`; version 1, and botocore in Python, take the other
	/// one.
	///
	/// # Errors
	///
	/// Returns [`LocationError::NoProfile`] or [`LocationError::Profile`] if a profile was named and cannot be used.
	pub(crate) fn with_profile(&self) -> Result<Self, LocationError> {
		let named = self
			.get("AWS_PROFILE")
			.or_else(|| self.get("AWS_DEFAULT_PROFILE"));
		let name = named.unwrap_or("default");
		let with_prefix = format!("profile {name}");
		let has_keys = PROFILE[..CREDENTIAL]
			.iter()
			.any(|(_, variable)| self.get(variable).is_some());
		let needs_keys = !has_keys && !self.is_unsigned();
		// A file that was not named, and whose keys are not needed, is no reason to refuse the location.
		let read = |variable, file, section: &str| match self.section(variable, file, section) {
			Err(_) if named.is_none() && !needs_keys => Ok(None),
			section => section,
		};
		let credentials = read("AWS_SHARED_CREDENTIALS_FILE", "credentials", name)?;
		let mut config = read("AWS_CONFIG_FILE", "config", &with_prefix)?;
		if name == "default" {
			config = read("AWS_CONFIG_FILE", "config", name)?.or(config);
		}
		if named.is_some() && needs_keys && credentials.is_none() && config.is_none() {
			let name = name.to_owned();
			return Err(LocationError::NoProfile { name });
		}
		let [credentials, config] = [credentials, config].map(Option::unwrap_or_default);
		let profile = |key: &str| credentials.get(key).or_else(|| config.get(key)).cloned();
		let mut all = self.clone();
		if needs_keys {
			let keys = PROFILE[..CREDENTIAL].iter();
			let keys: Vec<_> = keys
				.filter_map(|(key, variable)| Some((variable, profile(key)?)))
				.collect();
			if named.is_some() && keys.is_empty() {
				let name = name.to_owned();
				return Err(LocationError::Profile { name });
			}
			let keys = keys
				.into_iter()
				.map(|(variable, value)| ((*variable).to_owned(), value));
			all.0.extend(keys);
		}
		let has_region = self.get("AWS_DEFAULT_REGION").is_some();
		for (key, variable) in &PROFILE[CREDENTIAL..] {
			let is_set = self.get(variable).is_some() || (*variable == "AWS_REGION" && has_region);
			if let Some(value) = profile(key).filter(|_| !is_set) {
				all.0.insert((*variable).to_owned(), value);
			}
		}
		Ok(all)
	}

	/// Returns whether requests are sent without a signature, so that no keys are needed. The words are those that
	/// `object_store` takes for true.
	fn is_unsigned(&self) -> bool {
		let unsigned = self.get("AWS_SKIP_SIGNATURE").unwrap_or_default();
		let words = ["1", "true", "on", "yes", "y"];
		words.contains(&unsigned.to_ascii_lowercase().as_str())
	}

	/// Returns a section of a file of the AWS command, which `variable` may name, if there is one.
	fn section(
		&self,
		variable: &str,
		file: &str,
		section: &str,
	) -> Result<Option<BTreeMap<String, String>>, LocationError> {
		let home = || Some(Path::new(self.get("HOME").or(self.get("USERPROFILE"))?));
		let path = match self.get(variable) {
			// No shell has replaced it where a file names the variable.
			Some(path) => match path.strip_prefix("~/").zip(home()) {
				Some((path, home)) => Some(home.join(path)),
				None => Some(PathBuf::from(path)),
			},
			None => home().map(|home| home.join(".aws").join(file)),
		};
		let Some(path) = path else {
			return Ok(None);
		};
		let opened = Input::open(&path, at_most_a_minute);
		let text = match opened.and_then(io::read_to_string) {
			Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
			text => text,
		};
		let unreadable = || LocationError::ProfileFile { path: path.clone() };
		// A value may contain what begins a comment elsewhere.
		let mut ini = Ini::new_from_defaults(ini());
		let sections = ini.read(text.map_err(|_| unreadable())?);
		let sections = sections.map_err(|_| unreadable())?;
		let Some(values) = sections.get(section) else {
			return Ok(None);
		};
		let values = values
			.iter()
			.filter_map(|(key, value)| Some((key.to_ascii_lowercase(), value.clone()?)));
		Ok(Some(values.collect()))
	}
}

/// Returns whether the value of a variable can be in the head or the address of a request, if it has to be there.
fn can_be_sent(name: &str, value: &str) -> bool {
	let is_of_name =
		|letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_' | b'.');
	match name {
		"AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" | "AWS_SESSION_TOKEN" => {
			value.bytes().all(|letter| letter.is_ascii_graphic())
		}
		"AWS_REGION" | "AWS_DEFAULT_REGION" => value.bytes().all(is_of_name),
		_ => true,
	}
}

/// Returns how the files of the AWS command are written.
fn ini() -> IniDefault {
	let mut ini = IniDefault::default();
	ini.delimiters = vec!['='];
	ini.inline_comment_symbols = Some(Vec::new());
	ini.case_sensitive = true;
	ini
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::fs;

	fn settings(variables: &[(&str, &str)]) -> Settings {
		let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
		variables.iter().map(owned).collect()
	}

	/// Writes both files of the AWS command, and returns the variable that says where they are.
	fn home(folder: &Path) -> (&'static str, String) {
		let aws = folder.join(".aws");
		fs::create_dir_all(&aws).unwrap();
		let credentials = "[default]\naws_access_key_id = one\naws_secret_access_key=a/b+c==\n\n# other\n[school]\naws_access_key_id = two\naws_secret_access_key = s#;\naws_session_token = t\n";
		let config = "[default]\nregion = eu-central-1\n[profile school]\nregion = eu-west-1\nendpoint_url = http://127.0.0.1:9000\nca_bundle = /ca.pem\ns3 =\n  addressing_style = path\n[profile roles]\nrole_arn = arn:x\n";
		fs::write(aws.join("credentials"), credentials).unwrap();
		fs::write(aws.join("config"), config).unwrap();
		("HOME", folder.to_str().unwrap().to_owned())
	}

	fn value<'a>(settings: &'a Settings, name: &str) -> &'a str {
		settings.get(name).unwrap_or("-")
	}

	#[test]
	fn a_profile_gives_what_the_environment_does_not() {
		let folder = tempfile::tempdir().unwrap();
		let (home, at) = home(folder.path());
		let names = PROFILE.map(|(_, variable)| variable);
		for (variables, expected) in [
			(vec![], ["one", "a/b+c==", "-", "eu-central-1", "-", "-"]),
			(
				vec![("AWS_PROFILE", "school")],
				[
					"two",
					"s#;",
					"t",
					"eu-west-1",
					"http://127.0.0.1:9000",
					"/ca.pem",
				],
			),
			// Keys are not mixed.
			(
				vec![("AWS_ACCESS_KEY_ID", "x"), ("AWS_DEFAULT_REGION", "r")],
				["x", "-", "-", "-", "-", "-"],
			),
			(
				vec![("AWS_PROFILE", "school"), ("AWS_SECRET_ACCESS_KEY", "y")],
				[
					"-",
					"y",
					"-",
					"eu-west-1",
					"http://127.0.0.1:9000",
					"/ca.pem",
				],
			),
			// Without a signature, no keys are needed.
			(
				vec![("AWS_PROFILE", "school"), ("AWS_SKIP_SIGNATURE", "True")],
				[
					"-",
					"-",
					"-",
					"eu-west-1",
					"http://127.0.0.1:9000",
					"/ca.pem",
				],
			),
			(
				vec![("AWS_PROFILE", "roles"), ("AWS_SKIP_SIGNATURE", "1")],
				["-", "-", "-", "-", "-", "-"],
			),
			(
				vec![("AWS_SKIP_SIGNATURE", "false")],
				["one", "a/b+c==", "-", "eu-central-1", "-", "-"],
			),
		] {
			let mut all = variables.clone();
			all.push((home, &at));
			let got = settings(&all).with_profile().unwrap();
			assert_eq!(
				names.map(|name| value(&got, name)),
				expected,
				"{variables:?}"
			);
		}
	}

	#[test]
	fn a_profile_that_cannot_be_used_is_named() {
		let folder = tempfile::tempdir().unwrap();
		let (home, at) = home(folder.path());
		for variable in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"] {
			let refused = |name: &str| {
				let refused = settings(&[(home, &at), (variable, name)]).with_profile();
				refused.unwrap_err()
			};
			let name = "roles".into();
			assert_eq!(refused("roles"), LocationError::Profile { name });
			assert!(refused("roles")
				.to_string()
				.contains("aws configure export-credentials"));
			let name = "absent".into();
			assert_eq!(refused("absent"), LocationError::NoProfile { name });
			assert!(refused("absent").to_string().contains("[profile absent]"));
		}
		let path = folder.path().join(".aws/config");
		fs::write(&path, "[profile x\n").unwrap();
		let refused = settings(&[(home, &at)]).with_profile().unwrap_err();
		assert_eq!(refused, LocationError::ProfileFile { path: path.clone() });
		// It does not matter if its values are not needed.
		let keys = ("AWS_ACCESS_KEY_ID", "x");
		for given in [keys, ("AWS_SKIP_SIGNATURE", "true")] {
			let got = settings(&[(home, &at), given]).with_profile().unwrap();
			assert_eq!(value(&got, given.0), given.1);
		}
		let named = [(home, at.as_str()), keys, ("AWS_PROFILE", "school")];
		let refused = settings(&named).with_profile().unwrap_err();
		assert_eq!(refused, LocationError::ProfileFile { path });
		// Without files, there is nothing to say.
		let none = settings(&[("HOME", "/nowhere")]).with_profile().unwrap();
		assert_eq!(value(&none, "AWS_ACCESS_KEY_ID"), "-");
	}

	#[test]
	fn profiles_are_found_where_the_aws_command_finds_them() {
		let folder = tempfile::tempdir().unwrap();
		let (home, at) = home(folder.path());
		let got = |variables: &[(&str, &str)]| {
			let mut all = vec![(home, at.as_str())];
			all.extend(variables);
			let got = settings(&all).with_profile().unwrap();
			["AWS_ACCESS_KEY_ID", "AWS_REGION"].map(|name| value(&got, name).to_owned())
		};
		assert_eq!(
			got(&[("AWS_DEFAULT_PROFILE", "school")]),
			["two", "eu-west-1"]
		);
		let both = [("AWS_DEFAULT_PROFILE", "absent"), ("AWS_PROFILE", "school")];
		assert_eq!(got(&both), ["two", "eu-west-1"]);
		// A file that a variable names may be in the home folder.
		let other = "[profile default]\nregion = us-east-2\naws_access_key_id = three\n";
		fs::write(folder.path().join("other"), other).unwrap();
		let config = ("AWS_CONFIG_FILE", "~/other");
		assert_eq!(got(&[config]), ["one", "us-east-2"]);
		let none = ("AWS_SHARED_CREDENTIALS_FILE", "~/none");
		assert_eq!(got(&[config, none]), ["three", "us-east-2"]);
	}

	#[test]
	fn one_key_without_the_other_is_refused() {
		let [id, secret] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|name| (name, "a"));
		let checked = |variables: &[(&str, &str)]| settings(variables).check_keys().is_ok();
		assert!(checked(&[]) && checked(&[id, secret]));
		assert!(!checked(&[id]) && !checked(&[secret]) && !checked(&[id, (secret.0, "")]));
		assert!(checked(&[id, ("AWS_SKIP_SIGNATURE", "true")]));
	}

	#[test]
	fn without_a_signature_only_the_region_stays() {
		let all = settings(&[
			("AWS_ACCESS_KEY_ID", "a"),
			("AWS_SECRET_ACCESS_KEY", "geheim"),
			("AWS_ENDPOINT_URL", "https://127.0.0.1"),
			("AWS_PROFILE", "school"),
			("AWS_REGION", "eu-west-1"),
			("GOOGLE_SERVICE_ACCOUNT", "/nowhere"),
			("HOME", "/nowhere"),
		]);
		let shown = format!("{:?}", all.unsigned());
		assert_eq!(
			shown,
			r#"Settings(["AWS_REGION", "AWS_SKIP_SIGNATURE", "GOOGLE_SKIP_SIGNATURE"])"#
		);
		assert!(all.unsigned().is_unsigned());
	}

	#[test]
	fn a_value_that_cannot_be_sent_is_named() {
		let known = |name: &str, value: &str| settings(&[(name, value)]).known::<String>("AWS_");
		let key = "AWS_ACCESS_KEY_ID";
		for value in ["AKIA", "AKIA\n", "AKIA\r\n", " AKIA "] {
			let named = vec![(key.to_ascii_lowercase(), "AKIA".to_owned())];
			assert_eq!(known(key, value), Ok(named), "{value:?}");
		}
		assert_eq!(known(key, "\r\n"), Ok(Vec::new()));
		for (name, value) in [
			(key, "AK\nIA"),
			(key, "AK\u{200b}IA"),
			("AWS_SESSION_TOKEN", "é"),
			("AWS_REGION", "Europe (Frankfurt)"),
		] {
			let refused = LocationError::Variable { name: name.into() };
			assert_eq!(known(name, value), Err(refused), "{value:?}");
		}
		// Others may have lines, as a key file of Google has.
		assert!(known("AWS_WEB_IDENTITY_TOKEN_FILE", "/é\n/b").is_ok());
	}

	#[test]
	fn an_endpoint_is_an_address() {
		for (variables, is_one) in [
			(vec![], true),
			(vec![("AWS_ENDPOINT_URL", "https://a:9000")], true),
			(vec![("AWS_ENDPOINT_URL", "http://127.0.0.1:9000/")], true),
			(vec![("AWS_ENDPOINT_URL", "localhost:9000")], false),
			(vec![("AWS_ENDPOINT_URL", "127.0.0.1:9000")], false),
			(vec![("AWS_ENDPOINT", "minio")], false),
			(vec![("AWS_ENDPOINT_URL", "https://a/b c")], false),
			(vec![("AWS_ENDPOINT_URL", "s3://a")], false),
			(
				vec![("AWS_ENDPOINT_URL_S3", "https://a"), ("AWS_ENDPOINT", "b")],
				true,
			),
		] {
			let checked = settings(&variables).check_endpoint();
			assert_eq!(checked.is_ok(), is_one, "{variables:?}");
		}
	}

	#[test]
	fn a_file_of_authorities_that_cannot_be_used_is_named() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("ca.pem");
		let named = settings(&[("AWS_CA_BUNDLE", path.to_str().unwrap())]);
		assert_eq!(settings(&[]).authorities().unwrap().len(), 0);
		let refused = || named.authorities().err();
		let expected = LocationError::Authorities { path: path.clone() };
		assert_eq!(refused(), Some(expected.clone()));
		fs::write(&path, "no certificate").unwrap();
		assert_eq!(refused(), Some(expected));
	}

	#[test]
	fn secrets_are_not_shown() {
		let shown = format!("{:?}", settings(&[("AWS_SECRET_ACCESS_KEY", "geheim")]));
		assert_eq!(shown, r#"Settings(["AWS_SECRET_ACCESS_KEY"])"#);
	}
}
