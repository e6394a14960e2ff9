use chainflix_media::{Options, package};
#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let cell_ms: u64 = args[1].parse().unwrap();
    for film in &args[2..] {
        if film == "SAMPLE" {
            println!("{:?}", chainflix_media::find_sample("/tmp/mx/cache".as_ref()).await);
            continue;
        }
        let started = std::time::Instant::now();
        match package(film.as_ref(), &Options { cell_ms, folder: "/tmp/mx/work".into() }, |_| ()).await {
            Err(error) => println!("{film}: ERROR {error}"),
            Ok(p) => {
                println!("{film}: {:?} {} | {} ms, {} cells {:?}, {}", started.elapsed(), p.plan, p.play_time_ms, p.cells.len(),
                    p.cells.iter().map(|c| (c.start_ms, c.duration_ms, c.size, c.fragments.len())).take(4).collect::<Vec<_>>(),
                    p.tracks.iter().map(|t| t.media_type.clone()).collect::<Vec<_>>().join(" "));
                for (t, track) in p.tracks.iter().enumerate() {
                    for (name, from) in [("all", 0), ("tail", p.cells.len() - 1)] {
                        let mut bytes = track.init.clone();
                        for c in &p.cells[from..] {
                            let whole = c.read().await.unwrap();
                            let mut at = 0;
                            for f in &c.fragments {
                                if f.track as usize == t { bytes.extend_from_slice(&whole[at..at + f.size as usize]); }
                                at += f.size as usize;
                            }
                        }
                        std::fs::write(format!("/tmp/mx/out-{name}-{t}.mp4"), bytes).unwrap();
                    }
                }
            }
        }
    }
}
