//! What dialogues do between two parties: rules one by one, which session is chosen, and that none is
//! dead for ever.

mod choice;
mod model;
mod ratchet;
mod rules;
mod survival;
