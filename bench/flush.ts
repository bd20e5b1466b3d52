/** Prints the median of `fdatasync` after 4 KB were appended to a file, in microseconds. Usage: node flush.ts FOLDER */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const path = join(process.argv[2]!, 'flush')
const file = openSync(path, 'w')
const page = Buffer.alloc(4096, 'x')
const times: number[] = []
for (let n = 0; n < 200; n++) {
  writeSync(file, page)
  const began = performance.now()
  fdatasyncSync(file)
  times.push((performance.now() - began) * 1000)
}
closeSync(file)
rmSync(path)
times.sort((a, b) => a - b)
console.log(Math.round(times[100]!))
