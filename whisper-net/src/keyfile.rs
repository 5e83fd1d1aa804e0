//! A private key on disk: 64 hex digits and a newline, readable by its owner only.

use std::fs;
use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::path::Path;

use whisper_core::crypto::Secret;
use whisper_core::crypto::curve::SecretKey;
use whisper_core::identity::Identity;
use zeroize::Zeroizing;

use crate::entropy::Entropy;
use crate::entropy::NoEntropy;

/// Reads the key at `path`; draws and writes one first if there is no file.
///
/// The file is 64 hex digits and a newline, as go-ethereum's `nodekey`. It appears whole or not at
/// all, with mode 0600 where there are modes, and a file that is there is never replaced: when two
/// programs create it at once, both go on with the key of the one that came first.
///
/// ```
/// use whisper_net::{Entropy, keyfile};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("identity");
/// let first = keyfile::load_or_create(&path, &Entropy::os())?;
/// let again = keyfile::load(&path)?;
/// assert_eq!(first.public_key(), again.public_key());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`KeyfileError`] if the file cannot be read or written, is no key file, or there is no randomness.
pub fn load_or_create(path: &Path, entropy: &Entropy) -> Result<Identity, KeyfileError> {
    match load(path) {
        Err(KeyfileError::Unreadable(ErrorKind::NotFound)) => create(path, entropy),
        other => other,
    }
}

/// Reads the key at `path`.
///
/// # Errors
/// [`KeyfileError`] if the file cannot be read, or is no key file.
pub fn load(path: &Path) -> Result<Identity, KeyfileError> {
    let unreadable = |error: io::Error| KeyfileError::Unreadable(error.kind());
    let file = fs::File::open(path).map_err(unreadable)?;
    // One byte more than any key file has, so that a longer one is noticed.
    let mut text = Zeroizing::new(Vec::with_capacity(LENGTH + 2));
    file.take(LENGTH as u64 + 2).read_to_end(&mut text).map_err(unreadable)?;
    let digits = text.strip_suffix(b"\n").unwrap_or(&text);
    let digits = digits.strip_suffix(b"\r").unwrap_or(digits);
    let mut well_formed = Ok(());
    let secret = Secret::fill_with(|bytes| well_formed = hex::decode_to_slice(digits, bytes));
    well_formed.map_err(|_| KeyfileError::Malformed)?;
    let secret = SecretKey::from_secret(secret).map_err(|_| KeyfileError::Malformed)?;
    Ok(Identity::from_secret(secret))
}

fn create(path: &Path, entropy: &Entropy) -> Result<Identity, KeyfileError> {
    let identity = Identity::generate(&mut entropy.rng()?);
    match write(path, &identity) {
        Ok(()) => Ok(identity),
        // Somebody was faster: theirs is the key.
        Err(ErrorKind::AlreadyExists) => load(path),
        Err(kind) => Err(KeyfileError::Unwritable(kind)),
    }
}

/// Writes beside `path`, then moves there unless something is there.
fn write(path: &Path, identity: &Identity) -> Result<(), ErrorKind> {
    let mut text = Zeroizing::new([b'\n'; LENGTH]);
    let [digits @ .., _newline] = &mut *text;
    hex::encode_to_slice(identity.secret().expose(), digits).map_err(|_| ErrorKind::InvalidData)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // `tempfile` creates with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
        .map_err(|error| error.kind())?;
    file.write_all(&*text).and_then(|()| file.as_file().sync_all()).map_err(|e| e.kind())?;
    file.persist_noclobber(path).map_err(|error| error.error.kind())?;
    Ok(())
}

/// Why there is no key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyfileError {
    /// The file cannot be read.
    #[error("the key file cannot be read: {0}")]
    Unreadable(ErrorKind),
    /// The file cannot be written.
    #[error("the key file cannot be written: {0}")]
    Unwritable(ErrorKind),
    /// The file holds something else. It is left alone.
    #[error("a key file is 64 hex digits of a valid private key and a newline")]
    Malformed,
    /// There is no randomness for a new key.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

/// 64 digits and the newline.
const LENGTH: usize = 65;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(name: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        (folder, path)
    }

    #[test]
    fn a_new_key_is_64_digits_and_a_newline_for_its_owner_only() {
        let (_folder, path) = at("key");
        let identity = load_or_create(&path, &Entropy::os()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{}\n", hex::encode(identity.secret().expose())));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_file_that_is_there_is_never_replaced() {
        let (_folder, path) = at("key");
        for text in ["", "abc\n", &"0".repeat(64), &"f".repeat(64), &format!("{:0>66}", 1)] {
            fs::write(&path, text).unwrap();
            let outcome = load_or_create(&path, &Entropy::os()).map(|key| key.public_key());
            assert_eq!(outcome, Err(KeyfileError::Malformed), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_file_without_the_newline_or_from_windows_is_read() {
        let (_folder, path) = at("key");
        for end in ["", "\n", "\r\n"] {
            fs::write(&path, format!("{:0>64}{end}", 1)).unwrap();
            assert!(load(&path).is_ok(), "{end:?}");
        }
    }

    #[test]
    fn c8_without_randomness_no_file_appears() {
        let (folder, path) = at("key");
        let outcome = load_or_create(&path, &Entropy::from_source(|_| Err(NoEntropy)));
        assert_eq!(outcome.map(|key| key.public_key()), Err(KeyfileError::NoEntropy(NoEntropy)));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn programs_that_create_it_at_once_go_on_with_one_key() {
        let (_folder, path) = at("key");
        let keys: Vec<_> = std::thread::scope(|scope| {
            let create = || load_or_create(&path, &Entropy::os()).unwrap().public_key();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
    }
}
