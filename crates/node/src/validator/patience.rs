//! Waiting within a request for keys that a quorum of validators is about to release.
//!
//! ```text
//! request ─▶ desk ── keys-pending ──▶ 20 ms ─▶ desk ── keys-pending ──▶ 20 ms ─▶ desk ── grant ─▶ answer
//! ```
//!
//! A viewer never hears of it in good times: only when two seconds have brought no quorum, the refusal is passed on, and
//! the viewer asks again itself.

use chainflix_proof_of_view::Refusal;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a request waits for keys.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks, and asks again while keys are on their way.
///
/// # Errors
/// What `ask` fails with; a refusal is no error of this kind.
pub(crate) async fn patiently<T, E, F>(mut ask: impl FnMut() -> F) -> Result<Result<T, Refusal>, E>
where
    F: Future<Output = Result<Result<T, Refusal>, E>>,
{
    let until = Instant::now() + PATIENCE;
    loop {
        match ask().await? {
            Err(Refusal::KeysPending { retry_ms }) if Instant::now() < until => {
                sleep(Duration::from_millis(retry_ms)).await;
            }
            answer => return Ok(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PENDING: Refusal = Refusal::KeysPending { retry_ms: 20 };

    #[tokio::test(start_paused = true)]
    async fn keys_are_waited_for_and_nothing_else_is() {
        let began = Instant::now();
        let mut asked = 0;
        let answer = patiently(|| {
            asked += 1;
            let answer = if asked < 5 { Err(PENDING) } else { Ok(7) };
            async move { Ok::<_, ()>(answer) }
        });
        assert_eq!(answer.await, Ok(Ok(7)));
        assert_eq!((asked, began.elapsed()), (5, Duration::from_millis(80)));

        let began = Instant::now();
        let refused = patiently(|| async { Ok::<Result<(), _>, ()>(Err(Refusal::NoSource)) }).await;
        assert_eq!(refused, Ok(Err(Refusal::NoSource)));
        assert_eq!(patiently(|| async { Err::<Result<(), Refusal>, _>("gone") }).await, Err("gone"));
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends() {
        let began = Instant::now();
        let answer = patiently(|| async { Ok::<Result<(), _>, ()>(Err(PENDING)) }).await;
        assert_eq!(answer, Ok(Err(PENDING)));
        assert_eq!(began.elapsed(), PATIENCE);
    }
}
