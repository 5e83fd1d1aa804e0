//! Spies among the nodes, who keep the rules and note what they see.
//!
//! ```
//! use std::time::Duration;
//!
//! use whisper_core::envelope::Draft;
//! use whisper_core::node::Config;
//! use whisper_core::pow::Rating;
//! use whisper_core::topic::Topic;
//! use whisper_net::sim::World;
//! use whisper_net::sim::watchers;
//! use whisper_net::sim::watchers::Watcher;
//!
//! let mut world = World::new(7);
//! let [author, relay] = [(); 2].map(|()| world.add(Config::default()));
//! let spy = world.add_around(Config::default(), Watcher::new);
//! world.connect(author, relay);
//! world.connect(relay, spy);
//! world.run(Duration::from_secs(2));
//!
//! let now = world.time_at(author);
//! let draft = Draft::new(now, Duration::from_secs(50), Topic::new(*b"news"), vec![7; 100])?;
//! let hash = world.publish(author, draft.seal_rated(Rating::new(0.3)?)?)?;
//! world.run(Duration::from_secs(5));
//!
//! let seen = watchers::take_sightings::<Watcher>(&mut world, &[spy]);
//! assert_eq!(seen.iter().map(|seen| (seen.hash, seen.peer)).collect::<Vec<_>>(), [(hash, relay)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod notes;
mod watcher;

pub use self::notes::Notes;
pub use self::notes::Sighting;
pub use self::notes::Spy;
pub use self::notes::take_sightings;
pub use self::watcher::Watcher;
