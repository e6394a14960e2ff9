// One BitTorrent peer of WebTorrent in Node, over TCP, for `cargo xtask bench delivery`.
//
// Its one argument is JSON: what to do (`make` a torrent, `seed`, `watch`) and where. It says "ready", waits for a line,
// and then seeds until its input ends, or watches the film in order and in real time and prints one line of JSON.

const fs = require('node:fs')
const { createInterface } = require('node:readline')
const { createRequire } = require('node:module')

const STEP_MS = 50 // the heartbeat of our own player
const PIECE_BYTES = 16 << 10 // our chunks

const plan = JSON.parse(process.argv[2])
const installed = createRequire(`${plan.webtorrent}/package.json`)

function make() {
  const options = { name: plan.film.split('/').pop(), pieceLength: PIECE_BYTES, announceList: [] }
  installed('create-torrent')(plan.film, options, (error, torrent) => {
    if (error) throw error
    fs.writeFileSync(plan.torrent, torrent)
  })
}

function join() {
  const WebTorrent = installed('webtorrent')
  // Everybody knows everybody from the start.
  return new WebTorrent({ torrentPort: plan.port, dht: false, tracker: false, lsd: false, utp: false, webSeeds: false })
}

function add(client, options, then) {
  client.on('error', (error) => { throw error })
  return client.add(fs.readFileSync(plan.torrent), { path: plan.folder, announce: [], ...options }, then)
}

function watch(client) {
  const began = performance.now()
  const torrent = add(client, { strategy: 'sequential' }, () => {
    plan.peers.forEach((address) => torrent.addPeer(`${address}:${plan.port}`))
    let there = 0
    // As players on WebTorrent do: a stream asks for what is needed next.
    torrent.files[0].createReadStream().on('data', (bytes) => { there += bytes.length })
    let firstFrame, stalled = 0
    const step = setInterval(() => {
      const now = performance.now() - began
      if (firstFrame === undefined) {
        if (there >= plan.first_bytes) firstFrame = now
        return
      }
      const position = now - firstFrame - stalled
      if (there < plan.bytes * Math.min(position, plan.play_ms) / plan.play_ms) {
        stalled += STEP_MS
      } else if (position >= plan.play_ms) {
        clearInterval(step)
        console.log(JSON.stringify({ first_frame_ms: Math.trunc(firstFrame), stalled_ms: Math.trunc(stalled) }))
      }
    }, STEP_MS)
  })
}

function main() {
  if (plan.role === 'make') return make()
  const client = join()
  const go = () => {
    const input = createInterface({ input: process.stdin })
    input.once('line', () => plan.role === 'watch' && watch(client))
    input.once('close', () => process.exit())
    console.log('ready')
  }
  if (plan.role === 'seed') add(client, {}, go)
  else go()
}

main()
