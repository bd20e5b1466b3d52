/**
 * Prints how evenly this core works: the 99th percentile and the worst of a loop of arithmetic that takes about 0.25 ms,
 * run 1,000 times a second, as multiples of its median. Nothing in it allocates, or waits for anything but its turn; a
 * server that is busy for half of each millisecond cannot answer in time while the same loop takes five times as long.
 *
 * Usage: node steadiness.ts [SECONDS], five unless said
 */

/** Kept, so that the loop is not optimized away. */
let last = 1

function work(rounds: number): number {
  const began = performance.now()
  let value = last
  for (let i = 0; i < rounds; i++) value = Math.imul(value, 1_664_525) + 1_013_904_223
  last = value | 1
  return performance.now() - began
}

/** Rounds that take 0.25 ms, once V8 has optimized the loop. */
function calibrated(): number {
  let rounds = 10_000
  for (let i = 0; i < 200; i++) work(rounds)
  while (Math.min(work(rounds), work(rounds), work(rounds)) < 0.25) rounds *= 1.1
  return rounds
}

const rounds = calibrated()
const times: number[] = []
const ends = performance.now() + Number(process.argv[2] ?? 5) * 1000
const timer = setInterval(() => {
  times.push(work(rounds))
  if (performance.now() < ends) return
  clearInterval(timer)
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.floor((times.length - 1) * share)]! / times[Math.floor(times.length / 2)]!
  console.log(JSON.stringify({ p99: Number(at(0.99).toFixed(1)), worst: Number(at(1).toFixed(1)) }))
}, 1)
