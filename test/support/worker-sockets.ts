import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { Socket } from 'node:net'

/** What Linux tells of a broker's processes. */

/** The processes that a primary has started and that live. */
export function workersOf(primary: number): number[] {
  return readFileSync(`/proc/${primary}/task/${primary}/children`, 'latin1')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number)
}

export function isAlive(pid: number): boolean {
  try {
    // One that has ended and that nobody has waited for is a zombie.
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))
  } catch {
    return false
  }
}

/** The process that holds the broker's end of a connection. @param socket the client's end */
export function workerAt(workers: readonly number[], socket: Socket): number | undefined {
  const [local, remote] = [socket.remotePort!, socket.localPort!].map(
    (port) => `:${port.toString(16).toUpperCase().padStart(4, '0')}`,
  )
  // Columns of proc_net_tcp: number, local address, remote address, state, queues, timer, retransmits, uid, time-out, inode.
  const rows = readFileSync('/proc/net/tcp', 'latin1').split('\n')
  const row = rows
    .map((line) => line.trim().split(/ +/))
    .find((columns) => columns[1]?.endsWith(local!) && columns[2]?.endsWith(remote!))
  const file = `socket:[${row?.[9]}]`
  return workers.find((pid) => openFiles(pid).includes(file))
}

function openFiles(pid: number): string[] {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder).map((name) => {
    try {
      return readlinkSync(`${folder}/${name}`)
    } catch {
      return ''
    }
  })
}
