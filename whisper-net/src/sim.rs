//! Whole networks in virtual time, from one seed: no socket, no thread, no runtime.
//!
//! A [`World`] holds nodes, connects them and lets time pass. The same seed gives the same run, so
//! a failure that a test prints can be looked at again. Connections behave like TCP: packets arrive
//! whole and in order, or the connection breaks; a socket takes a little ahead of the other end's
//! reading, and no more, so that who reads slowly is felt by who writes.
//!
//! ```
//! use std::time::Duration;
//!
//! use whisper_core::envelope::Draft;
//! use whisper_core::node::{Config, Event};
//! use whisper_core::pow::Rating;
//! use whisper_core::topic::Topic;
//! use whisper_net::sim::{What, World};
//!
//! let mut world = World::new(7);
//! let nodes: Vec<_> = (0..8).map(|_| world.add(Config::default())).collect();
//! world.connect_at_random(&nodes, 3);
//! world.run(Duration::from_secs(2));
//!
//! let now = world.time_at(nodes[0]);
//! let draft = Draft::new(now, Duration::from_secs(50), Topic::new(*b"news"), vec![7; 100])?;
//! let target = Rating::new(0.3)?;
//! world.publish(nodes[0], draft.seal_rated(target)?)?;
//! world.run(Duration::from_secs(5));
//!
//! let admitted = |what: &What| matches!(what, What::Told(Event::Admitted { .. }));
//! assert_eq!(world.take_records().iter().filter(|record| admitted(&record.what)).count(), 8);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Who wants to see what a network does about somebody who breaks the rules writes an [`Actor`].
//! Some that do are in [`adversaries`], and [`trial`] measures what they achieve.

mod actor;
pub mod adversaries;
mod agenda;
pub mod liars;
mod links;
mod record;
mod seeds;
mod station;
pub mod trial;
pub mod watchers;
mod world;

pub use self::actor::Actor;
pub use self::links::Connection;
pub use self::record::Record;
pub use self::record::What;
pub use self::seeds::for_each_seed;
pub use self::station::Site;
pub use self::world::World;
