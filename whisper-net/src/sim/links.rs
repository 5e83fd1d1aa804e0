//! Who is to be connected with whom, and whether they are.

use std::time::Duration;

use whisper_core::node::Direction;
use whisper_core::node::Input;
use whisper_core::peer::Network;
use whisper_core::peer::PeerId;

use super::agenda::Happening;
use super::station::Line;
use super::station::Site;
use super::world::World;

/// Two sites that are connected, or are to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Connection {
    /// Who dials.
    pub from: Site,
    /// Who is dialled.
    pub to: Site,
    /// What every packet takes at least, either way, where [`World::set_latencies`] has drawn it.
    pub latency: Option<Duration>,
}

/// Two sites that are to be connected.
pub(super) struct Link {
    from: Site,
    to: Site,
    wanted: bool,
    /// What every packet takes at least, if [`World::set_latencies`] was asked for.
    latency: Option<Duration>,
    /// What each side calls the other, while the connection stands.
    ends: Option<(PeerId, PeerId)>,
}

impl World {
    /// Connects two sites: `from` dials. When the connection breaks it dials again; not after one
    /// side has cut the other.
    pub fn connect(&mut self, from: Site, to: Site) {
        let latency = self.draw_latency();
        self.links.push(Link { from, to, wanted: true, latency, ends: None });
        self.open(self.links.len() - 1);
    }

    /// Gives each of `sites` about `degree` connections, so that each can be reached from each.
    pub fn connect_at_random(&mut self, sites: &[Site], degree: usize) {
        for (number, site) in sites.iter().enumerate().skip(1) {
            let earlier = self.below(number);
            self.connect(*site, sites[earlier]);
        }
        let more = (sites.len() * degree / 2).saturating_sub(sites.len().saturating_sub(1));
        // Where there are few sites, some draws give two that are connected, or one twice.
        let (mut made, mut tries) = (0, 0);
        while made < more && tries < 20 * more {
            let (one, other) = (sites[self.below(sites.len())], sites[self.below(sites.len())]);
            tries += 1;
            if one != other && !self.are_linked(one, other) {
                self.connect(one, other);
                made += 1;
            }
        }
    }

    /// Ends the connections between two sites for good; what is under way is lost.
    pub fn disconnect(&mut self, one: Site, other: Site) {
        for link in 0..self.links.len() {
            if self.links[link].joins(one, other) {
                self.links[link].wanted = false;
                self.take_down(link);
            }
        }
    }

    /// Parts the network: only sites of the same group stay connected. Those in no group are left
    /// among themselves.
    pub fn split(&mut self, groups: &[&[Site]]) {
        self.stations.iter_mut().for_each(|station| station.island = 0);
        for (number, group) in groups.iter().enumerate() {
            group.iter().for_each(|site| self.stations[site.0].island = number + 1);
        }
        for link in 0..self.links.len() {
            if !self.may_be_up(link) {
                self.take_down(link);
            }
        }
    }

    /// Ends what [`World::split`] began: connections are dialled again.
    pub fn heal(&mut self) {
        self.split(&[]);
    }

    /// The site at the other end of a connection, whether it still stands or not.
    ///
    /// # Panics
    /// When there never was such a connection.
    pub fn far_end(&self, peer: PeerId) -> Site {
        self.far_ends[usize::try_from(peer.as_u64()).expect("a number that the world gave")]
    }

    /// The connections that stand or are dialled again, with what a spy may know of them.
    pub fn connections(&self) -> impl Iterator<Item = Connection> {
        let wanted = self.links.iter().filter(|link| link.wanted);
        wanted.map(|link| Connection { from: link.from, to: link.to, latency: link.latency })
    }

    pub(super) fn latency_of(&self, link: usize) -> Option<Duration> {
        self.links[link].latency
    }

    pub(super) fn open(&mut self, link: usize) {
        let Link { from, to, wanted, ref ends, .. } = self.links[link];
        if !wanted || ends.is_some() {
            return;
        }
        if !self.may_be_up(link) {
            return self.redial(link);
        }
        let (there, here) = (self.number(to), self.number(from));
        self.links[link].ends = Some((there, here));
        for (at, peer, to, known_there_as) in [(from, there, to, here), (to, here, from, there)] {
            let line = Line::new(link, to, known_there_as, self.now);
            self.stations[at.0].lines.insert(peer, line);
        }
        self.step(
            from,
            Input::Connected { peer: there, direction: Direction::Outbound, network: network(to) },
        );
        self.step(
            to,
            Input::Connected { peer: here, direction: Direction::Inbound, network: network(from) },
        );
    }

    /// Ends a connection at once at both ends; it is dialled again if it is still wanted.
    pub(super) fn take_down(&mut self, link: usize) {
        let Some((there, here)) = self.links[link].ends.take() else { return };
        let Link { from, to, .. } = self.links[link];
        for (at, peer) in [(from, there), (to, here)] {
            self.hang_up(at, peer);
        }
        self.redial(link);
    }

    /// One side has cut the other, which learns it when what was sent before has come.
    pub(super) fn cut_down(&mut self, line: &Line) {
        self.links[line.link].wanted = false;
        self.links[line.link].ends = None;
        let then = line.arrives.max(self.now);
        self.agenda.add(then, Happening::HangsUp(line.to, line.known_there_as));
    }

    pub(super) fn hang_up(&mut self, at: Site, peer: PeerId) {
        if self.stations[at.0].lines.remove(&peer).is_some() {
            self.step(at, Input::Disconnected(peer));
        }
    }

    pub(super) fn links_of(&self, site: Site) -> Vec<usize> {
        let is_its = |link: &Link| link.from == site || link.to == site;
        (0..self.links.len()).filter(|link| is_its(&self.links[*link])).collect()
    }

    fn redial(&mut self, link: usize) {
        if self.links[link].wanted {
            let then = self.now.saturating_add(self.faults.redial);
            self.agenda.add(then, Happening::Redial(link));
        }
    }

    fn may_be_up(&self, link: usize) -> bool {
        let Link { from, to, .. } = self.links[link];
        let (from, to) = (&self.stations[from.0], &self.stations[to.0]);
        from.actor.is_some() && to.actor.is_some() && from.island == to.island
    }

    fn are_linked(&self, one: Site, other: Site) -> bool {
        self.links.iter().any(|link| link.wanted && link.joins(one, other))
    }

    /// A number for a connection with that site.
    fn number(&mut self, far_end: Site) -> PeerId {
        self.far_ends.push(far_end);
        PeerId::new(self.far_ends.len() as u64 - 1)
    }
}

/// Where a site is reached: each is in a network of its own, whose shares and budgets outlast its
/// connections.
const fn network(site: Site) -> Network {
    Network::Shared(site.0 as u64)
}

impl Link {
    fn joins(&self, one: Site, other: Site) -> bool {
        (self.from, self.to) == (one, other) || (self.from, self.to) == (other, one)
    }
}
