import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Address } from '#config.ts'

/** @returns where it listens: the real port when the configuration says 0 */
export function listen(server: Server, { host, port }: Address): Promise<Address> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, host, () => {
      server.off('error', reject)
      resolve({ host, port: (server.address() as AddressInfo).port })
    })
  })
}

/** Answers that are being written get that long; connections without one are closed at once. */
export async function closeServer(server: Server, milliseconds: number): Promise<void> {
  const idle = setInterval(() => server.closeIdleConnections(), 20)
  const cut = setTimeout(() => server.closeAllConnections(), milliseconds)
  await new Promise((closed) => server.close(closed))
  clearInterval(idle)
  clearTimeout(cut)
}
