//! The relays of a node, kept over connections and restarts.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use whisper_core::peer::PeerId;
use whisper_core::time::Timestamp;

use crate::keyfile;
use crate::keyfile::KeyfileError;
use crate::transport::PeerFacts;

/// Knows relays by what lasts longer than a connection, and the file that they are in.
pub(crate) struct RelayBook {
    path: Option<PathBuf>,
    kept: Kept,
    /// What connected peers are known by.
    names: BTreeMap<PeerId, String>,
    /// Those whom the engine was told of, and has drawn others all the same.
    refused: BTreeSet<PeerId>,
    told: BTreeSet<PeerId>,
    /// When what the engine drew in place of those that are kept was to end.
    other: Option<Timestamp>,
}

/// The relays, as they stand in the file.
#[derive(Debug, Default, Eq, PartialEq)]
struct Kept {
    /// When all are drawn anew.
    until: Timestamp,
    /// For each place who holds it, and behind it who did while that one was away.
    places: Vec<Vec<String>>,
}

impl RelayBook {
    /// Reads the file, if there is one. A file that is something else, or open to others, is neither
    /// believed nor written over: relays are kept in memory then.
    pub(crate) fn open(path: Option<PathBuf>) -> Self {
        let (path, kept) = match path.as_deref().map(Kept::load).transpose() {
            Ok(kept) => (path, kept.unwrap_or_default()),
            Err(kind) => {
                tracing::warn!(%kind, "the file of relays is left alone: a restart draws others");
                (None, Kept::default())
            }
        };
        let (names, refused, told) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { path, kept, names, refused, told, other: None }
    }

    /// Notes who is at the other end of a connection.
    pub(super) fn connected(&mut self, peer: PeerId, facts: &PeerFacts) {
        if let Some(name) = name(facts) {
            self.names.insert(peer, name);
        }
    }

    pub(super) fn disconnected(&mut self, peer: PeerId) {
        self.names.remove(&peer);
        self.refused.remove(&peer);
        self.told.remove(&peer);
    }

    /// Whether relays are kept.
    pub(super) const fn is_empty(&self) -> bool {
        self.kept.places.is_empty()
    }

    /// Whether a peer is a relay that was kept.
    pub(super) fn is_kept(&self, peer: PeerId) -> bool {
        let name = self.names.get(&peer);
        name.is_some_and(|name| self.kept.places.iter().flatten().any(|kept| kept == name))
    }

    /// Who holds which place, as far as they are connected, and until when; nothing if none is kept.
    /// For the engine.
    pub(super) fn preferred(&mut self) -> Option<(Vec<Option<PeerId>>, Timestamp)> {
        let holders = self.holders();
        self.told.extend(holders.iter().flatten());
        (!self.is_empty()).then_some((holders, self.kept.until))
    }

    fn holders(&self) -> Vec<Option<PeerId>> {
        let may = |peer: &PeerId| !self.refused.contains(peer);
        let peer = |name: &String| {
            let known = self.names.iter().find(|(peer, own)| *own == name && may(peer));
            known.map(|(peer, _)| *peer)
        };
        let holder = |place: &Vec<String>| place.iter().find_map(peer);
        self.kept.places.iter().map(holder).collect()
    }

    /// Forgets all, since others are to be drawn.
    pub(super) fn forget(&mut self) {
        self.begin(Timestamp::default());
        self.save();
    }

    /// Begins a period, of which nobody is known yet.
    fn begin(&mut self, until: Timestamp) {
        self.kept = Kept { until, places: Vec::new() };
        self.refused.clear();
        self.told.clear();
        self.other = None;
    }

    /// Keeps the relays that were drawn; true if others, who were kept, go before them: until their
    /// period is over no others are kept, whatever the engine has lost or drawn meanwhile.
    pub(super) fn drawn(
        &mut self,
        now: Timestamp,
        peers: &[Option<PeerId>],
        until: Timestamp,
    ) -> bool {
        let is_new = self.is_empty() || self.kept.until <= now;
        if is_new {
            self.begin(until);
        } else if self.kept.until != until {
            // Once: an engine that takes no period as long as this one would be asked for ever.
            return self.other.replace(until) != Some(until);
        }
        self.kept.places.resize_with(peers.len().max(self.kept.places.len()), Vec::new);
        let passed_over = self.holders().into_iter().zip(peers);
        let passed_over = passed_over.filter(|(kept, drawn)| drawn.is_some() && kept != *drawn);
        let passed_over: BTreeSet<PeerId> = passed_over.filter_map(|(kept, _)| kept).collect();
        // It may be light now, or take stems no more.
        self.refused.extend(passed_over.intersection(&self.told));
        if passed_over.difference(&self.told).next().is_some() {
            return true;
        }
        let before: usize = self.kept.places.iter().map(Vec::len).sum();
        for (place, peer) in self.kept.places.iter_mut().zip(peers) {
            let name = peer.and_then(|peer| self.names.get(&peer));
            if let Some(name) = name.filter(|name| !place.contains(name) && place.len() < MOST) {
                place.push(name.clone());
            }
        }
        if is_new || self.kept.places.iter().map(Vec::len).sum::<usize>() != before {
            self.save();
        }
        false
    }

    fn save(&self) {
        let Some(path) = &self.path else { return };
        if let Err(kind) = keyfile::replace_private(path, self.kept.to_string().as_bytes()) {
            tracing::warn!(%kind, "the file of relays is not written: a restart draws others");
        }
    }
}

impl Kept {
    fn load(path: &Path) -> Result<Self, KeyfileError> {
        match keyfile::read_private(path, LONGEST) {
            Ok(bytes) => Self::read(&bytes).ok_or(KeyfileError::Malformed),
            Err(KeyfileError::Missing) => Ok(Self::default()),
            Err(why) => Err(why),
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(bytes).ok()?.lines();
        let until = lines.next()?.strip_prefix(HEAD)?.parse().ok()?;
        let place = |line: &str| line.split_whitespace().map(str::to_owned).take(MOST).collect();
        let places = lines.take(PLACES).map(place).collect();
        Some(Self { until: Timestamp::from_millis(until), places })
    }
}

/// One line for the time, and one for each place.
impl std::fmt::Display for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{HEAD}{}", self.until.as_millis())?;
        self.places.iter().try_for_each(|place| writeln!(f, "{}", place.join(" ")))
    }
}

/// What a peer is known by after a new connection: its key, or else its address.
fn name(facts: &PeerFacts) -> Option<String> {
    let key = facts.public_key.map(|key| hex::encode(key.to_bytes()));
    let endpoint = || Some(facts.endpoint.clone()).filter(|name| !name.is_empty());
    key.or_else(endpoint).filter(|name| !name.contains(char::is_whitespace))
}

const HEAD: &str = "relays until ";
/// How many hold one place, one while the others are away.
const MOST: usize = 4;
/// How many places are read.
const PLACES: usize = 16;
/// Far more than two places take.
const LONGEST: usize = 64 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Direction;

    const NOW: Timestamp = Timestamp::from_secs(1_600_000_000);
    const UNTIL: Timestamp = Timestamp::from_secs(1_600_600_000);
    const LATER: Timestamp = Timestamp::from_secs(1_600_700_000);

    fn facts(name: &str) -> PeerFacts {
        PeerFacts { endpoint: name.to_owned(), ..PeerFacts::new("test", Direction::Outbound) }
    }

    fn peer(number: u64) -> Option<PeerId> {
        Some(PeerId::new(number))
    }

    #[test]
    fn k14_relays_are_kept_over_a_restart_and_known_by_what_lasts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relays");
        let mut book = RelayBook::open(Some(path.clone()));
        assert_eq!(book.preferred(), None);
        book.connected(PeerId::new(1), &facts("a"));
        book.connected(PeerId::new(2), &facts("b"));
        assert!(!book.is_kept(PeerId::new(1)));
        assert!(!book.drawn(NOW, &[peer(1), peer(2)], UNTIL));
        drop(book);
        let mut book = RelayBook::open(Some(path.clone()));
        assert_eq!(book.preferred(), Some((vec![None, None], UNTIL)));
        book.connected(PeerId::new(8), &facts("b"));
        book.connected(PeerId::new(9), &facts("c"));
        assert!(book.is_kept(PeerId::new(8)) && !book.is_kept(PeerId::new(9)));
        assert_eq!(book.preferred(), Some((vec![None, peer(8)], UNTIL)));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn who_stood_in_for_a_relay_stands_in_again_and_gives_way_to_it() {
        let mut book = RelayBook::open(None);
        book.connected(PeerId::new(1), &facts("a"));
        book.connected(PeerId::new(2), &facts("b"));
        book.drawn(NOW, &[peer(1)], UNTIL);
        book.disconnected(PeerId::new(1));
        assert!(!book.drawn(NOW, &[peer(2)], UNTIL));
        book.connected(PeerId::new(3), &facts("c"));
        assert!(book.drawn(NOW, &[peer(3)], UNTIL), "b is here");
        assert_eq!(book.preferred(), Some((vec![peer(2)], UNTIL)));
        book.connected(PeerId::new(4), &facts("a"));
        assert_eq!(book.preferred(), Some((vec![peer(4)], UNTIL)));
        // The engine does not take it: it is asked once.
        assert!(!book.drawn(NOW, &[peer(3)], UNTIL));
        assert!(!book.drawn(NOW, &[peer(3)], UNTIL));
        // A new period knows none of them.
        assert!(!book.drawn(UNTIL, &[peer(3)], LATER));
        assert_eq!(book.preferred(), Some((vec![peer(3)], LATER)));
    }

    #[test]
    fn k14_only_a_period_that_is_over_and_a_redraw_by_hand_end_what_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relays");
        let mut book = RelayBook::open(Some(path.clone()));
        for (number, name) in [(1, "a"), (2, "b"), (3, "c")] {
            book.connected(PeerId::new(number), &facts(name));
        }
        book.drawn(NOW, &[peer(1), peer(2)], UNTIL);
        let written = std::fs::read(&path).unwrap();
        let before_end = UNTIL.saturating_sub(std::time::Duration::from_millis(1));
        assert!(book.drawn(before_end, &[peer(3), None], LATER), "those that are kept go before");
        assert!(!book.drawn(before_end, &[peer(3), None], LATER), "it was asked once");
        assert_eq!(book.preferred(), Some((vec![peer(1), peer(2)], UNTIL)));
        assert_eq!(std::fs::read(&path).unwrap(), written);
        book.forget();
        assert_eq!(RelayBook::open(Some(path)).preferred(), None);
        assert!(!book.drawn(before_end, &[peer(3), None], LATER));
        assert_eq!(book.preferred(), Some((vec![peer(3), None], LATER)));
    }

    #[test]
    fn a_file_that_is_none_and_one_that_is_open_to_others_are_not_believed_nor_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relays");
        keyfile::replace_private(&path, b"the key of somebody").unwrap();
        let mut book = RelayBook::open(Some(path.clone()));
        assert_eq!(book.preferred(), None);
        book.connected(PeerId::new(1), &facts("a"));
        assert!(!book.drawn(NOW, &[peer(1)], UNTIL));
        assert_eq!(std::fs::read(&path).unwrap(), b"the key of somebody");
        keyfile::replace_private(&path, b"relays until 1600600000000\na\n\n").unwrap();
        let mut book = RelayBook::open(Some(path.clone()));
        assert_eq!(book.preferred(), Some((vec![None, None], UNTIL)));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert_eq!(RelayBook::open(Some(path)).preferred(), None);
        }
    }
}
