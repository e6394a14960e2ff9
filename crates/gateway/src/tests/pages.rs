//! The web app as browsers load it.

use super::village::*;
use crate::{Options, web_app::WebApp};

#[tokio::test]
async fn places_inside_the_app_are_its_page_and_missing_files_are_not() {
    let village = village().await;
    for place in ["/", "/film/0xab", "/wallet"] {
        let answer = village.get(place).await;
        assert_eq!((answer.status().as_u16(), &answer.headers()["cache-control"]), (200, &"no-cache".parse().unwrap()));
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        assert!(answer.text().await.unwrap().contains("<title>Chainflix</title>"));
    }
    assert_eq!(village.get("/assets/gone-0000.js").await.status(), 404);
    assert_eq!(village.http.post(format!("{}/", village.url)).send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn files_have_their_types_and_hashed_ones_are_kept() {
    let village = village().await;
    let script = village.get("/assets/app-1a2b.js").await;
    assert_eq!(script.headers()["content-type"], "text/javascript; charset=utf-8");
    assert_eq!(script.headers()["cache-control"], "public, max-age=31536000, immutable");
    let wasm = village.get("/core.wasm").await;
    assert_eq!(wasm.headers()["content-type"], "application/wasm");
    let tag = wasm.headers()["etag"].clone();
    let again = village.http.get(format!("{}/core.wasm", village.url)).header("if-none-match", tag);
    let again = again.send().await.unwrap();
    assert_eq!((again.status().as_u16(), again.headers().contains_key("etag")), (304, true));
    let packed = village.http.get(format!("{}/assets/app-1a2b.js", village.url)).header("accept-encoding", "gzip");
    assert_eq!(packed.send().await.unwrap().headers()["content-encoding"], "gzip");
}

#[tokio::test]
async fn no_path_leaves_the_app() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let village = village().await;
    for path in ["/../Cargo.toml", "/..%2fCargo.toml", "/assets/../../Cargo.toml", "//etc/hosts", "/%2e%2e/Cargo.toml"]
    {
        // By hand, since a client would tidy the path.
        let mut stream = tokio::net::TcpStream::connect(village.url.trim_start_matches("http://")).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let page = answer.starts_with("HTTP/1.1 200") && answer.contains("<title>Chainflix</title>");
        assert!(page || answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_policy_and_a_number() {
    let village = village().await;
    for path in ["/", "/api/nothing", "/assets/gone.js"] {
        let answer = village.get(path).await;
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval';"), "{policy}");
        assert!(!policy.contains("  "));
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert!(answer.headers().contains_key("x-request-id"));
    }
}

#[tokio::test]
async fn without_an_app_the_root_says_how_to_build_it() {
    let village = village_with(Options::default(), WebApp::of(|_| None)).await;
    let answer = village.get("/").await;
    assert_eq!(answer.status(), 503);
    let words = answer.text().await.unwrap();
    assert!(words.contains("npm --prefix web run build") && words.lines().count() == 1);
}
