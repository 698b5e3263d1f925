//! Decompresses a body piece by piece into a bounded buffer: a bomb is cut off where it passes its bounds, and never
//! takes more memory than they allow.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, Operation as _};

use super::budget::{Piece, Stock};
use super::error::Problem;
use super::problem;
use super::services::BodyLimits;

/// A small body may expand by any ratio up to this size.
const FREE_BYTES: usize = 256 << 10;
/// The largest window that a zstd body may ask for: 8 MiB, which RFC 9659 sets for HTTP.
const MAX_WINDOW_LOG: u32 = 23;
const ZSTD_STEP_BYTES: usize = 32 << 10;
/// How much of a piece is looked at in one step.
const STEP_BYTES: usize = 16 << 10;
/// The beginning of a body, which grows as it is needed: most bodies end in it. What follows is kept in pieces that are
/// lent.
const BEGINNING_BYTES: usize = 16 << 10;

/// How a body is encoded on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// The encodings that are accepted, as `Accept-Encoding` lists them.
    pub(crate) const ACCEPTED: &'static str = "gzip, zstd, identity";

    /// Returns how much memory a body of so many bytes takes while it is decoded: zstd keeps a window of them besides.
    pub(crate) fn memory_of(self, n_bytes: usize) -> usize {
        if self == Self::Zstd { n_bytes + n_bytes.min(1 << MAX_WINDOW_LOG) } else { n_bytes }
    }

    /// Returns how many bytes a body may have that takes so much memory.
    pub(crate) fn bytes_within(self, memory: usize) -> usize {
        if self == Self::Zstd { (memory / 2).max(memory.saturating_sub(1 << MAX_WINDOW_LOG)) } else { memory }
    }

    /// Finds the encoding of a `Content-Encoding` value; a list of several is none that we accept.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        match value.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// A body that is being collected.
pub(crate) struct Collected<'a> {
    limits: &'a BodyLimits,
    n_wire_bytes: usize,
    decoder: Decoder,
}

enum Decoder {
    Identity(Bounded),
    Gzip(Box<MultiGzDecoder<Bounded>>),
    Zstd(Box<Frames>),
}

/// How far a step came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many bytes of the piece are taken; there may be more to come out of them.
    Took(usize),
    /// The body needs to hold at least so many bytes to go on.
    NeedsRoom(usize),
    /// The piece is taken, and all that came out of it.
    Done,
}

/// Frames of zstd that follow each other.
struct Frames {
    decoder: ZstdDecoder<'static>,
    output: Bounded,
    step: Vec<u8>,
    n_unwritten: usize,
    may_have_more: bool,
    is_between: bool,
}

/// A buffer that refuses to grow beyond its bound, and waits for room beyond what it was granted.
///
/// It is made of equal pieces. One that doubles leaves holes of every size behind, and many at once left an allocator
/// holding several times what was in use.
#[derive(Default)]
struct Bounded {
    stock: Stock,
    beginning: Vec<u8>,
    rest: Vec<Piece>,
    n_bytes: usize,
    max_bytes: usize,
    granted_bytes: usize,
    wanted_bytes: usize,
    is_over: bool,
}

impl Bounded {
    fn of(stock: &Stock) -> Self {
        Self { stock: stock.clone(), ..Self::default() }
    }

    fn append(&mut self, mut bytes: &[u8]) {
        self.n_bytes += bytes.len();
        let n_first = bytes.len().min(BEGINNING_BYTES - self.beginning.len());
        self.beginning.extend_from_slice(&bytes[..n_first]);
        bytes = &bytes[n_first..];
        while !bytes.is_empty() {
            let n_filled = self.rest.last_mut().map_or(0, |last| last.fill(bytes));
            bytes = &bytes[n_filled..];
            if !bytes.is_empty() {
                self.rest.push(self.stock.lend());
            }
        }
    }

    /// Puts the pieces together, giving each back as soon as it is copied.
    fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.beginning;
        bytes.reserve_exact(self.n_bytes - bytes.len());
        for piece in self.rest {
            bytes.extend_from_slice(piece.bytes());
        }
        bytes
    }
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let n_bytes = self.n_bytes + piece.len();
        if n_bytes > self.max_bytes {
            self.is_over = true;
            return Err(io::Error::other("the body is over its bound"));
        }
        if n_bytes > self.granted_bytes {
            self.wanted_bytes = n_bytes;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.append(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> Collected<'a> {
    /// Begins with nothing, and takes its memory from a stock.
    pub(crate) fn new(encoding: Encoding, limits: &'a BodyLimits, stock: &Stock) -> Result<Self, Problem> {
        let output = Bounded::of(stock);
        let decoder = match encoding {
            Encoding::Identity => Decoder::Identity(output),
            Encoding::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(output))),
            Encoding::Zstd => {
                let broken = |_| Problem::new(problem::INTERNAL_ERROR);
                let mut decoder = ZstdDecoder::new().map_err(broken)?;
                decoder.set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG)).map_err(broken)?;
                Decoder::Zstd(Box::new(Frames {
                    decoder,
                    output,
                    step: vec![0; ZSTD_STEP_BYTES],
                    n_unwritten: 0,
                    may_have_more: false,
                    is_between: false,
                }))
            }
        };
        Ok(Self { limits, n_wire_bytes: 0, decoder })
    }

    /// Returns how many bytes the body may have in the end.
    pub(crate) fn max_bytes(&self) -> usize {
        match self.decoder {
            Decoder::Identity(_) => self.limits.wire_bytes,
            _ => self.limits.decoded_bytes,
        }
    }

    /// Returns how many bytes came over the wire so far.
    pub(crate) fn n_wire_bytes(&self) -> usize {
        self.n_wire_bytes
    }

    /// Lets the body hold so many bytes.
    pub(crate) fn grant(&mut self, n_bytes: usize) {
        self.output().granted_bytes = n_bytes;
    }

    /// Takes what it can of a piece in one short step. A bomb is measured by what was taken of it so far and not by
    /// what has come, so that it is cut off as soon as it expands too much.
    pub(crate) fn advance(&mut self, piece: &[u8]) -> Result<Step, Problem> {
        if self.n_wire_bytes + piece.len() > self.limits.wire_bytes {
            return Err(too_large(self.limits));
        }
        let max_bytes = match self.decoder {
            Decoder::Identity(_) => self.limits.wire_bytes,
            _ => self.max_decoded_bytes(),
        };
        self.output().max_bytes = max_bytes;
        let piece = &piece[..piece.len().min(STEP_BYTES)];
        let outcome = match &mut self.decoder {
            Decoder::Zstd(frames) => frames.advance(piece),
            _ if piece.is_empty() => return Ok(Step::Done),
            Decoder::Identity(output) => output.write(piece).map(Step::Took),
            Decoder::Gzip(decoder) => decoder.write(piece).map(Step::Took),
        };
        match outcome {
            // A decoder that takes nothing of something and has nothing to say never will.
            Ok(Step::Took(0)) if !piece.is_empty() && !self.has_output() => {
                Err(Problem::new(problem::ENCODING_MALFORMED))
            }
            Ok(Step::Took(n_bytes)) => {
                self.n_wire_bytes += n_bytes;
                Ok(Step::Took(n_bytes))
            }
            Ok(step) => Ok(step),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Step::NeedsRoom(self.output().wanted_bytes)),
            Err(_) => Err(self.refusal()),
        }
    }

    /// Ends the body; what is left to come out of it may need room.
    pub(crate) fn finish(&mut self) -> Result<Step, Problem> {
        let outcome = match &mut self.decoder {
            Decoder::Identity(_) => Ok(()),
            Decoder::Gzip(decoder) => decoder.try_finish(),
            Decoder::Zstd(frames) if frames.is_between => Ok(()),
            Decoder::Zstd(_) => return Err(Problem::new(problem::ENCODING_MALFORMED)),
        };
        match outcome {
            Ok(()) => Ok(Step::Done),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Step::NeedsRoom(self.output().wanted_bytes)),
            Err(_) => Err(self.refusal()),
        }
    }

    /// Returns the bytes of a body that has ended.
    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        std::mem::take(self.output()).into_bytes()
    }

    fn output(&mut self) -> &mut Bounded {
        match &mut self.decoder {
            Decoder::Identity(output) => output,
            Decoder::Gzip(decoder) => decoder.get_mut(),
            Decoder::Zstd(frames) => &mut frames.output,
        }
    }

    fn has_output(&self) -> bool {
        matches!(&self.decoder, Decoder::Zstd(frames) if frames.n_unwritten > 0)
    }

    fn max_decoded_bytes(&self) -> usize {
        self.limits.decoded_bytes.min(FREE_BYTES.max(self.n_wire_bytes.saturating_mul(self.limits.max_ratio)))
    }

    fn refusal(&mut self) -> Problem {
        let max_bytes = self.max_decoded_bytes();
        if self.output().is_over { over(self.limits, max_bytes) } else { Problem::new(problem::ENCODING_MALFORMED) }
    }
}

/// Makes the problem of a body that is too large on the wire.
pub(crate) fn too_large(limits: &BodyLimits) -> Problem {
    Problem::new(problem::BODY_TOO_LARGE)
        .detail(format!("a body may have {} bytes; send fewer or smaller items in one request", limits.wire_bytes))
}

fn over(limits: &BodyLimits, max_bytes: usize) -> Problem {
    if max_bytes == limits.decoded_bytes {
        let detail = format!("a body may decompress to {max_bytes} bytes; send fewer or smaller items in one request");
        return Problem::new(problem::DECODED_BODY_TOO_LARGE).detail(detail);
    }
    let ratio = limits.max_ratio;
    let detail = format!("a body may expand {ratio} times; send it without compression, or fewer items in one request");
    Problem::new(problem::COMPRESSION_RATIO_TOO_HIGH).detail(detail)
}

impl Frames {
    fn advance(&mut self, piece: &[u8]) -> io::Result<Step> {
        if self.n_unwritten > 0 {
            self.output.write_all(&self.step[..self.n_unwritten])?;
            self.n_unwritten = 0;
        }
        if piece.is_empty() && !self.may_have_more {
            return Ok(Step::Done);
        }
        let status = self.decoder.run_on_buffers(piece, &mut self.step)?;
        if status.bytes_read > 0 || status.bytes_written > 0 {
            self.is_between = status.remaining == 0;
        }
        // A full step may have more behind it even when all input is taken.
        self.may_have_more = status.bytes_written == self.step.len();
        self.n_unwritten = status.bytes_written;
        Ok(Step::Took(status.bytes_read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> BodyLimits {
        BodyLimits { wire_bytes: 1 << 20, decoded_bytes: 3 << 20, max_ratio: 100, ..BodyLimits::default() }
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(bytes, 3).unwrap()
    }

    /// Text that compresses about five times.
    fn ordinary_text(n_bytes: usize) -> Vec<u8> {
        let mut state = 1_u32;
        (0..n_bytes)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                b"ab"[(state >> 31) as usize]
            })
            .collect()
    }

    fn decode(encoding: Encoding, wire: &[u8], step: usize) -> Result<Vec<u8>, &'static str> {
        let limits = limits();
        let code = |problem: Problem| problem.kind().code;
        let mut collected = Collected::new(encoding, &limits, &Stock::default()).map_err(code)?;
        for piece in wire.chunks(step) {
            take(&mut collected, piece).map_err(code)?;
        }
        while let Step::NeedsRoom(n_bytes) = collected.finish().map_err(code)? {
            collected.grant(n_bytes);
        }
        Ok(collected.into_bytes())
    }

    /// Gives a piece all the room that it asks for.
    fn take(collected: &mut Collected, mut piece: &[u8]) -> Result<(), Problem> {
        loop {
            match collected.advance(piece)? {
                Step::Took(n_bytes) => piece = &piece[n_bytes..],
                Step::NeedsRoom(n_bytes) => collected.grant(n_bytes),
                Step::Done => return Ok(()),
            }
        }
    }

    #[test]
    fn a_body_decodes_to_the_same_bytes_however_it_is_cut_into_pieces() {
        let text = ordinary_text(200_000);
        for step in [1, 7, 4096, usize::MAX] {
            let step = step.min(text.len());
            assert_eq!(decode(Encoding::Identity, &text, step).as_ref(), Ok(&text));
            assert_eq!(decode(Encoding::Gzip, &gzip(&text), step).as_ref(), Ok(&text), "gzip {step}");
            assert_eq!(decode(Encoding::Zstd, &zstd(&text), step).as_ref(), Ok(&text), "zstd {step}");
        }
    }

    #[test]
    fn members_and_frames_that_follow_each_other_are_one_body() {
        let members = [gzip(b"[1,"), gzip(b"2]")].concat();
        let frames = [zstd(b"[1,"), zstd(b"2]")].concat();

        assert_eq!(decode(Encoding::Gzip, &members, 5).as_deref(), Ok(&b"[1,2]"[..]));
        assert_eq!(decode(Encoding::Zstd, &frames, 5).as_deref(), Ok(&b"[1,2]"[..]));
    }

    #[test]
    fn a_body_may_reach_its_bounds_and_not_pass_them() {
        let at_the_bound = ordinary_text(3 << 20);
        let over_it = ordinary_text((3 << 20) + 1);
        for (encoding, encode) in [(Encoding::Gzip, gzip as fn(&[u8]) -> Vec<u8>), (Encoding::Zstd, zstd)] {
            assert_eq!(decode(encoding, &encode(&at_the_bound), 9000).map(|body| body.len()), Ok(3 << 20));
            assert_eq!(decode(encoding, &encode(&over_it), 9000), Err("decoded_body_too_large"));
            assert_eq!(decode(encoding, &encode(&vec![b'a'; 1 << 18]), 9000).map(|body| body.len()), Ok(1 << 18));
            assert_eq!(decode(encoding, &encode(&vec![b'a'; 1 << 19]), 9000), Err("compression_ratio_too_high"));
        }
        assert!(decode(Encoding::Identity, &vec![b'a'; 1 << 20], 9000).is_ok());
        assert_eq!(decode(Encoding::Identity, &vec![b'a'; (1 << 20) + 1], 9000), Err("body_too_large"));
    }

    #[test]
    fn a_bomb_is_cut_off_long_before_it_is_unpacked() {
        let limits = BodyLimits::default();
        let bomb = gzip(&vec![b'a'; 64 << 20]);
        for piece_bytes in [1000, usize::MAX] {
            let mut collected = Collected::new(Encoding::Gzip, &limits, &Stock::default()).unwrap();

            let refused = bomb.chunks(piece_bytes.min(bomb.len())).find_map(|piece| take(&mut collected, piece).err());

            assert_eq!(refused.unwrap().kind().code, "compression_ratio_too_high");
            assert!(collected.n_wire_bytes() < 20_000 && collected.output().n_bytes <= 2 << 20);
        }
    }

    #[test]
    fn a_body_never_holds_more_than_it_was_granted() {
        let limits = BodyLimits::default();
        for (encoding, wire) in [
            (Encoding::Identity, ordinary_text(300_000)),
            (Encoding::Gzip, gzip(&ordinary_text(300_000))),
            (Encoding::Zstd, zstd(&ordinary_text(300_000))),
        ] {
            let mut collected = Collected::new(encoding, &limits, &Stock::default()).unwrap();
            collected.grant(100_000);
            let mut rest = &wire[..];
            let wanted = loop {
                match collected.advance(rest).unwrap() {
                    Step::Took(n_bytes) => rest = &rest[n_bytes..],
                    Step::NeedsRoom(n_bytes) => break n_bytes,
                    Step::Done => panic!("{encoding:?} took more than it may"),
                }
            };

            assert!(wanted > 100_000 && collected.output().n_bytes <= 100_000, "{encoding:?}");
            assert_eq!(collected.advance(rest).unwrap(), Step::NeedsRoom(wanted), "{encoding:?} asks again");
            take(&mut collected, rest).unwrap();
            while let Step::NeedsRoom(n_bytes) = collected.finish().unwrap() {
                collected.grant(n_bytes);
            }
            assert_eq!(collected.into_bytes(), ordinary_text(300_000), "{encoding:?}");
        }
    }

    #[test]
    fn a_body_that_is_cut_or_is_not_what_it_says_is_malformed() {
        for (encoding, wire) in [(Encoding::Gzip, gzip(b"{\"a\":1}")), (Encoding::Zstd, zstd(b"{\"a\":1}"))] {
            for n_bytes in 0..wire.len() {
                assert_eq!(decode(encoding, &wire[..n_bytes], 3), Err("encoding_malformed"), "{encoding:?} {n_bytes}");
            }
            assert_eq!(decode(encoding, b"{\"a\":1} in the clear", 3), Err("encoding_malformed"));
            assert_eq!(decode(encoding, &[wire.clone(), b"junk".to_vec()].concat(), 3), Err("encoding_malformed"));
        }
    }

    #[test]
    fn a_zstd_body_cannot_ask_for_a_large_window() {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.include_contentsize(false).unwrap();
        encoder.write_all(b"{}").unwrap();
        let wire = encoder.finish().unwrap();

        assert_eq!(decode(Encoding::Zstd, &wire, 100), Err("encoding_malformed"));
    }

    #[test]
    fn the_memory_of_a_body_is_counted_with_its_window() {
        for n_bytes in [0, 1000, 8 << 20, 16 << 20] {
            assert_eq!(Encoding::Gzip.memory_of(n_bytes), n_bytes);
            assert_eq!(Encoding::Zstd.bytes_within(Encoding::Zstd.memory_of(n_bytes)), n_bytes);
        }
        assert_eq!(Encoding::Zstd.memory_of(16 << 20), 24 << 20);
    }

    #[test]
    fn only_three_encodings_are_known_and_none_of_them_twice() {
        assert_eq!(Encoding::parse("GZIP"), Some(Encoding::Gzip));
        assert_eq!(Encoding::parse("identity"), Some(Encoding::Identity));
        assert_eq!(Encoding::parse("zstd"), Some(Encoding::Zstd));
        for refused in ["br", "deflate", "gzip, gzip", "gzip,zstd", "nonsense"] {
            assert_eq!(Encoding::parse(refused), None, "{refused}");
        }
    }
}
