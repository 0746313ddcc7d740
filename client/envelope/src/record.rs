// SPDX-License-Identifier: Apache-2.0
//! Records: values encrypted under a leaf's key, in chunks that can be decrypted independently.
//!
//! The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: "Online authenticated
//! encryption and its nonce-reuse misuse-resistance", 2015) over AES-256-GCM: a chunk's nonce
//! consists of its number and a flag for the last chunk, so chunks cannot be reordered, dropped or
//! truncated. The header carries a random salt, which gives every encryption its own key, and a
//! commitment to the leaf's key, because AES-GCM alone would allow a value that decrypts
//! differently under two keys.
//!
//! A record can contain its name, sealed under the same key with a nonce of its own, so that those who may read the
//! record can read its name, even if the record's key does not show it.
//!
//! [`Encryptor`] and [`Decryptor`] work in place, chunk by chunk; [`encrypt_value`] and
//! [`decrypt_value`] take a whole value that fits in memory.

use crate::{
	derive::{self, RandomError},
	name::NAME_LEN,
	tree::LeafKey,
};
use isthmus_keys::header::{self, field, Labels, COMMITMENT_AT, SALT_AT};
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_256_GCM, NONCE_LEN};

/// First byte of the header of a record without a name: the version of this format.
pub const VERSION: u8 = header::RECORD_VERSION;
/// First byte of the header of a record that contains its name.
pub const NAMED_VERSION: u8 = header::NAMED_RECORD_VERSION;
/// Maximum plaintext size of a chunk, 1 MiB. [`encrypt_value`] uses this chunk size.
pub const MAX_CHUNK_SIZE: u32 = 1 << 20;
/// Maximum number of chunks in a record of this format; a chain may allow fewer. With full chunks, that is
/// 1 TiB, or 2^36 cipher blocks under one key, which keeps AES-GCM's distance from an ideal cipher below
/// 2^-55.
pub const FORMAT_MAX_CHUNKS: u64 = 1 << 20;
/// Length of the tag at the end of each encrypted chunk, in bytes.
pub const TAG_LEN: usize = 16;
/// Length of a record's sealed name with its tag, in bytes.
pub const SEALED_NAME_LEN: usize = NAME_LEN + TAG_LEN;
/// HKDF info of the key that encrypts the chunks.
pub const KEY_LABEL: &[u8] = header::RECORD.key;
/// HKDF info of the commitment to the leaf's key.
pub const COMMITMENT_LABEL: &[u8] = header::RECORD.commitment;

/// Why a record is rejected, or cannot be encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
	/// The bytes end inside the header.
	#[error("a record starts with a header of {expected} bytes, but there are only {got}")]
	HeaderCutShort {
		/// Length of the header in bytes, as far as the version shows it.
		expected: usize,
		/// The number of bytes in the record.
		got: usize,
	},
	/// The first byte names a version that this library does not know.
	#[error(
		"unknown record format {got}: this version reads formats {VERSION} and {NAMED_VERSION}"
	)]
	UnknownVersion {
		/// The first byte.
		got: u8,
	},
	/// An object's header names a form of its plaintext that this library does not know.
	#[error("unknown form {got} of an object: this version reads forms 0 and 1")]
	UnknownForm {
		/// The form's byte.
		got: u8,
	},
	/// The chunk size is not between 1 and [`MAX_CHUNK_SIZE`] bytes.
	#[error("invalid chunk size {got}: expected 1 to {MAX_CHUNK_SIZE} bytes")]
	ChunkSize {
		/// The given chunk size.
		got: u32,
	},
	/// The value needs more than [`FORMAT_MAX_CHUNKS`] chunks.
	#[error("the value needs {got} chunks, but a record has at most {FORMAT_MAX_CHUNKS}")]
	TooManyChunks {
		/// The number of chunks that the value needs.
		got: u64,
	},
	/// The record is shorter or longer than its header says: truncated, or with bytes appended.
	#[error("the header says that the record has {expected} bytes, but it has {got}")]
	Length {
		/// Length in bytes according to the header, including the header.
		expected: u64,
		/// Length in bytes of the given record.
		got: u64,
	},
	/// The record is encrypted under another leaf's key, or the header's salt or commitment was
	/// changed.
	#[error("wrong key: the record is encrypted under another one")]
	WrongKey,
	/// There is no such chunk.
	#[error("no chunk {chunk}: the record has {chunks} chunks, counted from 0")]
	NoSuchChunk {
		/// The requested chunk or, when encrypting, the next one.
		chunk: u32,
		/// The number of chunks in the record.
		chunks: u32,
	},
	/// A chunk's length does not match its place in the record.
	#[error("chunk {chunk} must have {expected} bytes, but has {got}")]
	ChunkLength {
		/// The chunk's number, from 0.
		chunk: u32,
		/// Length in bytes that its place requires.
		expected: usize,
		/// Length in bytes of the given chunk.
		got: usize,
	},
	/// A chunk of a value that is encrypted again is not the one that the record has.
	#[error("chunk {chunk} is not the one that the record has: the value was changed")]
	Changed {
		/// The chunk's number, from 0.
		chunk: u32,
	},
	/// A chunk fails authentication: its bytes or the header were changed, or they belong to
	/// another position, record, owner or chain.
	#[error("chunk {chunk} is not authentic: it was changed, or belongs to another place")]
	NotAuthentic {
		/// The chunk's number, from 0.
		chunk: u32,
	},
	/// The name fails authentication: it or the header was changed, or it belongs to another record.
	#[error("the record's name is not authentic: it was changed, or belongs to another record")]
	NameNotAuthentic,
	/// No salt could be drawn.
	#[error(transparent)]
	Random(#[from] RandomError),
}

/// The place of a record. Every chunk is bound to it and does not decrypt anywhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordContext {
	/// Hash of the chain's first block.
	pub genesis: [u8; 32],
	/// The owner's account.
	pub owner: [u8; 32],
	/// The record's key among the owner's records.
	pub key: [u8; 32],
	/// How many times the value under this key was replaced: 0 for the first value.
	pub version: u32,
}

/// The header of a record, which is not encrypted and precedes the chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
	chunk_size: u32,
	length: u64,
	salt: [u8; 32],
	commitment: [u8; 32],
	/// The sealed name, if the record contains one.
	name: Option<[u8; SEALED_NAME_LEN]>,
}

impl Header {
	/// Length of an encoded header without a name, in bytes.
	pub const LEN: usize = header::LEN;
	/// Length of an encoded header with a name, in bytes.
	pub const NAMED_LEN: usize = Self::LEN + SEALED_NAME_LEN;

	fn new(
		chunk_size: u32,
		length: u64,
		salt: [u8; 32],
		commitment: [u8; 32],
	) -> Result<Self, RecordError> {
		if chunk_size == 0 || chunk_size > MAX_CHUNK_SIZE {
			return Err(RecordError::ChunkSize { got: chunk_size });
		}
		let chunks = length.div_ceil(chunk_size.into());
		if chunks > FORMAT_MAX_CHUNKS {
			return Err(RecordError::TooManyChunks { got: chunks });
		}
		Ok(Self {
			chunk_size,
			length,
			salt,
			commitment,
			name: None,
		})
	}

	/// Returns `version ‖ chunk size ‖ length ‖ salt ‖ commitment`, with big-endian integers, and then the sealed
	/// name if there is one.
	pub fn to_bytes(&self) -> Vec<u8> {
		let mut bytes = self.fixed().to_vec();
		bytes.extend(self.name.iter().flatten());
		bytes
	}

	/// Returns the part before the name, to which everything else in the record is bound.
	fn fixed(&self) -> [u8; Self::LEN] {
		let mut bytes = [0; Self::LEN];
		bytes[0] = match self.name {
			Some(_) => NAMED_VERSION,
			None => VERSION,
		};
		bytes[1..5].copy_from_slice(&self.chunk_size.to_be_bytes());
		bytes[5..13].copy_from_slice(&self.length.to_be_bytes());
		bytes[SALT_AT..COMMITMENT_AT].copy_from_slice(&self.salt);
		bytes[COMMITMENT_AT..].copy_from_slice(&self.commitment);
		bytes
	}

	/// Reads the header at the start of `bytes` and ignores the rest.
	///
	/// # Errors
	///
	/// Returns [`RecordError::HeaderCutShort`] if there are too few bytes,
	/// [`RecordError::UnknownVersion`] if the version is unknown, and [`RecordError::ChunkSize`] or
	/// [`RecordError::TooManyChunks`] if the header states sizes that are not allowed.
	pub fn read(bytes: &[u8]) -> Result<Self, RecordError> {
		// The version is checked first, because nothing else is known about an unknown format.
		let expected = match bytes.first() {
			Some(&VERSION) | None => Self::LEN,
			Some(&NAMED_VERSION) => Self::NAMED_LEN,
			Some(&got) => return Err(RecordError::UnknownVersion { got }),
		};
		let got = bytes.len();
		let short = RecordError::HeaderCutShort { expected, got };
		let header = bytes.get(..expected).ok_or(short)?;
		let (fixed, name) = header.split_first_chunk().ok_or(short)?;
		let read = Self::new(
			u32::from_be_bytes(field(fixed, 1)),
			u64::from_be_bytes(field(fixed, 5)),
			field(fixed, SALT_AT),
			field(fixed, COMMITMENT_AT),
		)?;
		Ok(Self {
			name: name.first_chunk().copied(),
			..read
		})
	}

	/// Returns the length of this header, encoded, in bytes: [`Self::LEN`] or [`Self::NAMED_LEN`].
	pub fn encoded_len(&self) -> usize {
		match self.name {
			Some(_) => Self::NAMED_LEN,
			None => Self::LEN,
		}
	}

	/// Returns the plaintext length in bytes of every chunk except the last, which may be shorter.
	pub fn chunk_size(&self) -> u32 {
		self.chunk_size
	}

	/// Returns the length of the plaintext in bytes.
	pub fn length(&self) -> u64 {
		self.length
	}

	/// Returns the number of chunks. An empty value has one empty chunk, so that there is something to
	/// authenticate.
	pub fn chunks(&self) -> u32 {
		// `new` bounds it by FORMAT_MAX_CHUNKS, so the conversion is lossless.
		self.length.div_ceil(self.chunk_size.into()).max(1) as u32
	}

	/// Returns the length of the whole record in bytes: this header and all encrypted chunks.
	pub fn record_len(&self) -> u64 {
		// At most 125 + 2^40 + 2^20 * 16 by the bounds in `new`.
		self.encoded_len() as u64 + self.length + u64::from(self.chunks()) * TAG_LEN as u64
	}

	/// Returns the length of a chunk's plaintext in bytes. The encrypted chunk is [`TAG_LEN`] bytes
	/// longer.
	///
	/// # Errors
	///
	/// Returns [`RecordError::NoSuchChunk`] if there is no such chunk.
	pub fn chunk_len(&self, chunk: u32) -> Result<usize, RecordError> {
		let chunks = self.chunks();
		if chunk >= chunks {
			return Err(RecordError::NoSuchChunk { chunk, chunks });
		}
		let rest = self.length - u64::from(chunk) * u64::from(self.chunk_size);
		// At most MAX_CHUNK_SIZE, so the conversion is lossless.
		Ok(rest.min(self.chunk_size.into()) as usize)
	}
}

/// Length of the associated data: header, genesis hash, owner, record key, version, chunk number.
const AAD_LEN: usize = Header::LEN + 32 + 32 + 32 + 4 + 4;

/// Derives the cipher of the chunks and the commitment, both from the leaf's key and the salt.
pub(crate) fn chunk_key(
	leaf: &LeafKey,
	salt: &[u8; 32],
	labels: &Labels,
) -> (LessSafeKey, [u8; 32]) {
	let (key, commitment) = header::chunk_key(leaf, salt, labels);
	let key = UnboundKey::new(&AES_256_GCM, &key[..])
		.expect("an AES-256 key has 32 bytes, as this one does; qed");
	(LessSafeKey::new(key), commitment)
}

/// The key for the chunks of a record or an object, bound to their place.
pub(crate) struct ChunkCipher {
	key: LessSafeKey,
	/// The associated data. Its last 4 bytes are the chunk's number, set for each chunk.
	aad: [u8; AAD_LEN],
}

impl ChunkCipher {
	pub(crate) fn new(
		header: &[u8; Header::LEN],
		key: LessSafeKey,
		context: &RecordContext,
	) -> Self {
		let mut aad = [0; AAD_LEN];
		let parts: [&[u8]; 5] = [
			header,
			&context.genesis,
			&context.owner,
			&context.key,
			&context.version.to_be_bytes(),
		];
		let mut at = 0;
		for part in parts {
			aad[at..at + part.len()].copy_from_slice(part);
			at += part.len();
		}
		Self { key, aad }
	}

	fn aad(&self, chunk: u32) -> Aad<[u8; AAD_LEN]> {
		let mut aad = self.aad;
		aad[AAD_LEN - 4..].copy_from_slice(&chunk.to_be_bytes());
		Aad::from(aad)
	}

	/// Returns `0^7 ‖ number ‖ last`. Every encryption has its own key, so the number alone makes the
	/// nonce unique.
	fn nonce(chunk: u32, last: bool) -> Nonce {
		let mut nonce = [0; NONCE_LEN];
		nonce[7..11].copy_from_slice(&chunk.to_be_bytes());
		nonce[11] = u8::from(last);
		Nonce::assume_unique_for_key(nonce)
	}

	/// Returns the nonce of the name, `0^11 ‖ 2`, which no chunk has.
	fn name_nonce() -> Nonce {
		let mut nonce = [0; NONCE_LEN];
		nonce[NONCE_LEN - 1] = 2;
		Nonce::assume_unique_for_key(nonce)
	}

	/// Seals the record's name. It is bound to the same data as the first chunk.
	fn seal_name(&self, name: &[u8; NAME_LEN]) -> [u8; SEALED_NAME_LEN] {
		let mut sealed = [0; SEALED_NAME_LEN];
		let (data, tag) = sealed.split_at_mut(NAME_LEN);
		data.copy_from_slice(name);
		let made = self
			.key
			.seal_in_place_separate_tag(Self::name_nonce(), self.aad(0), data)
			.expect("a name has 32 bytes, and AES-GCM takes 64 GiB; qed");
		tag.copy_from_slice(made.as_ref());
		sealed
	}

	/// Opens the record's name.
	fn open_name(&self, mut sealed: [u8; SEALED_NAME_LEN]) -> Result<[u8; NAME_LEN], RecordError> {
		self.key
			.open_in_place(Self::name_nonce(), self.aad(0), &mut sealed)
			.map_err(|_| RecordError::NameNotAuthentic)?;
		Ok(core::array::from_fn(|i| sealed[i]))
	}

	/// Encrypts a chunk in place and returns its tag.
	pub(crate) fn seal(&self, chunk: u32, last: bool, data: &mut [u8]) -> [u8; TAG_LEN] {
		let tag = self
			.key
			.seal_in_place_separate_tag(Self::nonce(chunk, last), self.aad(chunk), data)
			.expect("a chunk has at most 1 MiB, and AES-GCM takes 64 GiB; qed");
		let mut bytes = [0; TAG_LEN];
		bytes.copy_from_slice(tag.as_ref());
		bytes
	}

	/// Decrypts a chunk with its tag in place, and returns the plaintext.
	pub(crate) fn open<'a>(
		&self,
		chunk: u32,
		last: bool,
		data: &'a mut [u8],
	) -> Result<&'a [u8], RecordError> {
		self.key
			.open_in_place(Self::nonce(chunk, last), self.aad(chunk), data)
			.map(|plain| &*plain)
			.map_err(|_| RecordError::NotAuthentic { chunk })
	}
}

/// A header bound to its place, with the key for its chunks.
struct Chunks {
	header: Header,
	cipher: ChunkCipher,
}

impl Chunks {
	fn new(header: Header, key: LessSafeKey, context: &RecordContext) -> Self {
		let cipher = ChunkCipher::new(&header.fixed(), key, context);
		Self { header, cipher }
	}

	fn is_last(&self, chunk: u32) -> bool {
		chunk + 1 == self.header.chunks()
	}

	/// Checks that a chunk has the length that its place requires.
	fn check_len(&self, chunk: u32, extra: usize, got: usize) -> Result<(), RecordError> {
		let expected = self.header.chunk_len(chunk)? + extra;
		if got != expected {
			return Err(RecordError::ChunkLength {
				chunk,
				expected,
				got,
			});
		}
		Ok(())
	}

	/// Encrypts a chunk in place and returns its tag.
	fn seal(&self, chunk: u32, data: &mut [u8]) -> Result<[u8; TAG_LEN], RecordError> {
		self.check_len(chunk, 0, data.len())?;
		Ok(self.cipher.seal(chunk, self.is_last(chunk), data))
	}

	/// Decrypts a chunk with its tag in place. The plaintext precedes the tag.
	fn open(&self, chunk: u32, data: &mut [u8]) -> Result<(), RecordError> {
		self.check_len(chunk, TAG_LEN, data.len())?;
		self.cipher.open(chunk, self.is_last(chunk), data)?;
		Ok(())
	}
}

/// Encrypts a value chunk by chunk.
///
/// ```
/// # use isthmus_envelope::*;
/// # use std::io::Read;
/// # fn store(leaf: &LeafKey, context: &RecordContext, mut file: impl Read, length: u64)
/// # -> Result<Vec<u8>, Box<dyn std::error::Error>> {
/// let mut encryptor = Encryptor::new(leaf, context, 1 << 20, length)?;
/// let mut out = encryptor.header().to_bytes();
/// let mut chunk = Vec::new();
/// while let Some(len) = encryptor.next_len() {
///     chunk.resize(len, 0);
///     file.read_exact(&mut chunk)?;
///     encryptor.encrypt_chunk(&mut chunk)?;
///     out.extend_from_slice(&chunk);
/// }
/// # Ok(out)
/// # }
/// ```
pub struct Encryptor {
	chunks: Chunks,
	next: u32,
}

impl Encryptor {
	/// Starts a record of `length` plaintext bytes in chunks of `chunk_size` bytes.
	///
	/// # Errors
	///
	/// Returns [`RecordError::ChunkSize`] if the chunk size is not allowed,
	/// [`RecordError::TooManyChunks`] if the value needs too many chunks, and
	/// [`RecordError::Random`] if the system provides no randomness.
	pub fn new(
		leaf: &LeafKey,
		context: &RecordContext,
		chunk_size: u32,
		length: u64,
	) -> Result<Self, RecordError> {
		// Every encryption needs a new salt: with the same salt, a second value would repeat key
		// and nonces.
		Self::with_salt(leaf, context, None, chunk_size, length, *derive::random()?)
	}

	/// Does the same as [`Self::new`] for a record that contains its name. A shorter name is filled up with zeros.
	///
	/// # Errors
	///
	/// Returns the errors of [`Self::new`].
	pub fn named(
		leaf: &LeafKey,
		context: &RecordContext,
		name: &[u8; NAME_LEN],
		chunk_size: u32,
		length: u64,
	) -> Result<Self, RecordError> {
		let salt = *derive::random()?;
		Self::with_salt(leaf, context, Some(name), chunk_size, length, salt)
	}

	/// Does the same as [`Self::new`] with a given salt, which must never have been used with this
	/// leaf. It is for test vectors.
	pub(crate) fn with_salt(
		leaf: &LeafKey,
		context: &RecordContext,
		name: Option<&[u8; NAME_LEN]>,
		chunk_size: u32,
		length: u64,
		salt: [u8; 32],
	) -> Result<Self, RecordError> {
		let (key, commitment) = chunk_key(leaf, &salt, &header::RECORD);
		let mut header = Header::new(chunk_size, length, salt, commitment)?;
		// The version in the associated data says that there is a name, before it is sealed.
		header.name = name.map(|_| [0; SEALED_NAME_LEN]);
		let mut chunks = Chunks::new(header, key, context);
		chunks.header.name = name.map(|name| chunks.cipher.seal_name(name));
		Ok(Self { chunks, next: 0 })
	}

	/// Returns the header, which precedes the chunks.
	pub fn header(&self) -> &Header {
		&self.chunks.header
	}

	/// Returns the plaintext length of the next chunk, or `None` when all chunks are encrypted.
	pub fn next_len(&self) -> Option<usize> {
		self.header().chunk_len(self.next).ok()
	}

	/// Encrypts the next chunk in place and appends its tag.
	///
	/// # Errors
	///
	/// Returns [`RecordError::ChunkLength`] unless the chunk has [`Self::next_len`] bytes, and
	/// [`RecordError::NoSuchChunk`] after the last one.
	pub fn encrypt_chunk(&mut self, chunk: &mut Vec<u8>) -> Result<(), RecordError> {
		let tag = self.chunks.seal(self.next, chunk)?;
		chunk.extend_from_slice(&tag);
		self.next += 1;
		Ok(())
	}
}

/// Encrypts the value of a record again from the record's header, which gives the same bytes, for example to resume an
/// interrupted upload.
///
/// A value that changed in the meantime would be a second one under the same key and nonces, which reveals both. Therefore no
/// chunk is handed out that the record is not known to have.
pub struct Resumed {
	chunks: Chunks,
	next: u32,
}

impl Resumed {
	/// Prepares to encrypt the value again, from its first chunk on.
	///
	/// # Errors
	///
	/// Returns [`RecordError::WrongKey`] if the record is encrypted under another key.
	pub fn new(
		leaf: &LeafKey,
		context: &RecordContext,
		header: Header,
	) -> Result<Self, RecordError> {
		let Decryptor(chunks) = Decryptor::new(leaf, context, header)?;
		Ok(Self { chunks, next: 0 })
	}

	/// Makes `chunk` the next one. One past the last chunk means the end.
	///
	/// # Errors
	///
	/// Returns [`RecordError::NoSuchChunk`] if `chunk` is beyond the end.
	pub fn seek(&mut self, chunk: u32) -> Result<(), RecordError> {
		let chunks = self.header().chunks();
		if chunk > chunks {
			return Err(RecordError::NoSuchChunk { chunk, chunks });
		}
		self.next = chunk;
		Ok(())
	}

	/// Returns the record's header.
	pub fn header(&self) -> &Header {
		&self.chunks.header
	}

	/// Returns the plaintext length of the next chunk, or `None` after the last one.
	pub fn next_len(&self) -> Option<usize> {
		self.header().chunk_len(self.next).ok()
	}

	/// Encrypts the next chunk in place and appends its tag, if `is_known` finds that the record has these bytes at this
	/// number. Compare their hash with the known one.
	///
	/// # Errors
	///
	/// Returns [`RecordError::Changed`] if the record has other bytes, and empties `chunk`. Returns
	/// [`RecordError::ChunkLength`] unless the chunk has [`Self::next_len`] bytes, and [`RecordError::NoSuchChunk`] after
	/// the last one.
	pub fn encrypt_chunk(
		&mut self,
		chunk: &mut Vec<u8>,
		is_known: impl FnOnce(u32, &[u8]) -> bool,
	) -> Result<(), RecordError> {
		let tag = self.chunks.seal(self.next, chunk)?;
		chunk.extend_from_slice(&tag);
		if !is_known(self.next, chunk) {
			chunk.clear();
			return Err(RecordError::Changed { chunk: self.next });
		}
		self.next += 1;
		Ok(())
	}
}

/// Decrypts a record's chunks, in any order.
pub struct Decryptor(Chunks);

impl Decryptor {
	/// Creates a decryptor from a header that [`Header::read`] returned.
	///
	/// # Errors
	///
	/// Returns [`RecordError::WrongKey`] if the record is encrypted under another key.
	pub fn new(
		leaf: &LeafKey,
		context: &RecordContext,
		header: Header,
	) -> Result<Self, RecordError> {
		let (key, commitment) = chunk_key(leaf, &header.salt, &header::RECORD);
		// The comparison does not have to take constant time, because neither side is secret: the
		// commitment is public, and a wrong key yields a useless value.
		if commitment != header.commitment {
			return Err(RecordError::WrongKey);
		}
		Ok(Self(Chunks::new(header, key, context)))
	}

	/// Returns the record's header. It is authentic once a chunk has been decrypted.
	pub fn header(&self) -> &Header {
		&self.0.header
	}

	/// Returns the record's name, filled up with zeros; `None` if the record does not contain one.
	///
	/// # Errors
	///
	/// Returns [`RecordError::NameNotAuthentic`] if it fails authentication.
	pub fn name(&self) -> Result<Option<[u8; NAME_LEN]>, RecordError> {
		let sealed = self.0.header.name;
		sealed
			.map(|sealed| self.0.cipher.open_name(sealed))
			.transpose()
	}

	/// Decrypts a chunk in place and removes its tag. After an error the chunk holds no plaintext.
	///
	/// # Errors
	///
	/// Returns [`RecordError::NoSuchChunk`] if there is no such chunk, [`RecordError::ChunkLength`]
	/// if the chunk has the wrong length, and [`RecordError::NotAuthentic`] if it fails
	/// authentication.
	pub fn decrypt_chunk(&self, number: u32, chunk: &mut Vec<u8>) -> Result<(), RecordError> {
		self.0.open(number, chunk)?;
		chunk.truncate(chunk.len() - TAG_LEN);
		Ok(())
	}
}

/// Encrypts a value and returns the whole record: header and chunks of [`MAX_CHUNK_SIZE`] bytes.
///
/// # Errors
///
/// Returns [`RecordError::TooManyChunks`] if the value is too long, and [`RecordError::Random`] if
/// the system provides no randomness.
pub fn encrypt_value(
	leaf: &LeafKey,
	context: &RecordContext,
	value: &[u8],
) -> Result<Vec<u8>, RecordError> {
	let encryptor = Encryptor::new(leaf, context, MAX_CHUNK_SIZE, value.len() as u64)?;
	encrypt_all(encryptor, value)
}

/// Does the same as [`encrypt_value`] for a record that contains its name. A shorter name is filled up with zeros.
///
/// # Errors
///
/// Returns the errors of [`encrypt_value`].
pub fn encrypt_named(
	leaf: &LeafKey,
	context: &RecordContext,
	name: &[u8; NAME_LEN],
	value: &[u8],
) -> Result<Vec<u8>, RecordError> {
	let length = value.len() as u64;
	let encryptor = Encryptor::named(leaf, context, name, MAX_CHUNK_SIZE, length)?;
	encrypt_all(encryptor, value)
}

/// Encrypts all of a value with an encryptor made for its length.
pub(crate) fn encrypt_all(encryptor: Encryptor, value: &[u8]) -> Result<Vec<u8>, RecordError> {
	let Chunks { header, .. } = &encryptor.chunks;
	let mut record = Vec::with_capacity(header.record_len() as usize);
	record.extend_from_slice(&header.to_bytes());
	let mut rest = value;
	for chunk in 0..header.chunks() {
		let (plain, after) = rest.split_at(header.chunk_len(chunk)?);
		let at = record.len();
		record.extend_from_slice(plain);
		let tag = encryptor.chunks.seal(chunk, &mut record[at..])?;
		record.extend_from_slice(&tag);
		rest = after;
	}
	Ok(record)
}

/// Decrypts a whole record, header and chunks, and returns its value.
///
/// # Errors
///
/// Returns the first error found in the header, the record's length, the key, the name or a chunk.
pub fn decrypt_value(
	leaf: &LeafKey,
	context: &RecordContext,
	record: &[u8],
) -> Result<Vec<u8>, RecordError> {
	let header = Header::read(record)?;
	// This is checked before anything is allocated whose size depends on the header.
	if record.len() as u64 != header.record_len() {
		return Err(RecordError::Length {
			expected: header.record_len(),
			got: record.len() as u64,
		});
	}
	let start = header.encoded_len();
	let decryptor = Decryptor::new(leaf, context, header)?;
	decryptor.name()?;
	let Decryptor(chunks) = decryptor;
	let mut value = Vec::with_capacity(record.len() - start);
	let mut rest = &record[start..];
	for chunk in 0..chunks.header.chunks() {
		let (sealed, after) = rest.split_at(chunks.header.chunk_len(chunk)? + TAG_LEN);
		let at = value.len();
		value.extend_from_slice(sealed);
		chunks.open(chunk, &mut value[at..])?;
		value.truncate(value.len() - TAG_LEN);
		rest = after;
	}
	Ok(value)
}

#[cfg(test)]
mod tests;
