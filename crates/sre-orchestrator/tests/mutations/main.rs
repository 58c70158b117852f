//! A little of what a fuzzer does, in every test run and without tools: seeds of every kind,
//! changed at random places.

mod check;

const SEEDS: &[&str] = &[
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "00-00000000000000000000000000000001-0000000000000001-ff",
    "order-1:a.b_c",
    "10.1.0.0/16",
    "fd00::/8",
    "http://8.8.8.8/hook",
    "https://[2606:4700::1111]:443/",
    "http://127.0.0.1/",
    "http://2130706433/",
    "http://0177.1/",
    "http://0x7f.1/",
    "http://[::ffff:10.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://169.254.169.254/latest",
    "http://192.168.1.1:80/",
    "https://example.org:443/x?y#z",
    "{\"order_id\":\"a\",\"skill_package\":{\"digest\":\"00\"},\"timeout_seconds\":1e3,\"callback_url\":\"http://10.0.0.1/\"}",
    "{\"order_id\":\"a\",\"skill_package\":{\"path\":\"/etc\"},\"sandbox_config\":{\"mem_limit\":\"512m\",\"fuel\":-1}}",
];

/// What mutations put in.
const BYTES: &[u8] = b"0123456789abcdefxABF.:/[]@%#?-_ {}\",\x00\xc3\xa9";

/// SplitMix64 with a fixed seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as usize % limit
    }
}

#[test]
fn nothing_that_is_written_into_small_texts_breaks_or_slips_through() {
    let mut random = Random(11);
    for _ in 0..50_000 {
        let mut text = SEEDS[random.below(SEEDS.len())].as_bytes().to_vec();
        for _ in 0..random.below(5) {
            let at = random.below(text.len().max(1)).min(text.len());
            let byte = BYTES[random.below(BYTES.len())];
            match random.below(3) {
                0 => text.insert(at, byte),
                1 if at < text.len() => text[at] = byte,
                _ if at < text.len() => drop(text.remove(at)),
                _ => {}
            }
        }
        check::check(&String::from_utf8_lossy(&text));
    }
}
