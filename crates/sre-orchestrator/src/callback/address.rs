//! To which addresses callbacks may go.
//!
//! A submitter chooses the URL, the operator's machine makes the request: without a limit, the URL
//! could name whatever only that machine can reach (server-side request forgery). So requests go to
//! public addresses alone, unless the operator allows more. What is checked is the address that is
//! connected to: a literal in the URL, or everything its name resolves to, resolved once and pinned
//! for the connection. A name of which any address is forbidden is refused as a whole.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use url::{Host, Url};

/// Which addresses and ports requests may go to.
#[derive(Debug, Clone)]
pub struct AddressPolicy {
    any: bool,
    allowed: Vec<Network>,
    ports: Vec<u16>,
    settings: Settings,
}

/// Where its owner allows more, for the messages.
#[derive(Debug, Clone, Copy)]
struct Settings {
    ports: &'static str,
    networks: &'static str,
}

const SERVICE: Settings = Settings {
    ports: "the operator's setting callbacks.ports",
    networks: "the operator's setting callbacks.networks",
};

/// A network in CIDR notation: `10.1.0.0/16`, `fd00::/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A text that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a network is an address and a prefix length, for instance 10.1.0.0/16, found {0:?}")]
pub struct NetworkError(String);

/// Why a request must not be made. The message does not name the address a name resolves to: a
/// submitter could map the operator's network with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressPolicyError {
    /// The URL's port is not allowed.
    #[error("requests may not go to port {port}; {setting} allows others")]
    Port {
        /// Which.
        port: u16,
        /// What allows it.
        setting: &'static str,
    },
    /// The address is not public.
    #[error("requests may go to public addresses only; {setting} allows others")]
    Address {
        /// What allows it.
        setting: &'static str,
    },
    /// The URL has no host or port.
    #[error("the URL names no host")]
    NoHost,
}

impl AddressPolicy {
    /// Public addresses and `allowed` networks; only these ports.
    #[must_use]
    pub fn new(allowed: Vec<Network>, ports: Vec<u16>) -> Self {
        Self {
            any: false,
            allowed,
            ports,
            settings: SERVICE,
        }
    }

    /// Every address and port: for the operator's own URLs.
    #[must_use]
    pub fn any() -> Self {
        Self {
            any: true,
            allowed: Vec::new(),
            ports: Vec::new(),
            settings: SERVICE,
        }
    }

    /// The same, with messages that say what allows other ports and other networks.
    #[must_use]
    pub fn set_by(mut self, ports: &'static str, networks: &'static str) -> Self {
        self.settings = Settings { ports, networks };
        self
    }

    /// What can be said of a URL without resolving names.
    ///
    /// # Errors
    /// [`AddressPolicyError`].
    pub fn check_url(&self, url: &Url) -> Result<(), AddressPolicyError> {
        if self.any {
            return Ok(());
        }
        let port = url
            .port_or_known_default()
            .ok_or(AddressPolicyError::NoHost)?;
        if !self.ports.contains(&port) {
            return Err(AddressPolicyError::Port {
                port,
                setting: self.settings.ports,
            });
        }
        // The URL parser has read decimal, octal and hexadecimal spellings.
        match url.host().ok_or(AddressPolicyError::NoHost)? {
            Host::Ipv4(address) => self.check(address.into()),
            Host::Ipv6(address) => self.check(address.into()),
            Host::Domain(_) => Ok(()),
        }
    }

    /// All addresses of a name, if every one of them is allowed.
    ///
    /// # Errors
    /// [`AddressPolicyError::Address`].
    pub fn check_all(
        &self,
        addresses: Vec<SocketAddr>,
    ) -> Result<Vec<SocketAddr>, AddressPolicyError> {
        addresses
            .iter()
            .try_for_each(|address| self.check(address.ip()))?;
        Ok(addresses)
    }

    fn check(&self, address: IpAddr) -> Result<(), AddressPolicyError> {
        let address = address.to_canonical();
        let is_allowed = self.any
            || self.allowed.iter().any(|network| network.contains(address))
            || match address {
                IpAddr::V4(address) => is_public_v4(address),
                IpAddr::V6(address) => is_public_v6(address),
            };
        if is_allowed {
            Ok(())
        } else {
            Err(AddressPolicyError::Address {
                setting: self.settings.networks,
            })
        }
    }
}

/// Not in a block that IANA's special-purpose registry (RFC 6890 and what updates it) calls not
/// globally reachable.
fn is_public_v4(address: Ipv4Addr) -> bool {
    const NOT_PUBLIC: [([u8; 4], u8); 16] = [
        ([0, 0, 0, 0], 8),
        ([10, 0, 0, 0], 8),
        ([100, 64, 0, 0], 10),
        ([127, 0, 0, 0], 8),
        ([169, 254, 0, 0], 16),
        ([172, 16, 0, 0], 12),
        ([192, 0, 0, 0], 24),
        ([192, 0, 2, 0], 24),
        ([192, 31, 196, 0], 24),
        ([192, 88, 99, 0], 24),
        ([192, 168, 0, 0], 16),
        ([198, 18, 0, 0], 15),
        ([198, 51, 100, 0], 24),
        ([203, 0, 113, 0], 24),
        ([224, 0, 0, 0], 4),
        ([240, 0, 0, 0], 4),
    ];
    !NOT_PUBLIC.iter().any(|(block, prefix)| {
        Network {
            address: (*block).into(),
            prefix: *prefix,
        }
        .contains(address.into())
    })
}

/// Within 2000::/3, the only block that is handed out, and not in a part of it that is special or
/// leads to IPv4 addresses.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let is_global_unicast = segments[0] & 0xe000 == 0x2000;
    let is_special = match segments {
        // Teredo, benchmarking, ORCHID and the rest of the protocol assignments.
        [0x2001, second, ..] if second < 0x0200 => true,
        // Documentation.
        [0x2001, 0x0db8, ..] | [0x3fff, 0x0000..=0x0fff, ..] => true,
        // 6to4: the relay decides where it ends.
        [0x2002, ..] => true,
        _ => false,
    };
    is_global_unicast && !is_special
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix);
                (u32::from(network) ^ u32::from(address))
                    .checked_shr(shift)
                    .unwrap_or(0)
                    == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.prefix);
                (u128::from(network) ^ u128::from(address))
                    .checked_shr(shift)
                    .unwrap_or(0)
                    == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || NetworkError(text.chars().take(80).collect());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| refuse())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix
                .parse()
                .ok()
                .filter(|prefix| *prefix <= longest)
                .ok_or_else(refuse)?,
            None => longest,
        };
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict() -> AddressPolicy {
        AddressPolicy::new(Vec::new(), vec![80, 443])
    }

    fn check(policy: &AddressPolicy, url: &str) -> Result<(), AddressPolicyError> {
        policy.check_url(&url.parse().unwrap_or_else(|error| panic!("{url}: {error}")))
    }

    #[test]
    fn addresses_that_only_this_machine_can_reach_are_refused_in_every_spelling() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "0177.0x0.1",
            "0.0.0.0",
            "0",
            "10.0.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "0251.0376.0251.0376",
            "2852039166",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "[::]",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[2001:0:7f00:1::]",
            "[2001:db8::1]",
            "[fe80::1]",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[ff02::1]",
            "１２７.0.0.1",
        ] {
            assert_eq!(
                check(&strict(), &format!("http://{host}/")),
                Err(AddressPolicyError::Address {
                    setting: SERVICE.networks
                }),
                "{host}"
            );
        }
        for host in ["1.1.1.1", "172.32.0.1", "[2606:4700::1111]", "example.org"] {
            assert_eq!(
                check(&strict(), &format!("https://{host}/")),
                Ok(()),
                "{host}"
            );
        }
    }

    #[test]
    fn ports_are_limited_and_the_operator_can_allow_networks() {
        assert_eq!(
            check(&strict(), "http://example.org:6379/"),
            Err(AddressPolicyError::Port {
                port: 6379,
                setting: SERVICE.ports
            })
        );
        let policy =
            AddressPolicy::new(vec!["10.1.0.0/16".parse().expect("a network")], vec![8080]);
        assert_eq!(check(&policy, "http://10.1.2.3:8080/"), Ok(()));
        assert_eq!(check(&policy, "http://[::ffff:10.1.2.3]:8080/"), Ok(()));
        assert_eq!(
            check(&policy, "http://10.2.2.3:8080/"),
            Err(AddressPolicyError::Address {
                setting: SERVICE.networks
            })
        );
        assert_eq!(
            check(&AddressPolicy::any(), "http://127.0.0.1:6379/"),
            Ok(())
        );
    }

    #[test]
    fn one_forbidden_address_among_many_refuses_the_name() {
        let mixed = vec![
            "1.1.1.1:80".parse().expect("an address"),
            "127.0.0.1:80".parse().expect("an address"),
        ];
        assert_eq!(
            strict().check_all(mixed),
            Err(AddressPolicyError::Address {
                setting: SERVICE.networks
            })
        );
    }

    #[test]
    fn networks_are_read_strictly() {
        for bad in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "fd00::/129",
            "10.0.0.0/-1",
            "example.org",
        ] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
        let all: Network = "0.0.0.0/0".parse().expect("a network");
        assert!(all.contains(Ipv4Addr::new(200, 1, 2, 3).into()));
        let all: Network = "::/0".parse().expect("a network");
        assert!(all.contains(Ipv6Addr::LOCALHOST.into()));
    }
}
