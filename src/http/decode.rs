//! Decompresses a body piece by piece into a bounded buffer: a bomb is cut off where it passes its bounds, and never
//! takes more memory than they allow.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, Operation as _};

use super::error::Problem;
use super::problem;
use super::services::BodyLimits;

/// A small body may expand by any ratio up to this size.
const FREE_BYTES: usize = 1 << 20;
/// The largest window that a zstd body may ask for: 8 MiB, which RFC 9659 sets for HTTP.
const MAX_WINDOW_LOG: u32 = 23;
const ZSTD_STEP_BYTES: usize = 32 << 10;

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
    Identity(Vec<u8>),
    Gzip(Box<MultiGzDecoder<Bounded>>),
    Zstd(Box<Frames>),
}

/// Frames of zstd that follow each other.
struct Frames {
    decoder: ZstdDecoder<'static>,
    output: Bounded,
    step: Vec<u8>,
    is_between: bool,
}

/// A buffer that refuses to grow beyond a bound.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    max_bytes: usize,
    is_over: bool,
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + piece.len() > self.max_bytes {
            self.is_over = true;
            return Err(io::Error::other("the body is over its bound"));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> Collected<'a> {
    /// Begins with nothing; `expected_bytes` is what the client announced.
    pub(crate) fn new(
        encoding: Encoding,
        limits: &'a BodyLimits,
        expected_bytes: Option<usize>,
    ) -> Result<Self, Problem> {
        let decoder = match encoding {
            // A client may announce more than it sends, so that only a part is set aside at once.
            Encoding::Identity => Decoder::Identity(Vec::with_capacity(expected_bytes.unwrap_or(0).min(64 << 10))),
            Encoding::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(Bounded::default()))),
            Encoding::Zstd => {
                let broken = |_| Problem::new(problem::INTERNAL_ERROR);
                let mut decoder = ZstdDecoder::new().map_err(broken)?;
                decoder.set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG)).map_err(broken)?;
                let (output, step) = (Bounded::default(), vec![0; ZSTD_STEP_BYTES]);
                Decoder::Zstd(Box::new(Frames { decoder, output, step, is_between: false }))
            }
        };
        Ok(Self { limits, n_wire_bytes: 0, decoder })
    }

    /// Returns how many bytes came over the wire so far.
    pub(crate) fn n_wire_bytes(&self) -> usize {
        self.n_wire_bytes
    }

    /// Takes the next piece.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), Problem> {
        self.n_wire_bytes += piece.len();
        if self.n_wire_bytes > self.limits.wire_bytes {
            return Err(too_large(self.limits));
        }
        let max_bytes = self.max_decoded_bytes();
        let (outcome, is_over) = match &mut self.decoder {
            Decoder::Identity(bytes) => {
                bytes.extend_from_slice(piece);
                return Ok(());
            }
            Decoder::Gzip(decoder) => {
                decoder.get_mut().max_bytes = max_bytes;
                (decoder.write_all(piece), decoder.get_ref().is_over)
            }
            Decoder::Zstd(frames) => {
                frames.output.max_bytes = max_bytes;
                (frames.push(piece), frames.output.is_over)
            }
        };
        outcome.map_err(|_| self.refusal(is_over))
    }

    /// Ends the body and returns its bytes.
    pub(crate) fn finish(self) -> Result<Vec<u8>, Problem> {
        let malformed = || Problem::new(problem::ENCODING_MALFORMED);
        match self.decoder {
            Decoder::Identity(bytes) => Ok(bytes),
            Decoder::Gzip(mut decoder) => {
                let outcome = decoder.try_finish();
                if decoder.get_ref().is_over {
                    let max_bytes = decoder.get_ref().max_bytes;
                    return Err(over(self.limits, max_bytes));
                }
                outcome.map_err(|_| malformed())?;
                Ok(std::mem::take(&mut decoder.get_mut().bytes))
            }
            Decoder::Zstd(frames) => {
                if frames.is_between {
                    Ok(frames.output.bytes)
                } else {
                    Err(malformed())
                }
            }
        }
    }

    fn max_decoded_bytes(&self) -> usize {
        self.limits.decoded_bytes.min(FREE_BYTES.max(self.n_wire_bytes.saturating_mul(self.limits.max_ratio)))
    }

    fn refusal(&self, is_over: bool) -> Problem {
        if is_over { over(self.limits, self.max_decoded_bytes()) } else { Problem::new(problem::ENCODING_MALFORMED) }
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
    fn push(&mut self, mut piece: &[u8]) -> io::Result<()> {
        loop {
            let status = self.decoder.run_on_buffers(piece, &mut self.step)?;
            piece = &piece[status.bytes_read..];
            self.output.write_all(&self.step[..status.bytes_written])?;
            if status.bytes_read > 0 || status.bytes_written > 0 {
                self.is_between = status.remaining == 0;
            }
            // A full step may have more behind it even when all input is taken.
            if piece.is_empty() && status.bytes_written < self.step.len() {
                return Ok(());
            }
        }
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
        let mut collected = Collected::new(encoding, &limits, None).map_err(code)?;
        for piece in wire.chunks(step) {
            collected.push(piece).map_err(code)?;
        }
        collected.finish().map_err(code)
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
            assert_eq!(decode(encoding, &encode(&vec![b'a'; 1 << 20]), 9000).map(|body| body.len()), Ok(1 << 20));
            assert_eq!(decode(encoding, &encode(&vec![b'a'; 2 << 20]), 9000), Err("compression_ratio_too_high"));
        }
        assert!(decode(Encoding::Identity, &vec![b'a'; 1 << 20], 9000).is_ok());
        assert_eq!(decode(Encoding::Identity, &vec![b'a'; (1 << 20) + 1], 9000), Err("body_too_large"));
    }

    #[test]
    fn a_bomb_is_cut_off_long_before_it_is_unpacked() {
        let limits = BodyLimits::default();
        let bomb = gzip(&vec![b'a'; 64 << 20]);
        let mut collected = Collected::new(Encoding::Gzip, &limits, None).unwrap();

        let refused = bomb.chunks(4096).find_map(|piece| collected.push(piece).err()).unwrap();

        assert_eq!(refused.kind().code, "compression_ratio_too_high");
        let Decoder::Gzip(decoder) = &collected.decoder else { panic!("a gzip body") };
        assert!(decoder.get_ref().bytes.capacity() <= 4 << 20);
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
    fn only_three_encodings_are_known_and_none_of_them_twice() {
        assert_eq!(Encoding::parse("GZIP"), Some(Encoding::Gzip));
        assert_eq!(Encoding::parse("identity"), Some(Encoding::Identity));
        assert_eq!(Encoding::parse("zstd"), Some(Encoding::Zstd));
        for refused in ["br", "deflate", "gzip, gzip", "gzip,zstd", "nonsense"] {
            assert_eq!(Encoding::parse(refused), None, "{refused}");
        }
    }
}
