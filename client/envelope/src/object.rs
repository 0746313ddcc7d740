// SPDX-License-Identifier: Apache-2.0
//! Objects: values encrypted for a store outside the chain, in chunks of exactly 1 MiB of ciphertext.
//!
//! The construction is that of a [record]: STREAM over AES-256-GCM, a salt and a commitment to the
//! leaf's key in the header. It differs in three ways:
//!
//! - The header is not part of the object: the chain has it. So chunk `i` begins at byte `i` · 2^20 of the object.
//! - A chunk is not bound to the value's length, so that a stream can be encrypted before its end is known. The last
//!   chunk's nonce says that it is the last one, which determines the length.
//! - The labels of its keys are its own, so that no key ever encrypts both a record and an object.
//!
//! What is encrypted is the value, or a [compressed](crate::compressed) one. The header says which, and every chunk is bound
//! to that.

use crate::{
	derive::{self, RandomError},
	record::{self, ChunkCipher, RecordContext, RecordError, TAG_LEN},
	tree::LeafKey,
};
use isthmus_keys::header::{self, field, COMMITMENT_AT, SALT_AT};

/// First byte of every object's header: the version of this format.
pub const VERSION: u8 = header::OBJECT_VERSION;
/// Length of an encrypted chunk except the last, which may be shorter, in bytes.
pub const SEALED_CHUNK: usize = 1 << 20;
/// Length of a chunk's plaintext except the last, in bytes.
pub const CHUNK: usize = SEALED_CHUNK - TAG_LEN;
/// Maximum length of an object's plaintext in bytes: 2^20 chunks, 1 TiB less 16 MiB.
pub const MAX_LENGTH: u64 = record::FORMAT_MAX_CHUNKS * CHUNK as u64;
/// Length of a [mark](ObjectCipher::marked), in bytes.
pub const MARK_LEN: usize = 16;
/// Where the header has the [form](Form). In other formats, it is the first byte of the chunk size.
const FORM_AT: usize = 1;
/// HKDF info of the key that encrypts the chunks.
pub const KEY_LABEL: &[u8] = header::OBJECT.key;
/// HKDF info of the commitment to the leaf's key.
pub const COMMITMENT_LABEL: &[u8] = header::OBJECT.commitment;

/// What the plaintext of an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
	/// The value.
	Plain,
	/// The value, [compressed](crate::compressed).
	Compressed,
}

impl Form {
	/// Returns the form's byte in the header.
	fn to_byte(self) -> u8 {
		match self {
			Self::Plain => 0,
			Self::Compressed => 1,
		}
	}

	fn read(byte: u8) -> Result<Self, RecordError> {
		match byte {
			0 => Ok(Self::Plain),
			1 => Ok(Self::Compressed),
			got => Err(RecordError::UnknownForm { got }),
		}
	}
}

/// The header of an object, which the chain stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHeader {
	form: Form,
	length: u64,
	salt: [u8; 32],
	commitment: [u8; 32],
}

impl ObjectHeader {
	/// Length of an encoded header, in bytes.
	pub const LEN: usize = record::Header::LEN;

	fn new(
		form: Form,
		length: u64,
		salt: [u8; 32],
		commitment: [u8; 32],
	) -> Result<Self, RecordError> {
		if length > MAX_LENGTH {
			let got = length.div_ceil(CHUNK as u64);
			return Err(RecordError::TooManyChunks { got });
		}
		Ok(Self {
			form,
			length,
			salt,
			commitment,
		})
	}

	/// Returns `version ‖ form ‖ chunk size ‖ length ‖ salt ‖ commitment`, with big-endian integers. The chunk size has 3 bytes,
	/// and is always [`CHUNK`].
	pub fn to_bytes(&self) -> [u8; Self::LEN] {
		let mut bytes = [0; Self::LEN];
		bytes[0] = VERSION;
		bytes[1..5].copy_from_slice(&(CHUNK as u32).to_be_bytes());
		bytes[FORM_AT] = self.form.to_byte();
		bytes[5..13].copy_from_slice(&self.length.to_be_bytes());
		bytes[SALT_AT..COMMITMENT_AT].copy_from_slice(&self.salt);
		bytes[COMMITMENT_AT..].copy_from_slice(&self.commitment);
		bytes
	}

	/// Reads a header.
	///
	/// # Errors
	///
	/// Returns [`RecordError::UnknownVersion`] if the version is unknown, [`RecordError::UnknownForm`] if the form is,
	/// [`RecordError::ChunkSize`] unless the chunk size is [`CHUNK`], and [`RecordError::TooManyChunks`] if the length is more than [`MAX_LENGTH`].
	pub fn read(bytes: &[u8; Self::LEN]) -> Result<Self, RecordError> {
		if bytes[0] != VERSION {
			return Err(RecordError::UnknownVersion { got: bytes[0] });
		}
		let form = Form::read(bytes[FORM_AT])?;
		let [_, size @ ..] = field::<4>(bytes, FORM_AT);
		let got = u32::from_be_bytes([0, size[0], size[1], size[2]]);
		if got != CHUNK as u32 {
			return Err(RecordError::ChunkSize { got });
		}
		Self::new(
			form,
			u64::from_be_bytes(field(bytes, 5)),
			field(bytes, SALT_AT),
			field(bytes, COMMITMENT_AT),
		)
	}

	/// Returns what the plaintext is.
	pub fn form(&self) -> Form {
		self.form
	}

	/// Returns the length of the plaintext in bytes. It is the value's, unless the [form](Self::form) is another one.
	pub fn length(&self) -> u64 {
		self.length
	}

	/// Returns the salt, which is different for every object: it makes the object's name.
	pub fn salt(&self) -> &[u8; 32] {
		&self.salt
	}

	/// Returns the number of chunks. An empty value has one empty chunk, so that there is something to authenticate.
	pub fn chunks(&self) -> u32 {
		// `new` bounds it by FORMAT_MAX_CHUNKS, so the conversion is lossless.
		self.length.div_ceil(CHUNK as u64).max(1) as u32
	}

	/// Returns the length of the encrypted object in bytes.
	pub fn object_len(&self) -> u64 {
		self.length + u64::from(self.chunks()) * TAG_LEN as u64
	}
}

/// Encrypts and decrypts the chunks of one object, in any order and on several threads.
pub struct ObjectCipher {
	chunks: ChunkCipher,
	form: Form,
	salt: [u8; 32],
	commitment: [u8; 32],
}

impl ObjectCipher {
	/// Starts a new object.
	///
	/// # Errors
	///
	/// Returns an error if the system provides no randomness for the salt.
	pub fn new(leaf: &LeafKey, context: &RecordContext, form: Form) -> Result<Self, RandomError> {
		Ok(Self::with_salt(leaf, context, form, *derive::random()?))
	}

	/// Starts a new object whose salt, and so its name, begins with a mark. The other half of the salt is random: any
	/// number of objects may have the same mark and leaf, and each has a key of its own.
	///
	/// # Errors
	///
	/// Returns an error if the system provides no randomness for the salt.
	pub fn marked(
		leaf: &LeafKey,
		context: &RecordContext,
		form: Form,
		mark: &[u8; MARK_LEN],
	) -> Result<Self, RandomError> {
		let mut salt = *derive::random()?;
		salt[..MARK_LEN].copy_from_slice(mark);
		Ok(Self::with_salt(leaf, context, form, salt))
	}

	/// Opens the object with this header, to decrypt it or to resume its encryption.
	///
	/// Who resumes must compare each chunk that may have left this machine with what it was, and must not send one that
	/// differs: it would be a second one under the same key and nonce, which reveals both.
	///
	/// # Errors
	///
	/// Returns [`RecordError::WrongKey`] if the object is encrypted under another key.
	pub fn open(
		leaf: &LeafKey,
		context: &RecordContext,
		header: &ObjectHeader,
	) -> Result<Self, RecordError> {
		let cipher = Self::with_salt(leaf, context, header.form, header.salt);
		// Neither side is secret: see `Decryptor::new`.
		match cipher.commitment == header.commitment {
			true => Ok(cipher),
			false => Err(RecordError::WrongKey),
		}
	}

	/// Does the same as [`Self::new`] with a given salt, which must never have been used with this leaf for another value.
	pub(crate) fn with_salt(
		leaf: &LeafKey,
		context: &RecordContext,
		form: Form,
		salt: [u8; 32],
	) -> Self {
		let (key, commitment) = record::chunk_key(leaf, &salt, &header::OBJECT);
		let unbounded = ObjectHeader {
			form,
			length: 0,
			salt,
			commitment,
		};
		Self {
			chunks: ChunkCipher::new(&unbounded.to_bytes(), key, context),
			form,
			salt,
			commitment,
		}
	}

	/// Returns the header of the object, once the length of its plaintext in bytes is known.
	///
	/// # Errors
	///
	/// Returns [`RecordError::TooManyChunks`] if the length is more than [`MAX_LENGTH`].
	pub fn header(&self, length: u64) -> Result<ObjectHeader, RecordError> {
		ObjectHeader::new(self.form, length, self.salt, self.commitment)
	}

	/// Encrypts chunk `number` in place. `slot` has the plaintext, followed by [`TAG_LEN`] bytes for the tag.
	///
	/// # Errors
	///
	/// Returns [`RecordError::ChunkLength`] unless the plaintext has [`CHUNK`] bytes or, if it is the `last` one, at
	/// most that number.
	pub fn seal(&self, number: u32, last: bool, slot: &mut [u8]) -> Result<(), RecordError> {
		check_slot(number, last, slot.len())?;
		let (plain, tag) = slot.split_at_mut(slot.len() - TAG_LEN);
		tag.copy_from_slice(&self.chunks.seal(number, last, plain));
		Ok(())
	}

	/// Decrypts chunk `number` in place and returns its plaintext.
	///
	/// # Errors
	///
	/// Returns [`RecordError::ChunkLength`] if the chunk's length is wrong, and [`RecordError::NotAuthentic`] if it
	/// fails authentication.
	pub fn unseal<'a>(
		&self,
		number: u32,
		last: bool,
		chunk: &'a mut [u8],
	) -> Result<&'a [u8], RecordError> {
		check_slot(number, last, chunk.len())?;
		self.chunks.open(number, last, chunk)
	}
}

/// Checks the length of an encrypted chunk.
fn check_slot(chunk: u32, last: bool, got: usize) -> Result<(), RecordError> {
	let fits = match last {
		true => (TAG_LEN..=SEALED_CHUNK).contains(&got),
		false => got == SEALED_CHUNK,
	};
	match fits {
		true => Ok(()),
		false => Err(RecordError::ChunkLength {
			chunk,
			expected: SEALED_CHUNK,
			got,
		}),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{EpochId, MasterSecret};

	fn leaf(byte: u8) -> LeafKey {
		let epoch = EpochId {
			genesis: [1; 32],
			owner: [2; 32],
			dataset: 0,
			epoch: 0,
		};
		MasterSecret::from_bytes([byte; 32])
			.epoch_root(&epoch)
			.leaf_key(3)
	}

	fn context(key: u8) -> RecordContext {
		RecordContext {
			genesis: [1; 32],
			owner: [2; 32],
			key: [key; 32],
			version: 0,
		}
	}

	fn sealed(cipher: &ObjectCipher, number: u32, last: bool, plain: &[u8]) -> Vec<u8> {
		let mut slot = [plain, &[0; TAG_LEN]].concat();
		cipher.seal(number, last, &mut slot).unwrap();
		slot
	}

	#[test]
	fn chunks_open_in_any_order_and_nowhere_else() {
		let cipher = ObjectCipher::new(&leaf(9), &context(4), Form::Plain).unwrap();
		let (full, rest) = (vec![7; CHUNK], b"rest".to_vec());
		let first = sealed(&cipher, 0, false, &full);
		let last = sealed(&cipher, 1, true, &rest);
		let header = cipher.header((CHUNK + rest.len()) as u64).unwrap();
		assert_eq!(header.chunks(), 2);
		assert_eq!(header.object_len(), (first.len() + last.len()) as u64);
		let read = ObjectHeader::read(&header.to_bytes()).unwrap();
		assert_eq!(read, header);
		let reader = ObjectCipher::open(&leaf(9), &context(4), &read).unwrap();
		assert_eq!(reader.unseal(1, true, &mut last.clone()).unwrap(), rest);
		assert_eq!(reader.unseal(0, false, &mut first.clone()).unwrap(), full);
		// A value that ends with its first chunk is another value than one that goes on.
		for (chunk, is_last) in [(0, true), (1, false), (1, true)] {
			let mut bytes = first.clone();
			let refused = reader.unseal(chunk, is_last, &mut bytes);
			assert_eq!(refused, Err(RecordError::NotAuthentic { chunk }));
		}
		let elsewhere = ObjectCipher::open(&leaf(9), &context(5), &read).unwrap();
		let mut bytes = first.clone();
		let refused = elsewhere.unseal(0, false, &mut bytes);
		assert_eq!(refused, Err(RecordError::NotAuthentic { chunk: 0 }));
		let refused = ObjectCipher::open(&leaf(8), &context(4), &read).map(|_| ());
		assert_eq!(refused, Err(RecordError::WrongKey));
	}

	#[test]
	fn the_length_of_a_chunk_is_checked() {
		let cipher = ObjectCipher::new(&leaf(9), &context(4), Form::Plain).unwrap();
		for (last, length) in [(false, CHUNK - 1), (false, CHUNK + 1), (true, CHUNK + 1)] {
			let mut slot = vec![0; length + TAG_LEN];
			let refused = cipher.seal(0, last, &mut slot);
			assert!(matches!(refused, Err(RecordError::ChunkLength { .. })));
		}
		let mut bytes = [0; TAG_LEN - 1];
		let refused = cipher.unseal(0, true, &mut bytes);
		assert!(matches!(refused, Err(RecordError::ChunkLength { .. })));
		assert_eq!(sealed(&cipher, 0, true, b"").len(), TAG_LEN);
	}

	#[test]
	fn a_header_that_no_upload_makes_is_refused() {
		let cipher = ObjectCipher::new(&leaf(9), &context(4), Form::Plain).unwrap();
		let good = cipher.header(MAX_LENGTH).unwrap();
		assert_eq!(good.chunks(), 1 << 20);
		assert_eq!(good.object_len(), 1 << 40);
		assert!(cipher.header(MAX_LENGTH + 1).is_err());
		let mut bytes = good.to_bytes();
		bytes[12] += 1;
		assert!(matches!(
			ObjectHeader::read(&bytes),
			Err(RecordError::TooManyChunks { .. })
		));
		for got in [record::VERSION, record::NAMED_VERSION] {
			let mut bytes = good.to_bytes();
			bytes[0] = got;
			let refused = ObjectHeader::read(&bytes);
			assert_eq!(refused, Err(RecordError::UnknownVersion { got }));
		}
		// Nor is an object's header one of a record.
		let refused = record::Header::read(&good.to_bytes());
		assert_eq!(refused, Err(RecordError::UnknownVersion { got: 3 }));
		for at in 2..5 {
			let mut bytes = good.to_bytes();
			bytes[at] ^= 1;
			let refused = ObjectHeader::read(&bytes);
			assert!(matches!(refused, Err(RecordError::ChunkSize { .. })));
		}
		for got in 2..=255 {
			let mut bytes = good.to_bytes();
			bytes[FORM_AT] = got;
			let refused = ObjectHeader::read(&bytes);
			assert_eq!(refused, Err(RecordError::UnknownForm { got }));
		}
	}

	/// Compressed bytes are never taken for the value, nor the other way round. An older reader refuses the header.
	#[test]
	fn chunks_are_bound_to_the_form() {
		let salt = [5; 32];
		let [plain, compressed] = [Form::Plain, Form::Compressed]
			.map(|form| ObjectCipher::with_salt(&leaf(9), &context(4), form, salt));
		let headers = [&plain, &compressed].map(|cipher| cipher.header(4).unwrap());
		let [before, after] = headers.each_ref().map(ObjectHeader::to_bytes);
		assert_eq!(before[1..5], (CHUNK as u32).to_be_bytes());
		assert_eq!(after[1..5], [1, 0x0f, 0xff, 0xf0]);
		assert_eq!((before[0], &before[2..]), (after[0], &after[2..]));
		let chunk = sealed(&compressed, 0, true, b"zstd");
		for (header, form) in headers.iter().zip([Form::Plain, Form::Compressed]) {
			let read = ObjectHeader::read(&header.to_bytes()).unwrap();
			assert_eq!((&read, read.form()), (header, form));
			let reader = ObjectCipher::open(&leaf(9), &context(4), &read).unwrap();
			let opened = reader.unseal(0, true, &mut chunk.clone()).is_ok();
			assert_eq!(opened, form == Form::Compressed);
		}
		for form in [Form::Plain, Form::Compressed] {
			// The chain judges whether keys are right by the same header.
			let cipher = ObjectCipher::new(&leaf(9), &context(4), form).unwrap();
			let header = cipher.header(4).unwrap().to_bytes();
			assert!(header::is_object_of(&header, &leaf(9)));
			assert!(!header::is_object_of(&header, &leaf(8)));
		}
	}

	/// Two attempts of a task store different bytes at one leaf, under one mark and record key.
	#[test]
	fn objects_with_one_mark_and_leaf_have_keys_of_their_own() {
		let mark = [6; MARK_LEN];
		let ciphers = [0, 1]
			.map(|_| ObjectCipher::marked(&leaf(9), &context(4), Form::Plain, &mark).unwrap());
		let [first, second] = ciphers
			.each_ref()
			.map(|cipher| cipher.header(4).unwrap().to_bytes());
		assert_eq!(first[..SALT_AT + MARK_LEN], second[..SALT_AT + MARK_LEN]);
		assert_eq!(first[SALT_AT..][..MARK_LEN], mark);
		assert_ne!(
			first[SALT_AT + MARK_LEN..COMMITMENT_AT],
			second[SALT_AT + MARK_LEN..COMMITMENT_AT]
		);
		assert_ne!(first[COMMITMENT_AT..], second[COMMITMENT_AT..]);
		let [one, other] = ciphers
			.each_ref()
			.map(|cipher| sealed(cipher, 0, true, b"same"));
		assert_ne!(one[..4], other[..4]);
		let read = ObjectHeader::read(&first).unwrap();
		let reader = ObjectCipher::open(&leaf(9), &context(4), &read).unwrap();
		assert_eq!(reader.unseal(0, true, &mut one.clone()).unwrap(), b"same");
		assert!(reader.unseal(0, true, &mut other.clone()).is_err());
	}

	/// With the same leaf and salt, a record and an object have different keys and commitments.
	#[test]
	fn a_record_and_an_object_never_share_a_key() {
		let salt = [5; 32];
		let cipher = ObjectCipher::with_salt(&leaf(9), &context(4), Form::Plain, salt);
		let size = CHUNK as u32;
		let record =
			record::Encryptor::with_salt(&leaf(9), &context(4), None, size, 4, salt).unwrap();
		let (object, record) = (cipher.header(4).unwrap(), record.header().to_bytes());
		assert_eq!(object.to_bytes()[1..45], record[1..45]);
		assert_ne!(object.to_bytes()[45..], record[45..]);
	}
}
