"""One BitTorrent peer of libtorrent, for `cargo xtask bench delivery`.

Its one argument is JSON: what to do (`make` a torrent, `seed`, `watch`) and where. It says "ready", waits for a line, and
then seeds until its input ends, or watches the film in order and in real time and prints one line of JSON.
"""

import json
import sys
import time

import libtorrent as lt

STEP_S = 0.05  # the heartbeat of our own player
PIECE_BYTES = 16 << 10  # our chunks


def make(plan):
    files = lt.file_storage()
    lt.add_files(files, plan["film"])
    torrent = lt.create_torrent(files, PIECE_BYTES, lt.create_torrent.v1_only)
    lt.set_piece_hashes(torrent, plan["folder"])
    with open(plan["torrent"], "wb") as file:
        file.write(lt.bencode(torrent.generate()))


def join(plan, seeding):
    session = lt.session({
        "listen_interfaces": f"{plan['address']}:{plan['port']}",
        # Everybody knows everybody from the start.
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
    })
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(plan["torrent"])
    params.save_path = plan["folder"]
    params.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
    if seeding:
        params.flags |= lt.torrent_flags.seed_mode
    else:
        params.flags |= lt.torrent_flags.sequential_download
    return session, params


def watch(plan, session, params):
    began = time.monotonic()
    handle = session.add_torrent(params)
    for address in plan["peers"]:
        handle.connect_peer((address, plan["port"]))
    # The beginning is due at once, the rest in order. Deadlines for all of it make the beginning take twice as long.
    pieces = params.ti.num_pieces()
    for piece in range(-(-plan["first_bytes"] // PIECE_BYTES)):
        handle.set_piece_deadline(piece, 0)
    there, first_frame, stalled, position = 0, None, 0.0, 0.0
    while position < plan["play_ms"] / 1000:
        while there < pieces and handle.have_piece(there):
            there += 1
        there_bytes = min(there * PIECE_BYTES, plan["bytes"])
        now = time.monotonic() - began
        if first_frame is None:
            if there_bytes >= plan["first_bytes"]:
                first_frame = now
        else:
            position = now - first_frame - stalled
            if there_bytes < plan["bytes"] * min(position * 1000, plan["play_ms"]) / plan["play_ms"]:
                stalled += STEP_S
        time.sleep(STEP_S)
    print(json.dumps({"first_frame_ms": int(first_frame * 1000), "stalled_ms": int(stalled * 1000)}), flush=True)


def main():
    plan = json.loads(sys.argv[1])
    if plan["role"] == "make":
        make(plan)
        return
    seeding = plan["role"] == "seed"
    session, params = join(plan, seeding)
    if seeding:
        session.add_torrent(params)
    print("ready", flush=True)
    sys.stdin.readline()
    if not seeding:
        watch(plan, session, params)
    sys.stdin.read()


main()
