//! A private key on disk: 64 hex digits and a newline, readable by its owner only.

use std::fs;
use std::fs::File;
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
/// all, with mode 0600 where there are modes, and lasts once this returns. A file that is there is
/// never replaced: when two programs create it at once, both go on with the key of the one that came
/// first.
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
/// [`KeyfileError`] as [`load`], if the file cannot be written, or there is no randomness.
pub fn load_or_create(path: &Path, entropy: &Entropy) -> Result<Identity, KeyfileError> {
    match load(path) {
        Err(KeyfileError::Missing) => create(path, entropy),
        other => other,
    }
}

/// Reads the key at `path`. Blanks and newlines around the digits do not matter.
///
/// The path must name the file itself, not a symbolic link, and on Unix nobody but the owner may have
/// any right on it: a key that others can read or replace is not a key.
///
/// # Errors
/// [`KeyfileError`] if the file cannot be read, is open to others, or is no key file.
pub fn load(path: &Path) -> Result<Identity, KeyfileError> {
    let text = read_private(path, LONGEST)?;
    let mut well_formed = Ok(());
    let secret =
        Secret::fill_with(|bytes| well_formed = hex::decode_to_slice(text.trim_ascii(), bytes));
    well_formed.map_err(|_| KeyfileError::Malformed)?;
    let secret = SecretKey::from_secret(secret).map_err(|_| KeyfileError::Malformed)?;
    Ok(Identity::from_secret(secret))
}

/// Reads a file that belongs to its owner alone and has at most so many bytes.
pub(crate) fn read_private(
    path: &Path,
    longest: usize,
) -> Result<Zeroizing<Vec<u8>>, KeyfileError> {
    // One byte more than is taken, so that a longer file is noticed.
    let mut bytes = Zeroizing::new(Vec::with_capacity(longest.saturating_add(1)));
    open(path)?
        .take(longest as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| KeyfileError::Unreadable(error.kind()))?;
    if bytes.len() > longest {
        return Err(KeyfileError::Malformed);
    }
    Ok(bytes)
}

/// Writes a file for its owner alone in the place of what is there, whole or not at all.
pub(crate) fn replace_private(path: &Path, bytes: &[u8]) -> Result<(), ErrorKind> {
    let file = write_beside(path, bytes)?;
    file.persist(path).map_err(|error| error.error.kind())?;
    sync_folder(path)
}

/// Opens the file that `path` names itself, if it belongs to its owner alone.
fn open(path: &Path) -> Result<File, KeyfileError> {
    let unreadable = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => KeyfileError::Missing,
        kind => KeyfileError::Unreadable(kind),
    };
    // Before it is opened, since opening a pipe waits for a writer.
    let named = fs::symlink_metadata(path).map_err(unreadable)?;
    if !named.is_file() {
        return Err(KeyfileError::NotAFile);
    }
    let file = File::open(path).map_err(unreadable)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let opened = file.metadata().map_err(unreadable)?;
        // What was opened is what was looked at: a link may have taken its place in between.
        if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
            return Err(KeyfileError::NotAFile);
        }
        if opened.mode() & 0o077 != 0 {
            return Err(KeyfileError::Exposed);
        }
    }
    Ok(file)
}

fn create(path: &Path, entropy: &Entropy) -> Result<Identity, KeyfileError> {
    let identity = Identity::generate(&mut entropy.rng()?);
    match write(path, &identity) {
        Ok(()) => Ok(identity),
        // Another program was faster: its key is the key.
        Err(ErrorKind::AlreadyExists) => load(path),
        Err(ErrorKind::NotFound) => Err(KeyfileError::NoFolder),
        Err(kind) => Err(KeyfileError::Unwritable(kind)),
    }
}

/// Writes beside `path`, then moves there unless something is there.
fn write(path: &Path, identity: &Identity) -> Result<(), ErrorKind> {
    let mut text = Zeroizing::new([b'\n'; LENGTH]);
    let [digits @ .., _newline] = &mut *text;
    hex::encode_to_slice(identity.secret().expose(), digits).map_err(|_| ErrorKind::InvalidData)?;
    let file = write_beside(path, &*text)?;
    file.persist_noclobber(path).map_err(|error| error.error.kind())?;
    sync_folder(path)
}

/// A file with these bytes in the folder of `path`, which its owner alone may read.
fn write_beside(path: &Path, bytes: &[u8]) -> Result<tempfile::NamedTempFile, ErrorKind> {
    // `tempfile` creates with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder(path)).map_err(|error| error.kind())?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(|e| e.kind())?;
    Ok(file)
}

/// The name lasts when the folder does. Elsewhere folders cannot be opened.
fn sync_folder(path: &Path) -> Result<(), ErrorKind> {
    #[cfg(unix)]
    File::open(folder(path)).and_then(|folder| folder.sync_all()).map_err(|error| error.kind())?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

fn folder(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Why there is no key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyfileError {
    /// There is no file.
    #[error("there is no key file of this name")]
    Missing,
    /// There is no folder for a new file.
    #[error("the folder of the key file does not exist: create it, or name another")]
    NoFolder,
    /// The path names a symbolic link, a folder or a device.
    #[error("the key file is a symbolic link or not a file: name the file itself")]
    NotAFile,
    /// Others than the owner may read or change the file.
    #[error("others have access to the key file: take it from them (chmod 600), or use a new key")]
    Exposed,
    /// The file cannot be read.
    #[error("the key file cannot be read ({0}): see to its permissions")]
    Unreadable(ErrorKind),
    /// The file cannot be written.
    #[error("the key file cannot be written ({0}): see to its folder and the disk")]
    Unwritable(ErrorKind),
    /// The file holds something else. It is left alone.
    #[error("a key file is 64 hex digits of a valid private key and a newline: name another file")]
    Malformed,
    /// There is no randomness for a new key.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

/// 64 digits and the newline.
const LENGTH: usize = 65;
/// What an editor may add in blanks and newlines is less.
const LONGEST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(name: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        (folder, path)
    }

    /// Writes a file that its owner alone may read.
    fn put(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        #[cfg(unix)]
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
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
            put(&path, text);
            let outcome = load_or_create(&path, &Entropy::os()).map(|key| key.public_key());
            assert_eq!(outcome, Err(KeyfileError::Malformed), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn blanks_and_newlines_around_the_digits_do_not_matter() {
        let (_folder, path) = at("key");
        for (before, after) in [("", ""), ("", "\n"), ("", "\r\n"), ("", "\n\n"), (" ", "\t\n")] {
            put(&path, &format!("{before}{:0>64}{after}", 1));
            assert!(load(&path).is_ok(), "{before:?} {after:?}");
        }
        put(&path, &format!("{:0>64}{:200}", 1, ""));
        assert_eq!(load(&path).map(drop), Err(KeyfileError::Malformed));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_or_change_is_no_key() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, path) = at("key");
        put(&path, &format!("{:0>64}\n", 1));
        for mode in [0o604, 0o640, 0o620, 0o602, 0o610, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(load(&path).map(drop), Err(KeyfileError::Exposed), "{mode:o}");
        }
        for mode in [0o600, 0o400] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(load(&path).is_ok(), "{mode:o}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_key_is_read_through_no_link_and_from_no_pipe() {
        let (folder, path) = at("key");
        put(&path, &format!("{:0>64}\n", 1));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        for other in [&link, &pipe, &folder.path().to_owned()] {
            let outcome = load_or_create(other, &Entropy::os()).map(drop);
            assert_eq!(outcome, Err(KeyfileError::NotAFile), "{}", other.display());
        }
    }

    #[test]
    fn what_is_missing_is_said_in_words() {
        let (folder, path) = at("key");
        assert_eq!(load(&path).map(drop), Err(KeyfileError::Missing));
        let outcome = load_or_create(&folder.path().join("none/key"), &Entropy::os());
        assert_eq!(outcome.map(drop), Err(KeyfileError::NoFolder));
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
