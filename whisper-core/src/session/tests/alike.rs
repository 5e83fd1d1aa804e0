//! What stands in clear on an envelope tells no two accounts apart.

use alloc::collections::BTreeSet;

use chacha20::rand_core::Rng;

use super::*;
use crate::envelope::Draft;
use crate::pow::Work;

/// How likely it is that the first of two numbers is the smaller one, if each list gives one of them.
fn auc(first: &[u64], second: &[u64]) -> f64 {
    let mut second = second.to_vec();
    second.sort_unstable();
    let wins = first.iter().map(|value| {
        let below = second.partition_point(|other| other < value);
        let up_to = second.partition_point(|other| other <= value);
        (second.len() - up_to) as f64 + (up_to - below) as f64 / 2.0
    });
    wins.sum::<f64>() / (first.len() * second.len()) as f64
}

#[test]
fn k5b_what_stands_in_clear_links_no_two_envelopes_of_an_account() {
    const COUNT: usize = 4_000;
    let [mut alice, mut bob] = talking();
    let (one, other) = (alice.key(), bob.key());
    // Each as all peers see it: date, nonce, length, life.
    let clear = |envelope: &Envelope, party: &mut Party| {
        let draft = Draft::new(NOW, Duration::from_secs(600), envelope.topic(), vec![0; 64]);
        let draft = draft.unwrap();
        let begin = party.rng.next_u64();
        let nonce = draft.search().find(begin..u64::MAX, Work::new(6)).unwrap();
        let issued = envelope.issued().unwrap() % 60;
        [issued, nonce, envelope.data().len() as u64, envelope.ttl()]
    };
    let mut seen = [Vec::new(), Vec::new()];
    for _ in 0..COUNT {
        let envelope = alice.say(NOW, other, "hello");
        seen[0].push(clear(&envelope, &mut alice));
        let envelope = bob.say(NOW, one, "good morning");
        seen[1].push(clear(&envelope, &mut bob));
    }
    for field in 0..4 {
        let apart = |left: &[[u64; 4]], right: &[[u64; 4]]| -> Vec<u64> {
            let pairs = (0..60_000).map(|at| (at % COUNT, (at * 7 + 3 + at / COUNT) % COUNT));
            let pairs = pairs.filter(|(left, right)| left != right);
            pairs.map(|(l, r)| left[l][field].abs_diff(right[r][field])).collect()
        };
        let linked = [apart(&seen[0], &seen[0]), apart(&seen[1], &seen[1])].concat();
        let unlinked = [apart(&seen[0], &seen[1]), apart(&seen[1], &seen[0])].concat();
        let auc = auc(&linked, &unlinked);
        assert!((auc - 0.5).abs() < 0.01, "field {field}: {auc}");
    }
    let dates: BTreeSet<u64> = seen[0].iter().map(|clear| clear[0]).collect();
    assert_eq!(dates.len(), 60);
}
