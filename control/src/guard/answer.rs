//! The body of an answer that ends when its reader may no longer read it.

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use mujina_proto::failure::Failure;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tonic::Status;

/// An answer, message by message.
pub(crate) struct Answer<R> {
    /// `None` = it was ended.
    body: Option<R>,
    /// What ends it before it does by itself.
    ending: Option<Pin<Box<dyn Future<Output = Failure> + Send>>>,
}

impl<R> Answer<R> {
    /// One that is read to its end.
    pub(super) fn whole(body: R) -> Self {
        Self { body: Some(body), ending: None }
    }

    /// One that goes on until `ending` says why not.
    pub(super) fn until(body: R, ending: impl Future<Output = Failure> + Send + 'static) -> Self {
        Self { body: Some(body), ending: Some(Box::pin(ending)) }
    }
}

impl<R: Body<Data = Bytes> + Unpin> Body for Answer<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Self { body: slot, ending } = self.get_mut();
        let Some(body) = slot else { return Poll::Ready(None) };
        // Asked first, because an export always has more to say.
        if let Some(end) = ending
            && let Poll::Ready(failure) = end.as_mut().poll(context)
        {
            (*slot, *ending) = (None, None);
            return Poll::Ready(Some(Ok(Frame::trailers(trailers(failure)))));
        }
        Pin::new(body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.body, &self.ending) {
            (Some(body), None) => body.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

fn trailers(failure: Failure) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    // The code is in before anything can fail.
    let _ = Status::from(failure).add_header(&mut trailers);
    trailers
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Full};
    use std::future::{pending, ready};
    use tonic::Code;

    #[tokio::test]
    async fn answer_that_is_ended_says_why_in_its_trailers_and_lets_go_of_what_it_read() {
        let failure = Failure::new(Code::PermissionDenied, "PERMISSION_DENIED", "not any more");
        let (alive, gone) = tokio::sync::oneshot::channel::<()>();
        let body = Full::new(Bytes::from_static(b"more")).map_frame(move |frame| {
            let _ = &alive;
            frame
        });
        let mut answer = Answer::until(body, ready(failure));
        let frame = answer.frame().await.unwrap().unwrap();
        let status = Status::from_header_map(frame.trailers_ref().unwrap()).unwrap();
        assert_eq!((status.code(), status.message()), (Code::PermissionDenied, "not any more"));
        assert_eq!(Failure::from(&status).reason, "PERMISSION_DENIED");
        assert!(gone.await.is_err(), "what it read is dropped");
        assert!(answer.is_end_stream() && answer.frame().await.is_none());
    }

    #[tokio::test]
    async fn answer_that_nobody_ends_passes_as_it_is() {
        for answer in [Answer::whole(Full::from("all")), Answer::until(Full::from("all"), pending())] {
            assert_eq!(answer.collect().await.unwrap().to_bytes(), "all");
        }
    }
}
