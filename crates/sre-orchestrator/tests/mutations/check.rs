//! What strangers and operators write into the service's small texts: `traceparent`, order ids,
//! orders, callback URLs, networks. Whatever is read is written as it was read, and no callback URL
//! that is let through leads to this machine or its neighbours.
//!
//! Shared by the mutations of every test run and by the fuzz target `service`.

use std::net::IpAddr;

use sre_core::OrderId;
use sre_orchestrator::{AddressPolicy, Network, OrderConfig, TraceParent};
use sre_skill::LocalPaths;
use url::{Host, Url};

/// Reads `text` as each of them.
pub fn check(text: &str) {
    if let Ok(trace) = text.parse::<TraceParent>() {
        assert_eq!(
            trace.to_string().parse::<TraceParent>().as_ref(),
            Ok(&trace)
        );
        assert_ne!(trace.child(0).parent_id(), "0000000000000000");
    }
    if let Ok(id) = text.parse::<OrderId>() {
        assert_eq!(id.as_str(), text);
    }
    if let Ok(network) = text.parse::<Network>() {
        // A network of its own allows what lies in it, and nothing makes this fail.
        let policy = AddressPolicy::new(vec![network], vec![80]);
        drop(policy.check_all(vec![([127, 0, 0, 1], 80).into()]));
    }
    let policy = AddressPolicy::new(Vec::new(), vec![80, 443]);
    if let Ok(url) = text.parse::<Url>()
        && policy.check_url(&url).is_ok()
    {
        let address: Option<IpAddr> = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(
                address
                    .to_ipv4_mapped()
                    .map_or(address.into(), IpAddr::from),
            ),
            _ => None,
        };
        assert!(
            matches!(url.port_or_known_default(), Some(80 | 443)),
            "{url}"
        );
        match address {
            Some(IpAddr::V4(v4)) => {
                assert!(
                    !v4.is_loopback()
                        && !v4.is_private()
                        && !v4.is_link_local()
                        && !v4.is_unspecified(),
                    "{url}"
                );
                assert!(!v4.is_multicast() && !v4.is_broadcast(), "{url}");
            }
            Some(IpAddr::V6(v6)) => {
                assert!(
                    !v6.is_loopback() && !v6.is_unspecified() && !v6.is_multicast(),
                    "{url}"
                );
                assert!(
                    !v6.is_unicast_link_local() && !v6.is_unique_local(),
                    "{url}"
                );
            }
            None => {}
        }
    }
    if let Ok(order) = serde_json::from_str(text) {
        drop(OrderConfig::from_json(order, LocalPaths::Refused));
    }
}
