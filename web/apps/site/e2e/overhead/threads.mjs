// Counts the processor time of every thread of a browser, to the nanosecond, as Linux does.

import { readdirSync, readFileSync } from "node:fs";

/** How often threads are looked at, so that what a thread did before it ended is not lost. */
const LOOK_MS = 1_000;

/** Processor time so far by thread: `Map("pid/tid" -> { name, ns })`. */
function readThreads(pids) {
  const threads = new Map();
  for (const pid of pids) {
    for (const tid of list(`/proc/${pid}/task`)) {
      const folder = `/proc/${pid}/task/${tid}`;
      const [name, times] = [text(`${folder}/comm`), text(`${folder}/schedstat`)];
      // The first number of schedstat is the time on a processor (Documentation/scheduler/sched-stats.rst).
      if (times) threads.set(`${pid}/${tid}`, { name: name.trim(), ns: Number(times.split(" ")[0]) });
    }
  }
  return threads;
}

function list(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return []; // The process ended meanwhile.
  }
}

function text(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** All processes of the browser. */
async function pidsOf(browserSession) {
  const { processInfo } = await browserSession.send("SystemInfo.getProcessInfo");
  return processInfo.map(({ id }) => id);
}

/** What each kind of thread took in `windowMs`, in percent of one core: `{ name: percent }`. */
export async function measureThreads(browserSession, windowMs) {
  const spent = new Map();
  let before = readThreads(await pidsOf(browserSession));
  const beganAt = performance.now();
  while (performance.now() - beganAt < windowMs) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const now = readThreads(await pidsOf(browserSession));
    for (const [id, { name, ns }] of now) {
      const kind = kindOf(name);
      spent.set(kind, (spent.get(kind) ?? 0) + ns - (before.get(id)?.ns ?? 0));
    }
    before = now;
  }
  const windowNs = (performance.now() - beganAt) * 1e6;
  return Object.fromEntries([...spent].map(([kind, ns]) => [kind, (100 * ns) / windowNs]));
}

/** Threads of one kind differ by a number at the end of their names; names are cut at 15 letters. */
function kindOf(name) {
  return name.replace(/[\d/:#]+$/, "").replace(/\d+$/, "") || name;
}
