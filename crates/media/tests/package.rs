//! Real films through the real ffmpeg: what comes out must decode, whole and cell by cell, to exactly what went in.

use chainflix_media::{AudioPlan, MediaError, Options, Packaged, VideoPlan, package};
use chainflix_primitives::{
    AccountAddress, CellId, TrackKind,
    stripe::{STRIPE_CELLS, STRIPE_PARITY},
};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Short cells, so that a film of ten seconds has several.
const CELL_MS: u64 = 3_000;

/// A folder with films going in and cells coming out.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn options(&self) -> Options {
        Options { cell_ms: CELL_MS, folder: self.path("work") }
    }

    /// Makes a film with ffmpeg; `arguments` are separated by spaces and come before the name.
    fn film(&self, name: &str, arguments: &str) -> PathBuf {
        let path = self.path(name);
        let url = format!("file:{}", path.display());
        let status = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error"])
            .args(arguments.split(' '))
            .arg(url)
            .status()
            .unwrap();
        assert!(status.success());
        path
    }

    async fn package(&self, film: &Path) -> Result<Packaged, MediaError> {
        package(film, &self.options(), |_| ()).await
    }

    /// Nothing is left in the working folder.
    fn is_clean(&self) -> bool {
        std::fs::read_dir(self.path("work")).map_or(true, |mut entries| entries.next().is_none())
    }
}

const PICTURES: &str = "-f lavfi -i testsrc2=size=320x240:rate=25:duration=10";
const SOUND: &str = "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=10";
const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";

/// What of a track is put together again.
fn stream(packaged: &Packaged, track: usize, cells: impl IntoIterator<Item = usize>) -> Vec<u8> {
    let mut bytes = packaged.tracks[track].init.clone();
    for index in cells {
        let cell = &packaged.cells[index];
        let whole = std::fs::read(&cell.path).unwrap();
        assert_eq!(whole.len() as u64, cell.size);
        let mut at = 0;
        for fragment in &cell.fragments {
            let end = at + fragment.size as usize;
            assert_eq!(&whole[at + 4..at + 8], b"moof");
            if usize::from(fragment.track) == track {
                bytes.extend_from_slice(&whole[at..end]);
            }
            at = end;
        }
        assert_eq!(at, whole.len());
    }
    bytes
}

/// One decoded frame: when it is shown and for how long, in microseconds.
struct Decoded {
    time_us: i64,
    duration_us: i64,
}

/// Decodes a stream, refusing any complaint of the decoder.
fn decode(bench: &Bench, bytes: &[u8], kind: TrackKind) -> Vec<Decoded> {
    let path = bench.path("stream.mp4");
    std::fs::write(&path, bytes).unwrap();
    let map = if kind == TrackKind::Video { "0:v:0" } else { "0:a:0" };
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "warning", "-xerror", "-copyts", "-i"])
        .arg(&path)
        .args(["-map", map, "-fps_mode", "passthrough", "-enc_time_base", "1:1000000", "-f", "framecrc", "-"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let field = |line: &str, column: usize| line.split(',').nth(column).unwrap().trim().parse::<i64>().unwrap();
    let tick = text.lines().find_map(|line| line.strip_prefix("#tb 0: ")).unwrap();
    let (above, below) = tick.split_once('/').unwrap();
    let us = |ticks: i64| ticks * 1_000_000 * above.parse::<i64>().unwrap() / below.parse::<i64>().unwrap();
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| Decoded { time_us: us(field(line, 2)), duration_us: us(field(line, 3)) }).collect()
}

/// Every property a manifest and a player rely on; returns the number of decoded pictures.
fn check(bench: &Bench, packaged: &Packaged) -> usize {
    let ids = vec![CellId([7; 32]); packaged.cells.len()];
    let parity = vec![[CellId([8; 32]); STRIPE_PARITY]; packaged.cells.len() / STRIPE_CELLS];
    let manifest = packaged.manifest(&packaged.title, AccountAddress([1; 20]), &ids, parity).unwrap();
    manifest.check().unwrap();
    let count = packaged.cells.len();

    let whole = decode(bench, &stream(packaged, 0, 0..count), TrackKind::Video);
    assert_eq!(whole[0].time_us, 0);
    let last = whole.last().unwrap();
    assert!((last.time_us + last.duration_us - packaged.play_time_ms as i64 * 1000).abs() <= 1_000);

    let mut pictures = 0;
    for (index, cell) in packaged.cells.iter().enumerate() {
        let alone = decode(bench, &stream(packaged, 0, [index]), TrackKind::Video);
        pictures += alone.len();
        // Rounded up, by less than a millisecond.
        let early_us = cell.start_ms as i64 * 1000 - alone[0].time_us;
        assert!((0..1_000).contains(&early_us), "cell {index} is {early_us} us early");
        check_sound(bench, packaged, index);
    }
    assert_eq!(pictures, whole.len());
    pictures
}

/// The sound of one cell alone covers it from its start to less than a frame before its end.
fn check_sound(bench: &Bench, packaged: &Packaged, index: usize) {
    if packaged.tracks.len() < 2 {
        return;
    }
    let cell = &packaged.cells[index];
    let frames = decode(bench, &stream(packaged, 1, [index]), TrackKind::Audio);
    let frame_us = 1024 * 1_000_000 / 44_100 + 1;
    let (start_us, end_us) = (cell.start_ms as i64 * 1000, (cell.start_ms + cell.duration_ms) as i64 * 1000);
    let first_us = frames[0].time_us;
    let last_us = frames.last().map(|frame| frame.time_us + frame.duration_us).unwrap();
    assert!(first_us <= start_us.max(frame_us), "sound of cell {index} begins at {first_us} us");
    assert!(start_us - first_us <= 2 * frame_us, "sound of cell {index} begins at {first_us} us");
    assert!(end_us - last_us <= frame_us + 1_000, "sound of cell {index} ends at {last_us} us, not {end_us}");
    let gaps = frames.windows(2).map(|pair| pair[1].time_us - pair[0].time_us - pair[0].duration_us);
    assert!(gaps.max().unwrap() < 1_000);
}

#[tokio::test]
async fn a_film_with_many_key_frames_is_copied() {
    let bench = Bench::new();
    let film =
        bench.film("copy.mp4", &format!("{PICTURES} {SOUND} {H264} -g 25 -bf 2 -c:a aac -metadata title=A\u{a0}night"));
    let mut seen = Vec::new();
    let packaged = package(&film, &bench.options(), |progress| seen.push(progress)).await.unwrap();
    assert_eq!(packaged.plan.video, VideoPlan::Copy);
    assert_eq!(packaged.plan.audio, Some(AudioPlan::Copy));
    assert_eq!(packaged.title, "A night");
    assert_eq!(packaged.play_time_ms, 10_000);
    let starts: Vec<u64> = packaged.cells.iter().map(|cell| cell.start_ms).collect();
    assert_eq!(starts, [0, 3_000, 6_000, 9_000]);
    // Main profile; the level is x264's choice.
    assert!(packaged.tracks[0].media_type.starts_with(r#"video/mp4; codecs="avc1.4D40"#));
    assert_eq!(packaged.tracks[1].media_type, r#"audio/mp4; codecs="mp4a.40.2""#);
    assert_eq!(check(&bench, &packaged), 250);
    assert_eq!(seen.last().unwrap().fraction, Some(1.0));
    drop(packaged);
    assert!(bench.is_clean());
}

#[tokio::test]
async fn reordered_pictures_and_a_late_start_are_copied_from_matroska() {
    let bench = Bench::new();
    let encoder = "-c:v libx264 -preset veryfast -bf 3 -g 30 -pix_fmt yuv420p -c:a aac -output_ts_offset 7.3";
    let film = bench.film("late.mkv", &format!("{PICTURES} {SOUND} {encoder}"));
    let packaged = bench.package(&film).await.unwrap();
    assert_eq!(packaged.plan.video, VideoPlan::Copy);
    assert_eq!(check(&bench, &packaged), 250);
}

#[tokio::test]
async fn a_transport_stream_is_copied() {
    let bench = Bench::new();
    let film = bench.film("stream.ts", &format!("{PICTURES} {SOUND} {H264} -g 25 -bf 2 -c:a aac -f mpegts"));
    let packaged = bench.package(&film).await.unwrap();
    assert_eq!((&packaged.plan.video, &packaged.plan.audio), (&VideoPlan::Copy, &Some(AudioPlan::Copy)));
    assert_eq!(check(&bench, &packaged), 250);
}

#[tokio::test]
async fn far_key_frames_and_another_codec_are_encoded() {
    let bench = Bench::new();
    let film = bench.film("far.mkv", &format!("{PICTURES} {SOUND} {H264} -g 250 -c:a libopus"));
    let packaged = bench.package(&film).await.unwrap();
    assert!(matches!(packaged.plan.video, VideoPlan::Encode { .. }));
    assert!(matches!(packaged.plan.audio, Some(AudioPlan::Encode { .. })));
    assert_eq!(packaged.play_time_ms, 10_000);
    assert_eq!(packaged.cells.len(), 4);
    assert_eq!(check(&bench, &packaged), 250);
}

#[tokio::test]
async fn a_copy_that_cannot_be_cut_is_encoded_after_all() {
    let bench = Bench::new();
    // Key frames are close for as long as the scan looks, two minutes, and then there are none.
    let pictures = "-f lavfi -i testsrc2=size=64x64:rate=5:duration=130";
    let film = bench.film("trap.mp4", &format!("{pictures} {H264} -g 1000 -force_key_frames expr:lt(t,122)"));
    let packaged = bench.package(&film).await.unwrap();
    assert!(matches!(packaged.plan.video, VideoPlan::Encode { reason: "the copy cannot be cut into cells", .. }));
    assert_eq!(packaged.play_time_ms, 130_000);
    assert_eq!(packaged.cells.len(), 44);
}

#[tokio::test]
async fn copied_sound_with_a_hole_is_filled() {
    let bench = Bench::new();
    // Matroska does not say how long each stream is: that the sound ends early is seen only when it is cut.
    let film = bench.film("hole.mkv", &format!("{PICTURES} {SOUND},atrim=0:4 {H264} -g 25 -c:a aac"));
    let packaged = bench.package(&film).await.unwrap();
    assert_eq!(packaged.plan.video, VideoPlan::Copy);
    assert_eq!(packaged.plan.audio, Some(AudioPlan::Encode { reason: "the copy has a hole" }));
    assert_eq!(check(&bench, &packaged), 250);
}

#[tokio::test]
async fn odd_deep_rotated_and_silent_films_are_encoded() {
    let bench = Bench::new();
    let small = "-f lavfi -i testsrc2=size=322x242:rate=30000/1001:duration=4,scale=161:121";
    let odd = bench.film("odd 10 bit.mkv", &format!("{small} -c:v libx264 -preset ultrafast -pix_fmt yuv444p10le"));
    let packaged = bench.package(&odd).await.unwrap();
    assert_eq!((packaged.tracks[0].width, packaged.tracks[0].height), (162, 122));
    assert_eq!((packaged.tracks.len(), packaged.title.as_str()), (1, "odd 10 bit"));
    assert_eq!(check(&bench, &packaged), 120);

    let rotated = bench.film("rotated.mp4", &format!("{PICTURES} -t 4 {H264} -g 25"));
    turn(&rotated);
    let packaged = bench.package(&rotated).await.unwrap();
    assert_eq!((packaged.tracks[0].width, packaged.tracks[0].height), (240, 320));
    check(&bench, &packaged);
}

/// Writes a quarter turn into the display matrix of a film's only track (ISO/IEC 14496-12, 8.3.2).
fn turn(film: &Path) {
    let mut bytes = std::fs::read(film).unwrap();
    let header = bytes.windows(4).position(|four| four == b"tkhd").unwrap();
    let quarter: [i32; 9] = [0, 1 << 16, 0, -1 << 16, 0, 0, 240 << 16, 0, 1 << 30];
    let matrix: Vec<u8> = quarter.iter().flat_map(|value| value.to_be_bytes()).collect();
    bytes[header + 44..header + 80].copy_from_slice(&matrix);
    std::fs::write(film, bytes).unwrap();
}

#[tokio::test]
async fn a_variable_rate_and_short_late_sound_become_regular() {
    let bench = Bench::new();
    // Pictures stand still for seconds; the sound begins late and ends early.
    let pictures = "-f lavfi -i testsrc2=size=160x120:rate=25:duration=9,select=lt(mod(t\\,4)\\,1)";
    let sound = "-itsoffset 1 -f lavfi -i sine=frequency=440:duration=5";
    let film = bench.film("variable.mkv", &format!("{pictures} {sound} -fps_mode vfr -c:v mpeg4 -c:a mp3"));
    let packaged = bench.package(&film).await.unwrap();
    assert!(packaged.play_time_ms >= 8_000);
    assert!(packaged.cells.len() >= 2);
    check(&bench, &packaged);
}

#[tokio::test]
async fn awkward_names_are_only_names() {
    let bench = Bench::new();
    let plain = bench.film("plain.mp4", &format!("{PICTURES} -t 2 {H264} -g 25"));
    for name in ["-y.mp4", "http:x.mp4", "%d|'\"$(x) .mp4", "film\nline.mp4"] {
        let film = bench.path(name);
        std::fs::copy(&plain, &film).unwrap();
        let packaged = bench.package(&film).await.unwrap();
        assert_eq!(packaged.play_time_ms, 2_000);
        assert!(!packaged.title.contains('\n'));
    }
}

#[tokio::test]
async fn what_is_no_film_is_refused_and_leaves_nothing() {
    let bench = Bench::new();
    let good = bench.film("good.mp4", &format!("{PICTURES} {SOUND} {H264} -g 25 -c:a aac -movflags +faststart"));
    let bytes = std::fs::read(&good).unwrap();
    let made = |name: &str, bytes: &[u8]| {
        std::fs::write(bench.path(name), bytes).unwrap();
        bench.path(name)
    };
    let refused = async |path: PathBuf| {
        let error = bench.package(&path).await.unwrap_err();
        assert!(bench.is_clean(), "{error}");
        error
    };
    assert!(matches!(refused(bench.path("missing.mp4")).await, MediaError::Unreadable { .. }));
    assert!(matches!(refused(bench.folder.path().into()).await, MediaError::NotAFile { .. }));
    assert!(matches!(refused(made("empty.mp4", b"")).await, MediaError::Empty { .. }));
    assert!(matches!(refused(made("text.mp4", b"just words\n")).await, MediaError::Failed { .. }));
    let list = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\ngood.mp4\n#EXT-X-ENDLIST\n";
    assert!(matches!(refused(made("list.mp4", list)).await, MediaError::NotAFilm { format } if format == "hls"));
    let concat = b"ffconcat version 1.0\nfile good.mp4\n";
    assert!(
        matches!(refused(made("list.ffconcat", concat)).await, MediaError::NotAFilm { format } if format == "concat")
    );
    let cut_short = refused(made("half.mp4", &bytes[..bytes.len() / 2])).await;
    assert!(matches!(cut_short, MediaError::Incomplete { expected_ms: 10_000, .. }), "{cut_short}");
    let headless = refused(made("headless.mp4", &bytes[bytes.len() / 2..])).await;
    assert!(matches!(headless, MediaError::Failed { .. }));
    let sound = bench.film("sound.mp3", &format!("{SOUND} -t 2"));
    assert!(matches!(refused(sound).await, MediaError::NoVideo));
    let picture = bench.film("picture.png", &format!("{PICTURES} -frames:v 1"));
    assert!(matches!(refused(picture).await, MediaError::NotAFilm { .. }));
    let moment = bench.film("moment.mp4", &format!("{PICTURES} -t 0.4 {H264}"));
    assert!(matches!(refused(moment).await, MediaError::TooShort { play_time_ms: 400 }));
}

#[tokio::test]
async fn a_dropped_future_ends_ffmpeg_and_removes_its_files() {
    let bench = Bench::new();
    // Long enough to be caught in the middle of it.
    let pictures = "-f lavfi -i testsrc2=size=640x360:rate=25:duration=60";
    let film = bench.film("long.mkv", &format!("{pictures} -c:v mpeg4 -q:v 9"));
    let options = bench.options();
    let (started, mut running) = tokio::sync::mpsc::channel(1);
    let packaging = tokio::spawn(async move {
        package(&film, &options, |_| {
            let _ = started.try_send(());
        })
        .await
    });
    running.recv().await.unwrap();
    assert!(!bench.is_clean());
    assert_eq!(children_in(&bench.path("work")), 1);
    packaging.abort();
    assert!(packaging.await.unwrap_err().is_cancelled());
    assert!(bench.is_clean());
    // The kernel takes a moment to bury a killed process.
    for _ in 0..200 {
        if children_in(&bench.path("work")) == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("ffmpeg outlives its future");
}

/// How many processes have their working folder below `folder`.
fn children_in(folder: &Path) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let folders = processes.filter_map(|process| std::fs::read_link(process.path().join("cwd")).ok());
    folders.filter(|current| current.starts_with(folder)).count()
}
