use alloc::string::String;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;

use super::*;
use crate::crypto::ml_kem::DecapsulationKey;
use crate::crypto::x_only::XOnlySecretKey;
use crate::hash::sha256;
use crate::identity::Identity;
use crate::session::prekeys::Prekeys;
use crate::time::Timestamp;

mod keeping;

const NOW: Timestamp = Timestamp::from_secs(1_750_000_000);

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

/// Somebody with cards.
struct Owner {
    identity: Identity,
    long_term: XOnlySecretKey,
    rng: ChaCha20Rng,
}

impl Owner {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let identity = Identity::generate(&mut rng);
        Self { identity, long_term: XOnlySecretKey::generate(&mut rng), rng }
    }

    fn cert(&self, from: Timestamp) -> Cert {
        Cert::sign(from, &self.identity, &self.long_term.public_key())
    }

    fn card(&mut self, drawn: Timestamp) -> Card {
        self.card_with(drawn, CardSettings::default())
    }

    fn card_with(&mut self, drawn: Timestamp, settings: CardSettings) -> Card {
        let cert = self.cert(NOW);
        Prekeys::new(drawn, &mut self.rng).card(&self.identity, &cert, settings)
    }

    fn one_time_card(&mut self) -> Card {
        let cert = self.cert(NOW);
        let mut prekeys = Prekeys::new(NOW, &mut self.rng);
        let settings = CardSettings::default();
        prekeys.card_with_one_time_key(&self.identity, &cert, settings, &mut self.rng)
    }
}

/// The keys of Appendix C.
fn known(label: &str) -> [u8; 32] {
    sha256(&[b"WS1-KAT/", label.as_bytes()].concat())
}

fn known_card(who: &str, prekey_id: u32, one_time: Option<u32>) -> Card {
    let label = |key: &str| [key, who].concat();
    let secret = |key: &str| XOnlySecretKey::from_bytes(&known(&label(key))).unwrap();
    let identity = crate::crypto::curve::SecretKey::from_bytes(&known(&label("i"))).unwrap();
    let identity = Identity::from_secret(identity);
    let seed = ["0", "1"].map(|half| known(&[&label("k"), half].concat())).concat();
    let seed = crate::crypto::Secret::from_slice(&seed).unwrap();
    let span = Duration::from_secs(1_800_000_000 - 1_700_000_000);
    let validity = Validity::starting(Timestamp::from_secs(1_700_000_000), span);
    let cert = Cert::sign_for(validity, &identity, &secret("d").public_key());
    let one_time =
        one_time.and_then(PrekeyId::new).map(|id| OneTimeKey { key: secret("o").public_key(), id });
    let unsigned = Unsigned {
        prekey: secret("p").public_key(),
        prekey_id: PrekeyId::new(prekey_id).unwrap(),
        drawn: Timestamp::from_secs(1_749_913_600),
        kem: DecapsulationKey::from_secret(seed).encapsulation_key(),
        one_time,
    };
    let settings = CardSettings { random_topics: true, ..CardSettings::default() };
    unsigned.sign(&identity, cert, settings)
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(sha256(bytes))
}

#[test]
fn certificate_and_cards_are_those_of_appendix_c() {
    let alice = known_card("A", 0x0506_0708, None);
    assert_eq!(
        hex::encode(alice.cert().to_bytes()),
        "01031f5c8b9246eafd9fc2d50e265df8de07133290d2e635ee719c57cfd698ab64604664ede239d3e14b07804b\
         13312ec936b9dc20815125029965abcb9422a21d986553f1006b49d200b19390b91e344cd388c450cd7f923fc0\
         a29e69a2ad932d49023a2fe8b5f642ba5152e0228d9c06936ad045f7fcaa5b5429adea4a4b62ff5b0b7dfc40f3\
         df9d3b"
    );
    assert_eq!(
        hex::encode(alice.to_short().to_tail().unwrap()),
        "dffe8c945f20baab0c762a5f523d6b025956cb499b628a170e99a45ed7a8512c05060708684d90006860050002\
         d6692c630366be0f52e0df26ef539c4bc0996241eabcbe40caf90b5c665846bd52c99a28892084cccd48b1cc21\
         074f10392ea2929b32c23ebad3257780b6d99226a190c5e2e9a58678066921f10ff400a7343c7ad52cefb47ce0\
         9499fdf7b58e"
    );
    let bob = known_card("B", 0x0102_0304, None).to_bytes();
    assert_eq!(bob.len(), 1_431);
    assert_eq!(hash(&bob), "ba559d4fc4be64c205fff1eff66b1501669c2b55c77f86307158f375894b3a5d");
    let short = known_card("B", 0x0102_0304, None).to_short().to_bytes();
    assert_eq!(short.len(), 279);
    assert_eq!(hash(&short), "574c54b1f5469898d353dbbcf97b3bf46370072544ed8119842b1bc20c292c58");
    let one_time = known_card("B", 0x0102_0304, Some(0x090a_0b0c)).to_bytes();
    assert_eq!(one_time.len(), 1_467);
    assert_eq!(hash(&one_time), "c434fafcc52308f5084a9847becd9d0159a7a145652f1124ae33e53058a5cc78");
    for bytes in [bob, one_time] {
        assert_eq!(Card::from_bytes(&bytes).map(|card| card.to_bytes()), Ok(bytes));
    }
}

#[test]
fn a_card_says_what_its_owner_has_put_into_it() {
    let groups = Features { groups: true };
    for features in [Features::default(), groups] {
        for bits in 0..4 {
            let (random_topics, seed_mode) = (bits & 1 != 0, bits & 2 != 0);
            let settings = CardSettings { random_topics, seed_mode, features };
            let card = Owner::new(1).card_with(NOW, settings);
            let read = Card::from_bytes(&card.to_bytes()).unwrap();
            assert_eq!(read, card);
            assert_eq!(read.settings(), settings);
            let short = ShortCard::from_bytes(&card.to_short().to_bytes()).unwrap();
            assert_eq!(short.settings(), settings);
            assert_eq!(short.complete(card.kem_key().clone()), Some(card));
            assert_eq!(short.to_tail().is_some(), features == Features::default());
        }
    }
}

#[test]
fn a_short_card_takes_no_key_but_its_own() {
    let (mut alice, mut bob) = (Owner::new(1), Owner::new(2));
    let short = alice.card(NOW).to_short();
    assert_eq!(short.complete(bob.card(NOW).kem_key().clone()), None);
}

#[test]
fn a_tail_belongs_to_one_certificate() {
    let (mut alice, bob) = (Owner::new(1), Owner::new(2));
    let card = alice.card(NOW).to_short();
    let tail = card.to_tail().unwrap();
    assert_eq!(ShortCard::from_tail(card.cert(), &tail).as_ref(), Ok(&card));
    assert_eq!(ShortCard::from_tail(&bob.cert(NOW), &tail), Err(CardError::CardSignature));
    let later = alice.cert(NOW.saturating_add(days(1)));
    assert_eq!(ShortCard::from_tail(&later, &tail), Err(CardError::CardSignature));
    let mut flagged = tail;
    for flag in [1, 8] {
        flagged[44] = flag;
        assert_eq!(ShortCard::from_tail(card.cert(), &flagged), Err(CardError::Reserved));
    }
    assert_eq!(alice.one_time_card().to_short().to_tail(), None);
}

#[test]
fn dates_hold_from_ten_minutes_early_to_the_last_second() {
    let card = Owner::new(1).card(NOW);
    let (start, end) = (NOW.as_secs(), NOW.saturating_add(days(14)).as_secs());
    let at = |seconds| card.check(Timestamp::from_secs(seconds));
    assert_eq!(at(start - 601), Err(Expired::NotYet));
    assert_eq!(at(start - 600), Ok(()));
    assert_eq!(at(end), Ok(()));
    assert_eq!(at(end + 1), Err(Expired::NoLonger));
    // A certificate outlives its cards; a card without a certificate is none.
    let cert = card.cert().validity();
    assert_eq!(cert.check(Timestamp::from_secs(end + 1)), Ok(()));
    assert_eq!(cert.check(NOW.saturating_add(days(401))), Err(Expired::NoLonger));
    let old = Owner::new(1).card(NOW.saturating_add(days(399)));
    assert_eq!(old.check(NOW.saturating_add(days(401))), Err(Expired::NoLonger));
}

#[test]
fn each_bit_of_a_card_matters() {
    let card = Owner::new(1).one_time_card().to_bytes();
    // Every bit of what is not K, and one of each ninth byte of that.
    let kem = 183..183 + 1_184;
    for at in (0..card.len()).filter(|at| !kem.contains(at) || at % 9 == 0) {
        for bit in 0..if kem.contains(&at) { 1 } else { 8 } {
            let mut changed = card.clone();
            changed[at] ^= 1 << bit;
            assert!(Card::from_bytes(&changed).is_err(), "bit {bit} of byte {at}");
        }
    }
    for length in 0..card.len() {
        assert_eq!(Card::from_bytes(&card[..length]), Err(CardError::Length), "{length}");
    }
    assert_eq!(Card::from_bytes(&[&card[..], &[0]].concat()), Err(CardError::Length));
}

#[test]
fn a_card_comes_back_from_each_form_of_text() {
    let mut owner = Owner::new(1);
    for (card, link, code) in
        [(owner.card(NOW), 1_913, 2_152), (owner.one_time_card(), 1_961, 2_206)]
    {
        assert_eq!(card.to_link().len(), link);
        assert_eq!(card.to_qr_text().len(), code);
        assert_eq!(card.to_link().parse(), Ok(card.clone()));
        assert_eq!(card.to_qr_text().parse(), Ok(card.clone()));
        for count in 1..=MAX_PARTS {
            let texts = card.to_parts(count);
            assert_eq!(texts.len(), count);
            let mut parts = Parts::new();
            let (last, others) = texts.split_first().unwrap();
            // Some are seen twice, none in order.
            for text in others.iter().rev().chain(others) {
                assert_eq!(parts.add(text), Ok(None));
            }
            assert_eq!(parts.missing(), (count > 1).then_some(1));
            assert_eq!(parts.add(last), Ok(Some(card.clone())), "{count}");
            assert_eq!(parts, Parts::new());
        }
    }
}

#[test]
fn parts_of_another_card_start_anew() {
    let mut owner = Owner::new(1);
    let (one, other) = (owner.card(NOW), owner.one_time_card());
    let (one_texts, other_texts) = (one.to_parts(2), other.to_parts(2));
    let mut parts = Parts::new();
    assert_eq!(parts.add(&one_texts[0]), Ok(None));
    assert_eq!(parts.add(&other_texts[1]), Ok(None));
    assert_eq!(parts.add(&one_texts[1]), Ok(None), "the first part was dropped");
    assert_eq!(parts.add(&one.to_parts(3)[2]), Ok(None), "so it is with another number");
    assert_eq!(parts.missing(), Some(2));
    // A part that claims to be of a card and is not: all of it goes.
    let forged = one_texts[0].replace(":", ":0");
    assert_eq!(parts.add(&forged), Ok(None));
    assert_eq!(parts.add(&one_texts[1]), Err(TextError::Parts));
    assert_eq!(parts.missing(), None);
    assert_eq!(parts.add("wsc1:"), Err(TextError::NotACard));
}

#[test]
fn a_reference_names_an_identity() {
    let reference = Reference(Owner::new(1).identity.public_key());
    let text = reference.to_string();
    assert_eq!((text.len(), &text[..5]), (49, "wsr1:"));
    assert_eq!(text.parse(), Ok(reference));
    assert_eq!(text[1..].parse::<Reference>(), Err(TextError::NotACard));
    assert_eq!(text[..48].parse::<Reference>(), Err(TextError::Damaged));
    assert_eq!([&text, "A"].concat().parse::<Reference>(), Err(TextError::Damaged));
    assert_eq!(
        "wsr1:BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB".parse::<Reference>(),
        Err(TextError::Card(CardError::Identity))
    );
}

#[test]
fn a_public_card_is_read_by_who_knows_the_identity() {
    let (mut alice, bob) = (Owner::new(1), Owner::new(2));
    let card = alice.card(NOW);
    let public = PublicCard::of(alice.identity.public_key());
    let payload = public.payload(&card).unwrap();
    assert_eq!(payload.len(), 2_045);
    assert_eq!(public.read(&payload), Ok(card));
    assert_eq!(public.payload(&alice.one_time_card()), None);
    let others = PublicCard::of(bob.identity.public_key());
    assert_eq!(others.read(&payload), Err(CardError::Identity));
    assert_ne!(others.key(), public.key());
    let mut padded = alice.one_time_card().to_bytes();
    padded.resize(2_045, 0);
    assert_eq!(public.read(&padded), Err(CardError::OneTimeKey));
    for (at, value) in [(2_044, 1), (1_431, 1)] {
        let mut changed = payload.clone();
        changed[at] = value;
        assert_eq!(public.read(&changed), Err(CardError::Length), "{at}");
    }
    assert_eq!(public.read(&payload[..2_044]), Err(CardError::Length));
}

#[test]
fn a_public_card_changes_its_topic_at_midnight() {
    let public = PublicCard::of(Owner::new(1).identity.public_key());
    let midnight = Timestamp::from_secs(20_254 * 86_400);
    let topics: Vec<_> = [0, 86_399, 86_400]
        .map(|seconds| public.topic(midnight.saturating_add(Duration::from_secs(seconds))))
        .into();
    assert_eq!(topics[0], topics[1]);
    assert_ne!(topics[1], topics[2]);
}
