//! Some who break the rules of stems.

mod echo;
mod hole;
mod prober;

pub use self::echo::Echo;
pub use self::hole::Hole;
pub use self::prober::Prober;
