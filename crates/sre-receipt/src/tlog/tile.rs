//! Names of tiles (C2SP `tlog-tiles`): `tile/<level>/<index>[.p/<width>]` and
//! `tile/entries/<index>[.p/<width>]`, the index in groups of three digits, all but the last marked
//! with an `x`.

use std::fmt;
use std::str::FromStr;

use super::checkpoint::parse_decimal;

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// Above this level a log would have more than 2⁶³ entries.
const LEVEL_LIMIT: u8 = 63;
/// Digits of a tile's index, beyond which it has no `u64`.
const INDEX_LIMIT_GROUPS: usize = 6;

/// The name of a tile or of a bundle of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TilePath {
    /// Level of the hashes, 0 for leaves; `None` for entries.
    pub level: Option<u8>,
    /// Which tile of the level, from 0.
    pub index: u64,
    /// Hashes or entries in it, 1 to 256; 256 is a full one.
    pub width: u16,
}

/// A text that names no tile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the name of a tile: tile/<level or entries>/<index>[.p/<width>], as C2SP tlog-tiles has it"
)]
pub struct TilePathError;

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Some(level) => write!(f, "tile/{level}/")?,
            None => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups[1..].iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if self.width < TILE_WIDTH {
            write!(f, ".p/{}", self.width)
        } else {
            Ok(())
        }
    }
}

impl FromStr for TilePath {
    type Err = TilePathError;

    fn from_str(text: &str) -> Result<Self, TilePathError> {
        parse(text)
            .filter(|path| path.to_string() == text)
            .ok_or(TilePathError)
    }
}

/// Reads a name leniently; its one spelling is enforced by writing it again.
fn parse(text: &str) -> Option<TilePath> {
    let (kind, rest) = text.strip_prefix("tile/")?.split_once('/')?;
    let level = match kind {
        "entries" => None,
        number => Some(
            u8::try_from(parse_decimal(number)?)
                .ok()
                .filter(|level| *level <= LEVEL_LIMIT)?,
        ),
    };
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (
            index,
            u16::try_from(parse_decimal(width)?)
                .ok()
                .filter(|width| (1..TILE_WIDTH).contains(width))?,
        ),
        None => (rest, TILE_WIDTH),
    };
    let groups: Vec<&str> = index.split('/').collect();
    if groups.len() > INDEX_LIMIT_GROUPS {
        return None;
    }
    let mut value = 0u64;
    for group in groups {
        let digits = group.strip_prefix('x').unwrap_or(group);
        if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        value = value * 1000 + digits.parse::<u64>().ok()?;
    }
    Some(TilePath {
        level,
        index: value,
        width,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_and_nothing_else_names_tile_1234067() {
        let path = TilePath {
            level: Some(0),
            index: 1_234_067,
            width: 256,
        };
        assert_eq!(path.to_string(), "tile/0/x001/x234/067");
        assert_eq!("tile/0/x001/x234/067".parse(), Ok(path));
        for wrong in [
            "tile/0/001/x234/067",
            "tile/00/x001/x234/067",
            "tile/0/x000/x001/x234/067",
            "tile/0/x001/x234/067.p/256",
            "tile/0/x001/x234/067.p/0",
            "tile/64/000",
            "tile/0/1",
            "tile/0/../000",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert!(wrong.parse::<TilePath>().is_err(), "{wrong}");
        }
    }
}
