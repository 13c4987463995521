//! Words of the network: what texts mean, and that sets are sets.

mod sets;

use super::*;

#[test]
fn every_line_of_every_macro_has_values() {
    for known in MACROS {
        assert!(!known.lines.is_empty(), "{}", known.name);
        for line in known.lines {
            let service = line.service().unwrap_or_else(|| panic!("{}: {line:?}", known.name));
            assert_eq!(service.icmp.is_some(), !line.icmp_type.is_empty());
            let has_ports = service.source_ports.is_some() || service.dest_ports.is_some();
            assert!(!has_ports || service.protocol.has_ports(), "{}", known.name);
        }
    }
    assert_eq!(MACROS.len(), 88);
    assert!(find_macro("HTTP/3").is_some() && find_macro("http").is_none());
}

#[test]
fn ipv6_is_spelled_as_it_is_shown() {
    let values = [0_u16, 1, 0xab, 0xfff, 0xffff, 0x2001];
    let mut seed = 1_usize;
    for round in 0..20_000 {
        let segments = std::array::from_fn(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let number = seed >> 33;
            // Many zeros, so that runs of all lengths come up.
            if number % 5 < round % 5 { 0 } else { values[number % values.len()] }
        });
        let address = std::net::Ipv6Addr::from(segments);
        assert_eq!(spell_v6(address), address.to_string());
        assert_eq!(spelled_v6(&spell_v6(address)), Some(address).filter(|it| it.to_ipv4_mapped().is_none()));
    }
    for text in ["::", "::1", "1::", "::ffff:10.0.0.1", "::10.0.0.1", "1:0:0:2::3", "::2:0:0:3:0:0"] {
        let address: std::net::Ipv6Addr = text.parse().unwrap();
        assert_eq!(spell_v6(address), address.to_string());
    }
}

#[test]
fn addresses_are_read_as_the_standard_library_reads_them() {
    let texts =
        ["10.0.0.1", "255.255.255.255", "0.0.0.0", "2001:db8::1", "::", "1::", "fe80::1:0:0:2", "1:2:3:4:5:6:7:8"];
    let characters = b"0:.1f9F/ ";
    let mut seed = 1_usize;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    let (mut read, mut spelled) = (0, 0);
    for _ in 0..200_000 {
        let mut text = texts[next(texts.len())].to_owned();
        for _ in 0..next(4) {
            let at = next(text.len() + 1);
            match next(3) {
                0 if at < text.len() => drop(text.remove(at)),
                _ => text.insert(at, char::from(characters[next(characters.len())])),
            }
        }
        let v4 = text.parse::<std::net::Ipv4Addr>().ok();
        assert_eq!(read_v4(&text), v4, "{text}");
        let v6 = text.parse::<std::net::Ipv6Addr>().ok();
        let v6 = v6.filter(|address| address.to_string() == text && address.to_ipv4_mapped().is_none());
        assert_eq!(spelled_v6(&text), v6, "{text}");
        read += usize::from(v4.is_some());
        spelled += usize::from(v6.is_some());
    }
    assert!(read > 10_000 && spelled > 10_000, "{read}, {spelled}");
    for text in ["", "::ffff:1.2.3.4", "::1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::8", "1:2:3:4:5:6:7:8:9", "0:0:1:2:3:4:5:6"]
    {
        assert_eq!((read_v4(text), spelled_v6(text)), (None, None), "{text}");
    }
}

#[test]
fn decimals_have_no_zero_in_front() {
    assert!(["0", "7", "10"].into_iter().all(is_decimal));
    assert!(!["", "00", "01", "1a", "+1", "-"].into_iter().any(is_decimal));
}

#[test]
fn macros_stand_in_alphabetical_order_but_for_case() {
    let names: Vec<String> = MACROS.iter().map(|known| known.name.to_lowercase()).collect();
    let mut sorted = names.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(names, sorted);
}

#[test]
fn protocols_have_names_and_numbers() {
    assert_eq!(Protocol::parse("TCP"), Ok(Protocol::TCP));
    assert_eq!(Protocol::parse("ipv6-icmp"), Ok(Protocol::ICMPV6));
    assert_eq!(Protocol::parse("255"), Ok(Protocol(255)));
    for bad in ["256", "-1", "tcpp", "", "all"] {
        assert!(Protocol::parse(bad).is_err(), "{bad}");
    }
    assert_eq!(Protocol::ICMPV6.to_string(), "icmpv6");
    assert_eq!(Protocol(253).to_string(), "253");
    assert!(Protocol::ICMP.speaks_of(Family::V4) && !Protocol::ICMP.speaks_of(Family::V6));
}

#[test]
fn ports_are_numbers_names_and_ranges() {
    let ranges = |text: &str| parse_ports(text).map(|ports| ports.as_slice().to_vec());
    assert_eq!(ranges("22"), Ok(vec![(22, 22)]));
    assert_eq!(ranges("0"), Ok(vec![(0, 0)]));
    assert_eq!(ranges("https"), Ok(vec![(443, 443)]));
    assert_eq!(ranges("8000-8099"), Ok(vec![(8000, 8099)]));
    // A name with a dash in it is a name.
    assert_eq!(ranges("netbios-ns"), Ok(vec![(137, 137)]));
    for bad in ["65536", "9-8", "80:85", "", "-", "1-", "-1", "1-2-3", "nosuch", "+5", " 22", "99999999999999999999"] {
        assert!(ranges(bad).is_err(), "{bad}");
    }
}

#[test]
fn icmp_types_belong_to_a_family() {
    let echo = |family, kind| IcmpType { family, kind, code: None };
    assert_eq!(IcmpType::parse(Family::V4, "echo-request"), Ok(echo(Family::V4, 8)));
    assert_eq!(IcmpType::parse(Family::V6, "echo-request"), Ok(echo(Family::V6, 128)));
    assert_eq!(IcmpType::parse(Family::V4, "3/4").map(IcmpType::name), Ok(Some("fragmentation-needed")));
    assert!(IcmpType::parse(Family::V4, "packet-too-big").is_err());
    assert!(IcmpType::parse(Family::V6, "256").is_err());
}

#[test]
fn addresses_networks_and_ranges() {
    assert_eq!(parse_prefix("10.0.0.7").map(|net| net.prefix_len()), Ok(32));
    assert_eq!(parse_prefix("2001:db8::/32").map(|net| net.prefix_len()), Ok(32));
    for bad in ["10.0.0.0/33", "10.0.0", "host", "", "10.0.0.1/", "::1/129", "010.0.0.1"] {
        assert!(parse_prefix(bad).is_err(), "{bad}");
    }
    let set = parse_address_range("10.0.0.250-10.0.1.3").unwrap();
    assert!(set.contains("10.0.1.0".parse().unwrap()) && !set.contains("10.0.1.4".parse().unwrap()));
    for bad in ["10.0.0.2-10.0.0.1", "10.0.0.1-::1", "10.0.0.1-", "10.0.0.0/24-10.0.1.0"] {
        assert!(parse_address_range(bad).is_err(), "{bad}");
    }
}

#[test]
fn macs_are_six_octets() {
    let mac = Mac::parse("BC:24:11:00:00:64").unwrap();
    assert_eq!(mac.to_string(), "bc:24:11:00:00:64");
    assert_eq!(Mac::parse("bc-24-11-00-00-64"), Ok(mac));
    // RFC 4291, appendix A: the universal bit is flipped.
    assert_eq!(Mac::parse("34:56:78:9A:BC:DE").unwrap().link_local().to_string(), "fe80::3656:78ff:fe9a:bcde");
    for bad in ["BC:24:11:00:00", "BC:24:11:00:00:64:65", "BC:24:11:00:00:6g", "BC24.1100.0064", "", "b:24:11:00:00:64"]
    {
        assert!(Mac::parse(bad).is_err(), "{bad}");
    }
    assert!(Mac::parse("01:00:5e:00:00:01").unwrap().is_multicast());
}

#[test]
fn flags_and_ethertypes() {
    assert_eq!(TcpFlags::bit("SYN"), Some(2));
    assert_eq!(TcpFlags::names(18).collect::<Vec<_>>(), ["syn", "ack"]);
    assert_eq!(parse_ethertype("arp"), Ok(0x0806));
    assert_eq!(parse_ethertype("0x88cc"), Ok(0x88cc));
    // Smaller numbers are lengths (IEEE 802.3).
    assert!(parse_ethertype("0x05ff").is_err() && parse_ethertype("88cc").is_err());
}
