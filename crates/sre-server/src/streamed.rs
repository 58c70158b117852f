//! Answers that are made while their client reads them, a piece at a time.
//!
//! Between two pieces nothing is held but an open file: a client that reads slowly costs no thread
//! and no memory. A failure after the head was sent breaks the connection, so that the client does
//! not take a part for the whole.

use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{Stream, stream};
use http_body_util::StreamBody;
use hyper::body::Frame;
use sre_core::ErrorCode;
use sre_service::BlobReader;

use crate::Problem;
use crate::body::SMALL_BYTES;

/// Bytes that are read at once.
pub(crate) const PIECE_BYTES: usize = 128 << 10;

/// A body of the bytes of a blob in this range, which lies within it.
///
/// # Errors
/// 503 when the blob cannot be read.
pub(crate) async fn blob_body(mut reader: BlobReader, range: Range<u64>) -> Result<Body, Problem> {
    let length = range.end.saturating_sub(range.start);
    if let Err(error) = reader.seek(SeekFrom::Start(range.start)) {
        return Err(Problem::operating(ErrorCode::StoreFailed, &error));
    }
    if length <= SMALL_BYTES as u64 {
        // In memory, or checked a moment ago and in the page cache: not worth another thread.
        let (_, piece) = read_piece(reader, length)
            .map_err(|error| Problem::operating(ErrorCode::StoreFailed, &error))?;
        return Ok(Body::from(piece));
    }
    Ok(body(stream::try_unfold(
        (reader, length),
        |(reader, left)| async move {
            if left == 0 {
                return Ok(None);
            }
            let read = tokio::task::spawn_blocking(move || read_piece(reader, left));
            let (reader, piece) = read
                .await
                .unwrap_or_else(|error| Err(io::Error::other(error)))?;
            let left = left - piece.len() as u64;
            Ok(Some((piece, (reader, left))))
        },
    )))
}

/// A body of these pieces.
pub(crate) fn body(pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Body {
    use futures_util::StreamExt as _;
    Body::new(StreamBody::new(pieces.map(|piece| {
        if let Err(error) = &piece {
            tracing::warn!(%error, "an answer is broken off");
        }
        piece.map(Frame::data)
    })))
}

/// The next bytes of a blob that has at least `left` more. Blocks.
pub(crate) fn read_piece(mut reader: BlobReader, left: u64) -> io::Result<(BlobReader, Bytes)> {
    let length = usize::try_from(left)
        .unwrap_or(PIECE_BYTES)
        .min(PIECE_BYTES);
    let mut piece = vec![0; length];
    reader.read_exact(&mut piece)?;
    Ok((reader, piece.into()))
}
