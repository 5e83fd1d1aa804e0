//! The first packet on a connection: a Hello, or a Disconnect in its place.

use whisper_net::rlpx::capability::Capability;
use whisper_net::rlpx::capability::FIRST_ID;
use whisper_net::rlpx::capability::Offer;
use whisper_net::rlpx::capability::negotiate;
use whisper_net::rlpx::disconnect;
use whisper_net::rlpx::disconnect::Reason;
use whisper_net::rlpx::hello;
use whisper_net::rlpx::hello::Hello;
use whisper_net::rlpx::hello::HelloError;

pub(crate) fn run(data: &[u8]) {
    let reason = Reason::decode(data);
    assert_eq!(Hello::read_first(disconnect::CODE, data), Err(HelloError::Refused(reason)));
    assert!(reason.code() <= 0x10);
    assert_eq!(Hello::read_first(16, data), Err(HelloError::OutOfTurn));
    let read = Hello::read_first(hello::CODE, data);
    assert_eq!(read, Hello::decode(data));
    if let Ok(hello) = read {
        within_bounds(&hello, data);
        negotiates(&hello.capabilities);
        survives_the_wire(hello);
    }
}

fn within_bounds(hello: &Hello, data: &[u8]) {
    assert!(data.len() <= 2_048 && hello.capabilities.len() <= 64);
    assert!(hello.public_key != [0; 64]);
    let name = hello.client_name();
    assert!(name.len() <= 4 * 128 && name.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
}

fn negotiates(remote: &[Capability]) {
    let offers = [6, 7, u64::MAX].map(|version| Offer::new(Capability::new(*b"shh", version), 128));
    let ledger = Offer::new(Capability::new(*b"wledger", 1), u64::MAX);
    let offers = [&offers[..], &[ledger]].concat();
    let shared = negotiate(&offers, remote);
    assert!(shared.len() <= 2);
    let mut next = FIRST_ID;
    for shared in shared {
        assert!(remote.contains(&shared.capability));
        assert_eq!(shared.offset, next);
        next = next.saturating_add(shared.length);
        assert_eq!(shared.code_of(shared.offset), Some(0));
        assert_eq!(shared.code_of(FIRST_ID - 1), None);
    }
}

fn survives_the_wire(hello: Hello) {
    let again = Hello::decode(&hello.encode()).expect("what was read can be written");
    let mut sorted = hello;
    sorted.capabilities.sort();
    assert_eq!(again, sorted);
}
